"""Two ends joined by a token: a phone and an agent, each of which may be anywhere (DEL-40, CORAL-24).

A pair has two slots, one for each role. A slot has at most one current connection in the cluster: its *end*, known by a
number that grows with every successful authentication. What travels on a slot's channel names the number it was made for,
so that nothing meant for one connection reaches the next.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import NamedTuple

PairId = str
"""A keyed hash of the pairing token: 32 hexadecimal characters. Never shown to a client."""


class Role(StrEnum):
    """Which of the two a connection is."""

    PHONE = "phone"
    AGENT = "agent"

    @property
    def other(self) -> "Role":
        """The role of the peer."""
        return Role.AGENT if self is Role.PHONE else Role.PHONE


class End(NamedTuple):
    """One connection's place in a pair. ``number`` says whether it is still the current one of its slot."""

    pair: PairId
    role: Role
    number: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes that a pair passed on today and this month (UTC), both directions together, and how many it may (CORAL-22)."""

    daily_quota_bytes: int
    daily_used_bytes: int
    monthly_quota_bytes: int
    monthly_used_bytes: int


@dataclass(frozen=True, slots=True)
class PairInfo:
    """What operators see of a pair. ``shown`` is the beginning of its token; ``expires_ms`` is 0 for never."""

    pair: PairId
    shown: str
    created_ms: int
    expires_ms: int
    connected: frozenset[Role]
    usage: Usage


class Passing(Enum):
    """What became of one frame, in the order in which it is checked (CORAL-19)."""

    OLD = "old"  # its sender is not the current connection of its slot any more: dropped
    RATE = "rate"  # no token was left in the slot's bucket; only this outcome and OLD take none
    DAY = "day"  # the daily quota was used up before this frame
    MONTH = "month"
    OFFLINE = "offline"  # the peer has no current connection, or nobody listens for it
    BUSY = "busy"  # the peer's queue is full
    PASSED = "passed"  # on its way to the peer; its bytes are counted


# --- what arrives on a slot's channel, in order ----------------------------------------------------------------------


class PassedOn(NamedTuple):
    """A frame of the peer for the end ``number``. ``back`` is the number of the sender's end if it wants to hear that the
    frame was handed to the socket, else 0."""

    number: int
    back: int
    frame: bytes


class PeerUp(NamedTuple):
    """The peer has a new current connection; told to the end ``number`` (CORAL-11)."""

    number: int


class PeerDown(NamedTuple):
    """The peer's current connection ended without a successor; told to the end ``number`` (CORAL-14)."""

    number: int


class HandedOver(NamedTuple):
    """The large frame that the end ``number`` sent last was handed to the peer's socket."""

    number: int


class Superseded(NamedTuple):
    """The end ``number`` is current now: every older one of this slot is over (CORAL-25)."""

    number: int


class Revoked(NamedTuple):
    """The token was deleted: every end of this slot is over (CORAL-27)."""


SlotWake = PassedOn | PeerUp | PeerDown | HandedOver | Superseded | Revoked
