"""What a session can ask, whatever its wire, and what answers it.

A command carries the type of its reply, so that ``Exchange.handle`` has a type for every command. Text in a command is in
canonical form already; ``None`` stands for "missing or unusable", and the handler that needs the value refuses it, in the
order that the wire fixes.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from exchange.core.model import Kind

R = TypeVar("R", covariant=True)


class Command(Generic[R]):
    """One request of a session. ``id`` makes a repeat harmless (MAGI-45); empty if the client gave none."""

    __slots__ = ()

    id: str


@dataclass(frozen=True, slots=True)
class Identified:
    """The session is this user now. ``features`` are the granted ones, ``None`` if none were asked for."""

    name: str
    nick: str
    features: frozenset[str] | None = None


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

    connection: str
    friend_name: str
    friend_nick: str
    identified: Identified | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The message was handed to the node that holds its recipient."""

    kind: int
    nick: str


Reply = Identified | InviteCreated | Redeemed | Sent


@dataclass(frozen=True, slots=True)
class Identify(Command[Identified]):
    """Claim a name for this session, or change its nickname (MAGI-17 to MAGI-19)."""

    id: str = ""
    name: str | None = None
    nick: str = ""
    features: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class CreateInvite(Command[InviteCreated]):
    """Open an invitation (MAGI-20)."""

    id: str = ""


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
