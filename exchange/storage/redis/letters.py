"""What stands in mailboxes, beside them, and in histories: read here, written by the Lua files and, records, here.

A letter is an entry of a stream. Its fields come in the order in which ``append.lua`` writes them, so that scripts find
them by their place: sender, id, kind, until_ms, prev, envelope.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from exchange.core.ids import Uid
from exchange.core.model import Fate, Letter, Record, Undelivered
from exchange.storage.parcel import unpack
from exchange.storage.redis.records import VERSION


class _FateRecord(NamedTuple):
    """How a letter ended, without its offset, which is the field it stands in."""

    version: int
    fate: Fate
    kind: int
    sender: Uid
    id: str


class _HistoryRecord(NamedTuple):
    """A record without its offset, which is that of its entry."""

    version: int
    at_ms: int
    mine: bool
    kind: int
    id: str
    reply_to: str
    body: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode_fate = msgspec.msgpack.Decoder(_FateRecord).decode
_decode_history = msgspec.msgpack.Decoder(_HistoryRecord).decode


def unpack_letter(entry: tuple[bytes, Sequence[bytes]]) -> Letter | None:
    """Return the letter of an entry, or ``None`` if its layout is unknown here."""
    offset, fields = entry
    until_ms, parcel = int(fields[7]), fields[11]
    try:
        return Letter(offset.decode(), unpack(parcel), until_ms, len(parcel))
    except msgspec.DecodeError:
        return None


def unpack_fate(offset: bytes, record: bytes) -> Undelivered | None:
    """Return the fate in the field of ``offset``, or ``None`` if its layout is unknown here."""
    try:
        version, fate, kind, sender, id_ = _decode_fate(record)
    except msgspec.DecodeError:
        return None
    return Undelivered(offset.decode(), fate, kind, sender, id_) if version == VERSION else None


def pack_record(record: Record) -> bytes:
    """Pack a record of a history."""
    one = _HistoryRecord(VERSION, record.at_ms, record.mine, int(record.kind), record.id, record.reply_to, record.body)
    return _encode(one)


def unpack_record(offset: bytes, packed: bytes) -> Record | None:
    """Return the record at an offset of a history, or ``None`` if its layout is unknown here."""
    try:
        version, at_ms, mine, kind, id_, reply_to, body = _decode_history(packed)
    except msgspec.DecodeError:
        return None
    return Record(at_ms, offset.decode(), mine, kind, id_, reply_to, body) if version == VERSION else None
