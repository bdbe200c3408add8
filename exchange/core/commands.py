"""What a session can ask, whatever its wire, and what answers it.

A command carries the type of its reply, so that ``Exchange.handle`` has a type for every command. Text in a command is in
canonical form already; ``None`` stands for "missing or unusable", and the handler that needs the value refuses it, in the
order that the wire fixes.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from exchange.core.ids import Offset
from exchange.core.model import Kind, Link, Record
from exchange.core.pairs import Role, Usage

R = TypeVar("R", covariant=True)


class Command(Generic[R]):
    """One request of a session. ``id`` makes a repeat harmless (MAGI-45); empty if the client gave none."""

    __slots__ = ()

    id: str


@dataclass(frozen=True, slots=True)
class Identified:
    """The session is this user now. ``features`` are the granted ones, ``None`` if none were asked for.

    ``token`` proves next time who comes back; only with ``resume``, and only now (MAGI-46).
    """

    name: str
    nick: str
    features: frozenset[str] | None = None
    token: str = ""


@dataclass(frozen=True, slots=True)
class InviteCreated:
    """An invitation is open. ``life_ms`` is its whole life, ``expires_ms`` its end."""

    code: str
    nick: str
    life_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A friendship stands. ``identified`` is set if the request identified the session first."""

    link: Link
    identified: Identified | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The message was handed to the node that holds its recipient, or is stored for it.

    ``status`` is empty on the live tier; of a stored message ``delivered`` if a node holds its recipient, else ``queued``.
    """

    kind: int
    nick: str
    status: str = ""


DELIVERED = "delivered"
QUEUED = "queued"


@dataclass(frozen=True, slots=True)
class Acked:
    """The mailbox may forget it. No wire says anything to this."""


@dataclass(frozen=True, slots=True)
class FriendList:
    """All friendships of the session's user, by age, oldest first."""

    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Unfriended:
    """The friendship has ended on both sides."""

    name: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """This user can become no friend any more; a friendship has ended."""

    name: str


@dataclass(frozen=True, slots=True)
class Unblocked:
    """This user may become a friend again."""

    name: str


@dataclass(frozen=True, slots=True)
class PresenceUpdated:
    """Friends see the new status."""

    status: str
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Part of a history, oldest first. ``more`` tells whether there is older to be had, before the first one here."""

    connection: str
    records: tuple[Record, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Confirmed:
    """This user may redeem the invitation now."""

    name: str


@dataclass(frozen=True, slots=True)
class Attended:
    """The session is the current connection of its slot now. ``paired`` tells whether the peer is there (CORAL-9)."""

    paired: bool
    usage: Usage


@dataclass(frozen=True, slots=True)
class Passed:
    """The frame is on its way to the peer, or was dropped because its sender was replaced. No wire says anything to this."""


@dataclass(frozen=True, slots=True)
class Ponged:
    """The exchange is there."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing was asked, and nothing is said."""


Reply = (
    Identified
    | InviteCreated
    | Redeemed
    | Sent
    | Acked
    | FriendList
    | Unfriended
    | Blocked
    | Unblocked
    | PresenceUpdated
    | HistoryPage
    | Confirmed
    | Attended
    | Passed
    | Ponged
    | Ignored
)


@dataclass(frozen=True, slots=True)
class Identify(Command[Identified]):
    """Claim a name for this session, or change its nickname (MAGI-17 to MAGI-19).

    ``features`` are the wanted ones; ``token`` proves that the name was this client's before (MAGI-46).
    """

    id: str = ""
    name: str | None = None
    nick: str = ""
    features: frozenset[str] | None = None
    token: str = ""


@dataclass(frozen=True, slots=True)
class CreateInvite(Command[InviteCreated]):
    """Open an invitation (MAGI-20).

    ``characters`` is the wished length of its code, 0 for the usual one; ``for_name`` the only user who may redeem it, if
    set; with ``confirm`` the inviter has to agree to whoever wants to.
    """

    id: str = ""
    characters: int = 0
    for_name: str = ""
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class Redeem(Command[Redeemed]):
    """Use an invitation code, after an optional identify (MAGI-22 to MAGI-24)."""

    id: str = ""
    code: str | None = None
    identify: Identify | None = None


@dataclass(slots=True)
class Send(Command[Sent]):
    """Pass a question or an answer to a friend (MAGI-25, MAGI-26).

    ``to`` is empty for "any friend"; ``body`` is ``None`` if there was no content, and ``characters`` its
    length as logs count it. Not frozen, because it is made once a
    message and a frozen one costs three times as much to make.
    """

    id: str = ""
    kind: int = Kind.QUESTION
    to: str = ""
    body: bytes | None = None
    characters: int = 0
    reply_to: str = ""
    trace: tuple[str, ...] = ()
    expires_ms: int = 0


@dataclass(frozen=True, slots=True)
class Ack(Command[Acked]):
    """Everything up to ``upto`` is safe with the client (DEL-37). ``None``: no offset was given."""

    id: str = ""
    upto: Offset | None = None


@dataclass(frozen=True, slots=True)
class ListFriends(Command[FriendList]):
    """Ask for one's own friends."""

    id: str = ""


@dataclass(frozen=True, slots=True)
class Unfriend(Command[Unfriended]):
    """End a friendship for good."""

    id: str = ""
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Block(Command[Blocked]):
    """End a friendship, if there is one, and allow none with this user from now on."""

    id: str = ""
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Unblock(Command[Unblocked]):
    """Allow friendships with this user again."""

    id: str = ""
    name: str | None = None


@dataclass(frozen=True, slots=True)
class SetPresence(Command[PresenceUpdated]):
    """Say something else of oneself; ``None`` leaves it as it is."""

    id: str = ""
    status: str | None = None
    capabilities: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ReadHistory(Command[HistoryPage]):
    """Ask for what was said in a friendship, ``most`` messages before ``before`` (empty: the newest)."""

    id: str = ""
    connection: str | None = None
    before: Offset = ""
    most: int = 0


@dataclass(frozen=True, slots=True)
class Confirm(Command[Confirmed]):
    """Let a user redeem an invitation that asks for its inviter's agreement."""

    id: str = ""
    code: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Attend(Command[Attended]):
    """Become the current connection of a slot (CORAL-6). ``token`` is ``None`` if nothing was given that could be one."""

    id: str = ""
    token: str | None = None
    role: str = ""


@dataclass(slots=True)
class PassOn(Command[Passed]):
    """Pass a frame on to the peer as it is (CORAL-4). ``only`` is the one role that may send it, if not both may.

    Not frozen: made once a message (see ``Send``).
    """

    id: str = ""
    frame: bytes = b""
    only: Role | None = None


@dataclass(frozen=True, slots=True)
class Ping(Command[Ponged]):
    """Ask whether the exchange is there."""

    id: str = ""


@dataclass(frozen=True, slots=True)
class Ignore(Command[Ignored]):
    """Something that a client may say and that asks for nothing."""

    id: str = ""
