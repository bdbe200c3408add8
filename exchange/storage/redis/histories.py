"""Histories on Redis: one stream for each side of a friendship."""

from exchange.core.ids import Offset, Uid
from exchange.core.model import Record
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.letters import pack_record, unpack_record
from exchange.storage.redis.scan import scan
from exchange.storage.redis.scripts import ADD_RECORD


class Histories:
    """Implements ``exchange.ports.Histories`` (MAGI-49)."""

    def __init__(self, lane: Lane, keyspace: Keyspace) -> None:
        self._lane = lane
        self._keyspace = keyspace
        self.unknown_records = 0
        """Records of a newer release that were left out."""

    async def add(self, uid: Uid, connection: str, record: Record, *, keep_ms: int) -> None:
        keys = (self._keyspace.history(uid, connection),)
        await self._lane.ask_script(ADD_RECORD, keys, (pack_record(record), keep_ms))

    async def read(self, uid: Uid, connection: str, before: Offset, *, count: int) -> tuple[tuple[Record, ...], bool]:
        key = self._keyspace.history(uid, connection)
        newest = f"({before}" if before else "+"
        entries = await self._lane.ask("XREVRANGE", key, newest, "-", "COUNT", count + 1)
        read = [unpack_record(offset, record) for offset, (_, record) in reversed(entries[:count])]
        records = tuple(record for record in read if record is not None)
        self.unknown_records += len(read) - len(records)
        return records, len(entries) > count

    async def drop(self, uid: Uid, connection: str) -> None:
        await self._lane.ask("UNLINK", self._keyspace.history(uid, connection))

    async def trim(self, *, before_ms: int) -> int:
        count = 0
        async for key in scan(self._lane, self._keyspace.history("*", "*")):
            # What is emptied goes by itself, as long after its last record as records are kept.
            count += await self._lane.ask("XTRIM", key, "MINID", before_ms)
        return count
