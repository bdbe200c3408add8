"""Whose mailboxes are to be looked at, on Redis: sorted sets of users by moment, spread over the slots."""

import asyncio
from collections.abc import AsyncIterator

from exchange.core.ids import Uid
from exchange.storage.redis.keyspace import DUE_PARTS, Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.scan import scan
from exchange.storage.redis.scripts import SETTLE_DUE


class Dues:
    """Implements ``exchange.ports.Dues``."""

    def __init__(self, lane: Lane, keyspace: Keyspace) -> None:
        self._lane = lane
        self._keyspace = keyspace

    async def note(self, uid: Uid, at_ms: int) -> None:
        await self._lane.ask("ZADD", self._keyspace.due(uid), "LT", at_ms, uid)

    async def due(self, *, count: int) -> tuple[tuple[Uid, int], ...]:
        ask = self._lane.ask
        seconds, micros = await ask("TIME")
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        keys = [self._keyspace.due_part(part) for part in range(DUE_PARTS)]
        parts = await asyncio.gather(
            *(ask("ZRANGE", key, "-inf", now_ms, "BYSCORE", "LIMIT", 0, count, "WITHSCORES") for key in keys)
        )
        come = [(uid.decode(), int(at)) for flat in parts for uid, at in zip(flat[::2], flat[1::2], strict=True)]
        return tuple(sorted(come, key=lambda due: due[1])[:count])

    async def settle(self, uid: Uid, seen_ms: int, next_ms: int) -> None:
        await self._lane.ask_script(SETTLE_DUE, (self._keyspace.due(uid),), (uid, seen_ms, next_ms))

    async def owners(self) -> AsyncIterator[Uid]:
        """Iterate over everybody who has mail; a store that grows or shrinks meanwhile may name somebody twice."""
        space = self._keyspace
        async for key in scan(self._lane, space.mailbox("*"), space.parked("*"), space.fates("*")):
            uid = space.uid_of(key)
            # An emptied mailbox keeps its key.
            if key != space.mailbox(uid).encode() or await self._lane.ask("XLEN", space.mailbox(uid)):
                yield uid
