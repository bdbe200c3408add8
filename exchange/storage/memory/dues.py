"""Whose mailboxes are to be looked at, in memory."""

from collections.abc import AsyncIterator

from exchange.core.ids import Uid
from exchange.storage.memory.state import Memory


class Dues:
    """Implements ``exchange.ports.Dues``."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def note(self, uid: Uid, at_ms: int) -> None:
        await self._memory.reach()
        self._note(uid, at_ms)

    async def due(self, *, count: int) -> tuple[tuple[Uid, int], ...]:
        await self._memory.reach()
        now_ms = self._memory.now_ms()
        come = [(uid, at_ms) for uid, at_ms in self._memory.dues.items() if at_ms <= now_ms]
        return tuple(sorted(come, key=lambda due: due[1])[:count])

    async def settle(self, uid: Uid, seen_ms: int, next_ms: int) -> None:
        await self._memory.reach()
        if self._memory.dues.get(uid) == seen_ms:
            del self._memory.dues[uid]
        if next_ms > 0:
            self._note(uid, next_ms)

    async def owners(self) -> AsyncIterator[Uid]:
        await self._memory.reach()
        for uid, box in tuple(self._memory.boxes.items()):
            if box.letters or box.parked or box.fates:
                yield uid

    def _note(self, uid: Uid, at_ms: int) -> None:
        self._memory.dues[uid] = min(at_ms, self._memory.dues.get(uid, at_ms))
