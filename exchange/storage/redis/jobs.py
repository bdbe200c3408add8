"""Holders of the worker's jobs on Redis."""

from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.scripts import HOLD_JOB

_HELD = b"held"


class Jobs:
    """Implements ``exchange.ports.Jobs`` (DEL-50)."""

    def __init__(self, lane: Lane, keyspace: Keyspace) -> None:
        self._lane = lane
        self._keyspace = keyspace

    async def hold(self, job: str, holder: str, *, ttl_ms: int) -> bool:
        word: bytes = await self._lane.ask_script(HOLD_JOB, (self._keyspace.job(job),), (holder, ttl_ms))
        return word == _HELD
