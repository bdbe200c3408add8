"""Pairs and their slots on Redis: all keys of a pair lie in one slot of the server, and each change is one script."""

import asyncio
from collections.abc import AsyncIterator

from exchange.core.pairs import PairId, PairInfo, Role, Usage
from exchange.ports import Allowances, Clock, Entered
from exchange.storage.periods import day_of, month_of
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.scan import scan
from exchange.storage.redis.scripts import DELETE_PAIR, ENTER_SLOT, LEAVE_SLOT, MAKE_PAIR

SHOWN_CHARACTERS = 16
_ENTERED = b"entered"
_LEFT = b"left"
_DELETED = b"deleted"


class Pairs:
    """Implements ``exchange.ports.Pairs`` (CORAL-24 to CORAL-27)."""

    def __init__(self, lane: Lane, keyspace: Keyspace, clock: Clock, allowances: Allowances) -> None:
        """``clock`` says which day it is."""
        self._lane = lane
        self._keyspace = keyspace
        self._clock = clock
        self._allowances = allowances

    def pair_of(self, token: str) -> PairId:
        return self._keyspace.pair_of(token)

    async def create(self, token: str, *, ttl_ms: int = 0) -> PairId:
        pair = self.pair_of(token)
        await self._lane.ask_script(MAKE_PAIR, (self._keyspace.pair(pair),), (token[:SHOWN_CHARACTERS], ttl_ms))
        return pair

    async def exists(self, pair: PairId) -> bool:
        return bool(await self._lane.ask("EXISTS", self._keyspace.pair(pair)))

    async def delete(self, pair: PairId) -> bool:
        space = self._keyspace
        keys = (
            space.pair(pair),
            space.slot(pair, Role.PHONE),
            space.slot(pair, Role.AGENT),
            space.slot_wake(pair, Role.PHONE),
            space.slot_wake(pair, Role.AGENT),
        )
        word: bytes = await self._lane.ask_script(DELETE_PAIR, keys, ())
        return word == _DELETED

    async def enter(self, pair: PairId, role: Role, sid: str, node: str) -> Entered | None:
        space, day = self._keyspace, self._day()
        keys = (
            space.pair(pair),
            space.slot(pair, role),
            space.slot(pair, role.other),
            space.used(pair, day),
            space.used(pair, month_of(day)),
            space.slot_wake(pair, role),
            space.slot_wake(pair, role.other),
        )
        word, *entered = await self._lane.ask_script(ENTER_SLOT, keys, (sid, node))
        if word != _ENTERED:
            return None
        number, paired, daily_bytes, monthly_bytes, replaced_count = entered
        return Entered(number, paired == 1, self._usage(daily_bytes, monthly_bytes), replaced_count)

    async def leave(self, pair: PairId, role: Role, sid: str) -> bool:
        space = self._keyspace
        keys = (
            space.pair(pair),
            space.slot(pair, role),
            space.slot(pair, role.other),
            space.slot_wake(pair, role.other),
        )
        word: bytes = await self._lane.ask_script(LEAVE_SLOT, keys, (sid,))
        return word == _LEFT

    async def connected(self, pair: PairId) -> frozenset[Role]:
        # Asked together, so nothing but what runs in the same moment comes between.
        known, *held = await asyncio.gather(
            self._lane.ask("EXISTS", self._keyspace.pair(pair)),
            *(self._lane.ask("HEXISTS", self._keyspace.slot(pair, role), "sid") for role in Role),
        )
        return frozenset(role for role, held_now in zip(Role, held, strict=True) if known and held_now)

    async def usage(self, pair: PairId) -> Usage:
        day = self._day()
        used = await self._lane.ask("MGET", self._keyspace.used(pair, day), self._keyspace.used(pair, month_of(day)))
        return self._usage(*(int(period_bytes or 0) for period_bytes in used))

    async def all(self) -> AsyncIterator[PairInfo]:
        """Iterate over all pairs; while there come to be more or fewer, one may be named twice."""
        async for key in scan(self._lane, self._keyspace.pair("*")):
            info = await self._info(self._keyspace.uid_of(key))
            if info is not None:
                yield info

    async def _info(self, pair: PairId) -> PairInfo | None:
        ask, key = self._lane.ask, self._keyspace.pair(pair)
        (created_ms, shown), expires_ms, connected, usage = await asyncio.gather(
            ask("HMGET", key, "created_ms", "shown"), ask("PEXPIRETIME", key), self.connected(pair), self.usage(pair)
        )
        if created_ms is None:
            return None  # gone since it was found
        return PairInfo(pair, shown.decode(), int(created_ms), max(0, expires_ms), connected, usage)

    def _day(self) -> str:
        return day_of(self._clock.now_ms())

    def _usage(self, daily_bytes: int, monthly_bytes: int) -> Usage:
        return Usage(self._allowances.daily_bytes, daily_bytes, self._allowances.monthly_bytes, monthly_bytes)
