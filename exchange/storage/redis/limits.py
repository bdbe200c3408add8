"""Allowances on Redis: token buckets of users, failure windows and sliding windows of addresses."""

from exchange.core.ids import Uid
from exchange.storage.address import block_of
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.scripts import FAIL, SLIDE, TAKE

_WAIT = b"wait"


class Limits:
    """Implements ``exchange.ports.Limits``. Buckets refill by the store's time and vanish when full (MAGI-50)."""

    def __init__(self, lane: Lane, keyspace: Keyspace) -> None:
        self._lane = lane
        self._keyspace = keyspace

    async def take(self, uid: Uid, action: str, *, per_minute: int, burst: int) -> int:
        word, retry_ms = await self._lane.ask_script(TAKE, (self._keyspace.take(uid, action),), (per_minute, burst, 1))
        return int(retry_ms) if word == _WAIT else 0

    async def give_back(self, uid: Uid, action: str, *, per_minute: int, burst: int) -> None:
        await self._lane.ask_script(TAKE, (self._keyspace.take(uid, action),), (per_minute, burst, -1))

    async def failures(self, address: str, action: str) -> int:
        return int(await self._lane.ask("GET", self._keyspace.limit(address, action)) or 0)

    async def slide(self, address: str, action: str, *, most: int, window_ms: int) -> int:
        keys = (self._keyspace.stamps(block_of(address), action),)
        word, wait_ms = await self._lane.ask_script(SLIDE, keys, (most, window_ms))
        return int(wait_ms) if word == _WAIT else 0

    async def fail(self, address: str, action: str, *, window_ms: int) -> int:
        return int(await self._lane.ask_script(FAIL, (self._keyspace.limit(address, action),), (window_ms,)))
