"""What a session is told unasked."""

from dataclasses import dataclass

from exchange.core.model import Envelope


@dataclass(frozen=True, slots=True)
class Greeted:
    """The connection is open (MAGI-6)."""

    client: str


@dataclass(frozen=True, slots=True)
class FriendCame:
    """A friendship stands now: made by an invitation, or restored after a quick reconnect (MAGI-24, MAGI-32)."""

    connection: str
    name: str
    nick: str


@dataclass(frozen=True, slots=True)
class FriendWent:
    """A friendship ended (MAGI-31)."""

    name: str
    nick: str


@dataclass(slots=True)
class Delivered:
    """An envelope of a friend. Made once a message: not frozen (see ``commands.Send``)."""

    envelope: Envelope
    name: str
    nick: str


Event = Greeted | FriendCame | FriendWent | Delivered
