"""Pairs and their slots in memory."""

import hashlib
from collections.abc import AsyncIterator

from exchange.core.pairs import PairId, PairInfo, PeerDown, PeerUp, Revoked, Role, Superseded, Usage
from exchange.ports import Allowances, Entered
from exchange.storage.memory.state import Memory, Pair, Slot
from exchange.storage.periods import day_of, month_of

SHOWN_CHARACTERS = 16
WINDOW_MS = 60_000


class Pairs:
    """Implements ``exchange.ports.Pairs`` for one simulated node."""

    def __init__(self, state: Memory, allowances: Allowances) -> None:
        self._state = state
        self._allowances = allowances

    def pair_of(self, token: str) -> PairId:
        return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    async def create(self, token: str, *, ttl_ms: int = 0) -> PairId:
        pair = self.pair_of(token)
        await self._state.reach()
        if self._state.pair(pair) is None:
            now_ms = self._state.now_ms()
            self._state.pairs[pair] = Pair(token[:SHOWN_CHARACTERS], now_ms, now_ms + ttl_ms if ttl_ms else 0)
        return pair

    async def exists(self, pair: PairId) -> bool:
        await self._state.reach()
        return self._state.pair(pair) is not None

    async def delete(self, pair: PairId) -> bool:
        await self._state.reach()
        existed = self._state.pair(pair) is not None
        self._state.pairs.pop(pair, None)
        for role in Role:
            self._free(pair, role)
            self._state.tell_slot(pair, role, Revoked())
        return existed

    async def enter(self, pair: PairId, role: Role, sid: str, node: str) -> Entered | None:
        await self._state.reach()
        if self._state.pair(pair) is None:
            return None
        slot, peer = self._state.slot(pair, role), self._state.slot(pair, role.other)
        now_ms = self._state.now_ms()
        running = now_ms - slot.replaced_ms < WINDOW_MS
        count, since_ms = (slot.replaced_count, slot.replaced_ms) if running else (0, 0)
        number = slot.number
        if slot.sid != sid:
            if slot.sid:
                count, since_ms = count + 1, since_ms or now_ms
            number = max(now_ms * 1000, number + 1)
            self._state.slots[pair, role] = Slot(number, sid, node, replaced_count=count, replaced_ms=since_ms)
            if peer.sid:
                self._state.tell_slot(pair, role.other, PeerUp(peer.number))
            self._state.tell_slot(pair, role, Superseded(number))
        return Entered(number, bool(peer.sid), self._usage(pair), count)

    async def leave(self, pair: PairId, role: Role, sid: str) -> bool:
        await self._state.reach()
        if not sid or self._state.slot(pair, role).sid != sid:
            return False
        self._free(pair, role)
        peer = self._state.slot(pair, role.other)
        if peer.sid:
            self._state.tell_slot(pair, role.other, PeerDown(peer.number))
        return True

    async def connected(self, pair: PairId) -> frozenset[Role]:
        await self._state.reach()
        return self._connected(pair)

    async def usage(self, pair: PairId) -> Usage:
        await self._state.reach()
        return self._usage(pair)

    async def all(self) -> AsyncIterator[PairInfo]:
        await self._state.reach()
        for pair in tuple(self._state.pairs):
            known = self._state.pair(pair)
            if known is not None:
                connected, usage = self._connected(pair), self._usage(pair)
                yield PairInfo(pair, known.shown, known.created_ms, known.expires_ms, connected, usage)

    def _free(self, pair: PairId, role: Role) -> None:
        if (pair, role) in self._state.slots:
            self._state.slots[pair, role] = Slot(self._state.slots[pair, role].number)

    def _connected(self, pair: PairId) -> frozenset[Role]:
        known = self._state.pair(pair) is not None
        return frozenset(role for role in Role if known and self._state.slot(pair, role).sid)

    def _usage(self, pair: PairId) -> Usage:
        day, used = day_of(self._state.now_ms()), self._state.used
        return Usage(
            self._allowances.daily_bytes,
            used.get((pair, day), 0),
            self._allowances.monthly_bytes,
            used.get((pair, month_of(day)), 0),
        )
