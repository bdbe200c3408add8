"""Histories in memory."""

from dataclasses import replace

from exchange.core.ids import NOWHERE, Offset, Uid, order
from exchange.core.model import Record
from exchange.storage.memory.state import Memory


class Histories:
    """Implements ``exchange.ports.Histories``."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def add(self, uid: Uid, connection: str, record: Record, *, keep_ms: int) -> None:
        await self._memory.reach()
        now_ms = self._memory.now_ms()
        before = self._memory.histories.get((uid, connection), [])
        records = [record for record in before if order(record.offset)[0] >= now_ms - keep_ms]
        last_ms, number = order(records[-1].offset if records else NOWHERE)
        offset = f"{now_ms}-0" if now_ms > last_ms else f"{last_ms}-{number + 1}"
        self._memory.histories[uid, connection] = [*records, replace(record, offset=offset)]

    async def read(self, uid: Uid, connection: str, before: Offset, *, count: int) -> tuple[tuple[Record, ...], bool]:
        await self._memory.reach()
        records = self._memory.histories.get((uid, connection), [])
        older = [record for record in records if not before or order(record.offset) < order(before)]
        page = older[max(0, len(older) - count) :]
        return tuple(page), len(page) < len(older)

    async def drop(self, uid: Uid, connection: str) -> None:
        await self._memory.reach()
        self._memory.histories.pop((uid, connection), None)

    async def trim(self, *, before_ms: int) -> int:
        await self._memory.reach()
        count = 0
        for history, records in tuple(self._memory.histories.items()):
            kept = [record for record in records if order(record.offset)[0] >= before_ms]
            count += len(records) - len(kept)
            self._memory.histories[history] = kept
            if not kept:
                del self._memory.histories[history]
        return count
