"""What a session is told unasked."""

from dataclasses import dataclass

from exchange.core.ids import Offset
from exchange.core.model import Envelope, Link


@dataclass(frozen=True, slots=True)
class Greeted:
    """The connection is open (MAGI-6)."""

    client: str


@dataclass(frozen=True, slots=True)
class FriendCame:
    """A friendship stands now: made by an invitation, or restored after a quick reconnect (MAGI-24, MAGI-32)."""

    link: Link


@dataclass(frozen=True, slots=True)
class FriendWent:
    """A friendship ended (MAGI-31)."""

    name: str
    nick: str


@dataclass(frozen=True, slots=True)
class FriendChanged:
    """A persistent friend came, went, or says something else of itself; the friendship stands (MAGI-47)."""

    link: Link


@dataclass(slots=True)
class Delivered:
    """An envelope of a friend. Made once a message: not frozen (see ``commands.Send``).

    ``offset`` is its place in the mailbox, empty on the live tier.
    """

    envelope: Envelope
    name: str
    nick: str
    offset: Offset = ""


@dataclass(frozen=True, slots=True)
class MailLost:
    """The store lost what it had accepted since ``since_ms``: send again what has no final state (DEL-36)."""

    since_ms: int


@dataclass(frozen=True, slots=True)
class Draining:
    """This node goes away: resume elsewhere at a random moment between the two, in ms from now (DEL-48)."""

    after_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class PeerCame:
    """The other side of the pairing has a new connection (CORAL-11)."""


@dataclass(frozen=True, slots=True)
class PeerWent:
    """The other side of the pairing is gone (CORAL-14)."""


@dataclass(slots=True)
class Relayed:
    """A frame of the other side, as it sent it. Made once a message: not frozen."""

    frame: bytes


Event = (
    Greeted | FriendCame | FriendWent | FriendChanged | Delivered | MailLost | Draining | PeerCame | PeerWent | Relayed
)
