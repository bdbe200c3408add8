"""The channels of slots in memory."""

import asyncio

from exchange.core.errors import StorageUnavailable
from exchange.core.pairs import End, HandedOver, PairId, PassedOn, Passing, Role, SlotWake
from exchange.ports import Allowances, PassReceipt, SlotListener
from exchange.storage.memory.buckets import pay
from exchange.storage.memory.state import Memory
from exchange.storage.periods import day_of, month_of


class Slots:
    """Implements ``exchange.ports.Slots`` for one simulated node.

    Wakes and receipts go through the event loop, as they would through a socket: nothing is called inside ``pass_on``.
    """

    def __init__(self, state: Memory, allowances: Allowances) -> None:
        self._state = state
        self._allowances = allowances
        self._places: set[tuple[PairId, Role]] = set()
        self._listener: SlotListener | None = None
        self._heard_ms = state.now_ms()

    def attend(self, listener: SlotListener) -> None:
        self._listener = listener

    async def listen(self, pair: PairId, role: Role) -> None:
        await self._state.reach()
        self._places.add((pair, role))
        self._state.slot_listeners.setdefault((pair, role), {})[self] = self._hear

    def forget(self, pair: PairId, role: Role) -> None:
        self._places.discard((pair, role))
        nodes = self._state.slot_listeners.get((pair, role), {})
        nodes.pop(self, None)
        if not nodes:
            self._state.slot_listeners.pop((pair, role), None)

    def pass_on(self, end: End, frame: bytes, receipt: PassReceipt, *, handed: bool = False) -> None:
        loop = asyncio.get_running_loop()
        if self._state.down:
            loop.call_soon(receipt, StorageUnavailable(sent=False))
        else:
            loop.call_soon(receipt, self._pass(end, frame, back=end.number if handed else 0))

    def _pass(self, end: End, frame: bytes, *, back: int) -> Passing:
        state, allowances, (pair, role, number) = self._state, self._allowances, end
        own, peer = state.slot(pair, role), state.slot(pair, role.other)
        if own.number != number or not own.sid:
            return Passing.OLD
        if pay(state, pair, role, allowances.per_minute(role), allowances.burst(role)):
            return Passing.RATE
        day = day_of(state.now_ms())
        month = month_of(day)
        checks = (
            (Passing.DAY, state.used.get((pair, day), 0) >= allowances.daily_bytes),
            (Passing.MONTH, state.used.get((pair, month), 0) >= allowances.monthly_bytes),
            (Passing.OFFLINE, not peer.sid),
            (Passing.BUSY, peer.busy),
        )
        for word, fails in checks:
            if fails:
                return word
        if not state.tell_slot(pair, role.other, PassedOn(peer.number, back, frame)):
            return Passing.OFFLINE
        for period in (day, month):
            state.used[pair, period] = state.used.get((pair, period), 0) + len(frame)
        return Passing.PASSED

    def hand_over(self, pair: PairId, role: Role, number: int) -> None:
        if not self._state.down:
            self._state.tell_slot(pair, role, HandedOver(number))

    async def mark(self, end: End, *, busy: bool) -> None:
        await self._state.reach()
        slot = self._state.slot(end.pair, end.role)
        if slot.sid and slot.number == end.number:
            slot.busy = busy

    def silent_seconds(self) -> float:
        now_ms = self._state.now_ms()
        if not self._state.down:
            self._heard_ms = now_ms
        return (now_ms - self._heard_ms) / 1000

    def _hear(self, pair: PairId, role: Role, wake: SlotWake) -> None:
        asyncio.get_running_loop().call_soon(self._wake, pair, role, wake)

    def _wake(self, pair: PairId, role: Role, wake: SlotWake) -> None:
        if self._listener is not None and (pair, role) in self._places:
            self._listener.heard(pair, role, wake)
