"""What stands in the values of the keyspace and in wakes: MessagePack arrays, packed here and in the Lua files.

A stored record begins with the version of its layout. A reader that meets a newer one gets ``None``, leaves it alone and
counts it: during a rolling update the releases share the store. The scripts write and read two more layouts of their own:

* an ended link: the link record, then the end of its grace in ms, then whether it was only set aside;
* a session: version, generation, node, dialect, and the peers that opening it restored, all and waiting ones.

A wake has no version: its first byte names its kind, and an unknown one is ignored like a newer record. What arrives on the
channel of a slot begins with such a byte, too; numbers follow in decimal, and a frame as it is.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from exchange.core.ids import Uid
from exchange.core.model import Envelope, Link, Presence, Profile
from exchange.core.pairs import HandedOver, PassedOn, PeerDown, PeerUp, Revoked, SlotWake, Superseded
from exchange.core.wakes import Linked, Mail, Replaced, Unlinked, Wake
from exchange.storage.parcel import unpack

VERSION = 1


class _LinkRecord(NamedTuple):
    """A link without its peer, which is the field it stands in, and whether its user has not heard of it yet.

    Lists are one text each: an empty one has no certain type in Lua.
    """

    version: int
    connection: str
    name: str
    nick: str
    made: int
    waiting: bool
    persist: bool
    features: str
    status: str
    capabilities: str
    stamp: int
    unseen: bool


class _LinkedRecord(NamedTuple):
    """A changed link in a wake: its revisions, and the link record without version and ``unseen``."""

    rev: int
    prev: int
    announce: bool
    peer: Uid
    connection: str
    name: str
    nick: str
    made: int
    waiting: bool
    persist: bool
    features: str
    status: str
    capabilities: str
    stamp: int


class _PresenceRecord(NamedTuple):
    """A presence without its session id, which is the field it stands in, and without an address."""

    version: int
    uid: Uid
    name: str
    node: str
    dialect: str
    former: str = ""
    role: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decode_link = msgspec.msgpack.Decoder(_LinkRecord).decode
_decode_linked = msgspec.msgpack.Decoder(_LinkedRecord).decode
_decode_presence = msgspec.msgpack.Decoder(_PresenceRecord).decode
_decode_list = msgspec.json.Decoder(tuple[str, ...]).decode


def _unpack_linked(payload: memoryview) -> Linked:
    linked = _decode_linked(payload)
    features, capabilities = tuple(linked.features.split()), unpack_list(linked.capabilities)
    return Linked(*linked[:10], features, linked.status, capabilities, linked.stamp)


def _unpack_mail(payload: memoryview) -> Mail:
    epoch, prev, offset, parcel = payload.tobytes().split(b" ", 3)
    return Mail(epoch.decode(), prev.decode(), offset.decode(), unpack(parcel) if parcel else None)


_DECODE_WAKE: dict[int, Callable[[memoryview], Wake]] = {
    ord("E"): msgspec.msgpack.Decoder(Envelope).decode,
    ord("L"): _unpack_linked,
    ord("M"): _unpack_mail,
    ord("U"): msgspec.msgpack.Decoder(Unlinked).decode,
    ord("R"): msgspec.msgpack.Decoder(Replaced).decode,
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
    except (msgspec.DecodeError, ValueError):
        return None


def pack_array(*values: object) -> bytes:
    """Pack arguments of a script that belong together as one: a script takes at most six."""
    return _encode(values)


def pack_list(texts: Sequence[str]) -> str:
    """Write texts as one text; no text for none."""
    return msgspec.json.encode(texts).decode() if texts else ""


def unpack_list(text: str) -> tuple[str, ...]:
    """Return what :func:`pack_list` was given."""
    return _decode_list(text) if text else ()


def pack_profile(profile: Profile) -> bytes:
    """Pack a profile for a script, which stores it field by field."""
    features, capabilities = " ".join(sorted(profile.features)), pack_list(profile.capabilities)
    return pack_array(profile.name, profile.nick, features, profile.status, capabilities)


def pack_link(link: Link, *, unseen: bool = False) -> bytes:
    """Pack a link for the field of its peer."""
    return _encode(
        _LinkRecord(
            VERSION,
            link.connection,
            link.name,
            link.nick,
            link.made,
            link.waiting,
            link.persist,
            " ".join(sorted(link.features)),
            link.status,
            pack_list(link.capabilities),
            link.stamp,
            unseen,
        )
    )


def unpack_link(peer: bytes, record: bytes) -> Link | None:
    """Return the link in the field of ``peer``, or ``None`` if its layout is unknown here."""
    try:
        link = _decode_link(record)
        capabilities = unpack_list(link.capabilities)
    except msgspec.DecodeError:
        return None
    if link.version != VERSION:
        return None
    return Link(
        peer.decode(),
        link.connection,
        link.name,
        link.nick,
        link.made,
        link.waiting,
        link.persist,
        frozenset(link.features.split()),
        link.status,
        capabilities,
        link.stamp,
    )


def unpack_links(fields: Sequence[bytes]) -> tuple[tuple[Link, ...], int]:
    """Return the links of a table, which comes as peer, record, peer, record; and how many have an unknown layout."""
    read = [unpack_link(peer, record) for peer, record in zip(fields[::2], fields[1::2], strict=True)]
    links = tuple(link for link in read if link is not None)
    return links, len(read) - len(links)


def pack_presence(presence: Presence) -> bytes:
    """Pack a presence for the field of its session. Its address is left out: no store keeps one."""
    user = (VERSION, presence.uid, presence.name, presence.node, presence.dialect, presence.former)
    # A release that knows no roles still reads all presences that have none.
    return _encode((*user, presence.role) if presence.role else user)


def unpack_presence(sid: bytes, record: bytes) -> Presence | None:
    """Return the presence in the field of ``sid``, without an address; ``None`` if its layout is unknown here."""
    try:
        version, uid, name, node, dialect, former, role = _decode_presence(record)
    except msgspec.DecodeError:
        return None
    return Presence(sid.decode(), uid, name, node, dialect, "", former, role) if version == VERSION else None


def _unpack_frame(payload: bytes) -> PassedOn:
    # One copy: a frame may be large.
    number, back, frame = payload.split(b" ", 2)
    return PassedOn(int(number[1:]), int(back), frame)


_DECODE_SLOT_WAKE: dict[int, Callable[[bytes], SlotWake]] = {
    ord("F"): _unpack_frame,
    ord("U"): lambda payload: PeerUp(int(payload[1:])),
    ord("D"): lambda payload: PeerDown(int(payload[1:])),
    ord("H"): lambda payload: HandedOver(int(payload[1:])),
    ord("S"): lambda payload: Superseded(int(payload[1:])),
    ord("R"): lambda _payload: Revoked(),
}


def pack_handed_over(number: int) -> bytes:
    """Pack the one wake of a slot that no script makes."""
    return b"H%d" % number


def unpack_slot_wake(payload: bytes) -> SlotWake | None:
    """Return what arrived for a slot, or ``None`` if its kind or layout is unknown here."""
    decode = _DECODE_SLOT_WAKE.get(payload[0]) if payload else None
    try:
        return decode(payload) if decode is not None else None
    except ValueError:
        return None
