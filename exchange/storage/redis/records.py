"""What stands in the values of the keyspace and in wakes: MessagePack arrays, packed here and in the Lua files.

A stored record begins with the version of its layout. A reader that meets a newer one gets ``None``, leaves it alone and
counts it: during a rolling update the releases share the store. The scripts write and read two more layouts of their own:

* an ended link: the link record, then the end of its grace in ms, then whether its user has not seen it yet;
* a session: version, generation, node, dialect, and the peers that opening it restored, all and waiting ones.

A wake has no version: its first byte names its kind, and an unknown one is ignored like a newer record.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from exchange.core.ids import Uid
from exchange.core.model import Envelope, Link, Presence
from exchange.core.wakes import Linked, Unlinked, Wake

VERSION = 1


class _LinkRecord(NamedTuple):
    """A link without its peer, which is the field it stands in."""

    version: int
    connection: str
    name: str
    nick: str
    made: int
    waiting: bool


class _PresenceRecord(NamedTuple):
    """A presence without its session id, which is the field it stands in, and without an address."""

    version: int
    uid: Uid
    name: str
    node: str
    dialect: str


_encode = msgspec.msgpack.Encoder().encode
_decode_link = msgspec.msgpack.Decoder(_LinkRecord).decode
_decode_presence = msgspec.msgpack.Decoder(_PresenceRecord).decode

_DECODE_WAKE: dict[int, Callable[[memoryview], Wake]] = {
    ord("E"): msgspec.msgpack.Decoder(Envelope).decode,
    ord("L"): msgspec.msgpack.Decoder(Linked).decode,
    ord("U"): msgspec.msgpack.Decoder(Unlinked).decode,
}


def pack_envelope(envelope: Envelope) -> bytes:
    """Pack an envelope as a wake."""
    return b"E" + _encode(envelope)


def unpack_wake(payload: bytes) -> Wake | None:
    """Return a wake, or ``None`` if its kind or layout is unknown here."""
    decode = _DECODE_WAKE.get(payload[0]) if payload else None
    if decode is None:
        return None
    try:
        return decode(memoryview(payload)[1:])
    except msgspec.DecodeError:
        return None


def pack_link(link: Link) -> bytes:
    """Pack a link for the field of its peer."""
    return _encode(_LinkRecord(VERSION, link.connection, link.name, link.nick, link.made, link.waiting))


def unpack_link(peer: bytes, record: bytes) -> Link | None:
    """Return the link in the field of ``peer``, or ``None`` if its layout is unknown here."""
    try:
        version, connection, name, nick, made, waiting = _decode_link(record)
    except msgspec.DecodeError:
        return None
    return Link(peer.decode(), connection, name, nick, made, waiting) if version == VERSION else None


def unpack_links(fields: Sequence[bytes]) -> tuple[tuple[Link, ...], int]:
    """Return the links of a table, which comes as peer, record, peer, record; and how many have an unknown layout."""
    read = [unpack_link(peer, record) for peer, record in zip(fields[::2], fields[1::2], strict=True)]
    links = tuple(link for link in read if link is not None)
    return links, len(read) - len(links)


def pack_presence(presence: Presence) -> bytes:
    """Pack a presence for the field of its session. Its address is left out: no store keeps one."""
    return _encode(_PresenceRecord(VERSION, presence.uid, presence.name, presence.node, presence.dialect))


def unpack_presence(sid: bytes, record: bytes) -> Presence | None:
    """Return the presence in the field of ``sid``, without an address; ``None`` if its layout is unknown here."""
    try:
        version, uid, name, node, dialect = _decode_presence(record)
    except msgspec.DecodeError:
        return None
    return Presence(sid.decode(), uid, name, node, dialect, address="") if version == VERSION else None
