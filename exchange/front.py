"""The seams inside a front node: what a transport, a conversation and a dialect may rely on in each other.

::

    bytes -> Transport (Socket) -> Conversation -> Dialect -> Exchange.handle -> ports

A transport moves bytes and names no protocol; a dialect translates and does nothing else; differences between wires are
data that a dialect declares.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from exchange.core.commands import Command, Reply
from exchange.core.errors import ExchangeError, StorageUnavailable
from exchange.core.events import Event
from exchange.core.ids import Offset, Uid
from exchange.core.model import Link, MailState
from exchange.core.pairs import PairId, Passing, Role
from exchange.core.session import Session
from exchange.core.user import LocalUser


class Ending(Enum):
    """Why a connection ended, as metrics and logs say it (closed list)."""

    CLIENT = "client"  # the peer closed, or its connection broke
    LIVENESS = "liveness"  # neither pong nor data for too long (MAGI-5)
    SLOW_CONSUMER = "slow_consumer"  # it stopped reading
    IDLE = "idle"  # MAGI-33
    PROTOCOL = "protocol"  # RFC 6455 was broken
    SIZE = "size"  # MAGI-4, above the outer limit
    FLOOD = "flood"  # too many control frames
    DRAIN = "drain"  # we are shutting down
    REPLACED = "replaced"  # the session goes on elsewhere
    REFUSED = "refused"  # it could not prove what it has to prove first
    REVOKED = "revoked"  # what it had proved is not valid any more
    STORE = "store"  # the store could not be asked for too long (MAGI-7)
    SERVER_ERROR = "server_error"  # our fault; logged with an incident id


class Socket(Protocol):
    """The transport's end of an open WebSocket. Nothing here blocks or raises; after the end everything is ignored."""

    def send(self, message: bytes) -> None:
        """Send one text message. Messages leave in order; several of one loop tick leave together."""

    def close(self, code: int, reason: str, ending: Ending, *, discard: bool = False) -> None:
        """Start an orderly close after what was sent; the socket is aborted if the peer does not follow in time.

        With ``discard`` what the kernel has not taken yet is not sent any more; if that is part of a message, the socket
        is aborted.
        """

    def abort(self, ending: Ending) -> None:
        """End the socket at once, without a close frame."""

    def pause(self) -> None:
        """Stop reading: TCP pushes back on the sender. The paused time does not count as silence."""

    def resume(self) -> None:
        """Read again."""

    def adopt(self, rules: "SocketRules") -> None:
        """Demand something else of the peer from now on: it has said who it is."""

    @property
    def buffered_bytes(self) -> int:
        """Bytes that were sent here and that the kernel has not taken yet."""


class Conversation(Protocol):
    """What happens on one socket, above the framing. The transport calls, in this order: opened, any of the next two any
    number of times, ended (once)."""

    def opened(self, socket: Socket) -> None:
        """The handshake is done; the greeting may be sent."""

    def received(self, message: bytes) -> None:
        """One whole message, text or binary, not yet known to be UTF-8 or JSON unless it was text. Owned by the callee."""

    def oversized(self) -> None:
        """A message above the wire's limit but below the outer one came and was dropped (MAGI-4)."""

    def ended(self, ending: Ending) -> None:
        """The socket is gone."""


@dataclass(frozen=True, slots=True)
class SocketRules:
    """What a wire demands of its sockets; times in seconds, 0 turns a rule off."""

    message_bytes: int  # above: `oversized`
    outer_bytes: int  # above: close 1009
    ping_seconds: float = 20.0
    silence_seconds: float = 30.0  # neither pong nor data: gone (MAGI-5)
    stall_seconds: float = 30.0  # no byte of our output taken: gone
    idle_seconds: float = 1800.0  # no data message either way: closed (MAGI-33)
    idle_close: tuple[int, str] = (1001, "")  # with this code and reason
    buffer_bytes: int = 4 * 1024 * 1024  # output above this: gone at once
    control_per_second: float = 10.0  # control frames from the peer
    control_burst: int = 50
    close_seconds: float = 2.0  # how long the peer may take to answer our close frame


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A request to become a WebSocket."""

    path: str  # percent-decoded, without the query
    origin: str | None
    address: str  # of the client: the peer's, or what a trusted proxy says; "" on a unix socket


@dataclass(frozen=True, slots=True)
class Welcome:
    """The upgrade is accepted."""

    conversation: Conversation
    rules: SocketRules


@dataclass(frozen=True, slots=True)
class Refusal:
    """The upgrade is refused before the handshake, with an HTTP status."""

    status: int
    text: str
    retry_after_seconds: int = 0


Doorman = Callable[[Upgrade], Welcome | Refusal]
"""Decides on an upgrade, at once and without asking the store."""


class Dialect(Protocol):
    """Translation between the frames of one wire and commands, replies, errors and events. Pure."""

    name: str  # label in metrics and namespace of usernames; closed list
    tells: frozenset[type[Event]]  # other events are not given to `tell`
    closes: Mapping[Ending, tuple[int, str]]  # close code and reason of every ending that we begin
    codes: frozenset[str]  # all that `code` returns

    def ask(self, message: bytes) -> Command[object]:
        """Translate a request. ``Malformed`` or ``UnknownRequest`` if it is none."""

    def answer(self, session: Session, command: Command[object], reply: Reply) -> Sequence[bytes]:
        """Translate the reply to a command into the messages of the wire, in order."""

    def refuse(self, session: Session, command: Command[object] | None, error: ExchangeError) -> bytes | None:
        """Translate the refusal of a command, which is ``None`` if the request was not understood; ``None`` if nothing is
        said."""

    def parts(self, session: Session, error: ExchangeError) -> Ending | None:
        """Return the ending of the connection that a refusal brings, after what :meth:`refuse` says; usually none."""

    def tell(self, session: Session, event: Event) -> bytes | None:
        """Translate an event; ``None`` if a session without its feature has no words for it."""

    def code(self, error: ExchangeError) -> str:
        """Return the short machine name of a refusal: a word of a closed list."""


class Teller(Protocol):
    """Where events for one session go."""

    session: Session

    def tell(self, event: Event) -> None:
        """Tell the client, if its dialect has words for it. Never blocks or raises."""

    def close(self, ending: Ending, *, discard: bool = False) -> None:
        """Close the socket, in the words of its wire: after what was sent, or with ``discard`` at once."""

    @property
    def buffered_bytes(self) -> int:
        """Output that the client has not read yet, as far as this process knows."""


class Settle(Protocol):
    """One request that waits for its outcome. Replies leave in the order of the requests, whenever they are settled."""

    def settle(self, outcome: Reply | ExchangeError) -> None:
        """Give the reply or the refusal; called once."""

    def proceed(self) -> None:
        """Let the connection go on with its next request, if it waited for this one."""

    def hold(self) -> bool:
        """Make the connection wait after all; ``False`` if it went on already."""


class Landing(Protocol):
    """Somebody on this node who waits for an envelope to reach a socket of this node (MAGI-12)."""

    def landed(self, *, taken: bool | None) -> None:
        """The socket took the envelope, or it was refused, or nobody could find out. Called at most once."""


@dataclass(frozen=True, slots=True)
class Unsaid:
    """What a client was not told yet: friends in the table it has not heard of, and links as it knows them of persistent
    friends whose going is not told yet."""

    come: frozenset[Uid] = frozenset()
    gone: Mapping[Uid, Link] = field(default_factory=dict)


class Hub(Protocol):
    """The users who have a session on this node."""

    def seat(self, user: LocalUser, session: Session) -> None:
        """Enter a user and the session that is told. Wakes for it wait until the first :meth:`release`.

        Another session of this user on this node was taken over: it is closed and hears nothing more (MAGI-46).
        """

    def unseat(self, user: LocalUser) -> Unsaid:
        """Forget a user; its waiting wakes are dropped. Returns what its client has not been told."""

    def holds(self, uid: Uid) -> bool:
        """Tell whether a user has a session here."""

    def hold(self, user: LocalUser) -> None:
        """Make wakes for a user wait, so that its table of links stands still; every hold needs one release."""

    def release(self, user: LocalUser) -> None:
        """End a hold; with the last one the wakes that waited are worked off, in order."""

    async def reload(self, user: LocalUser, *, known: frozenset[Uid] = frozenset()) -> None:
        """Read a held user's table again and tell the client what changed, except about the peers ``known``."""

    def expect(self, sender: Uid, id_: str, landing: Landing) -> None:
        """Tell ``landing`` when the envelope with this sender and id has reached a user of this node."""

    def unexpect(self, sender: Uid, id_: str) -> None:
        """Forget what :meth:`expect` entered."""

    def tell(self, user: LocalUser, event: Event) -> None:
        """Tell a user who is seated here."""

    async def begin_mail(self, user: LocalUser, state: MailState | None) -> None:
        """Give a held user's session the oldest of its mail, if it was granted ``offline``; the rest follows its acks.

        Called after the reply to the identify that granted it. ``state`` is as of the opening of the session; ``None`` if
        it could not be read.

        Raises:
            StorageUnavailable: Nothing was given; what waits is given as soon as the store answers.
        """

    def end_mail(self, user: LocalUser) -> None:
        """Give no more mail: the session gave up ``offline``."""

    def ack(self, user: LocalUser, upto: Offset) -> bool:
        """Take the acknowledgement of all mail up to an offset; ``False`` if nothing like it was ever delivered.

        The mailbox learns of it within 100 ms, in batches (DEL-37).
        """

    def changed(self) -> None:
        """Take note that a user is called something else."""


class Switchboard(Protocol):
    """The slots of pairs that have a connection on this node."""

    def expect(self, pair: PairId, role: Role) -> None:
        """A connection is about to enter a slot: what arrives for it waits. Every ``expect`` needs one ``settle``."""

    def settle(self, pair: PairId, role: Role) -> None:
        """It has entered and is live, or it failed. What waited and is for nobody here is dropped."""

    def seat(self, session: Session, *, paired: bool) -> None:
        """Enter a session that has an end, and whether its peer is there. What arrives for it waits for :meth:`go_live`.

        Raises:
            Unavailable: Its connection is gone.
        """

    def go_live(self, session: Session) -> None:
        """Tell a session what waited for it, in order, and from now on what arrives; close whom it replaced here."""

    def unseat(self, session: Session) -> None:
        """Forget a session. Repeatable."""

    def pass_on(self, session: Session, frame: bytes, receipt: Callable[[Passing | StorageUnavailable], None]) -> bool:
        """Send a frame to the peer; ``False``: a large one must wait for :meth:`handed_over` first, nothing was sent.

        Raises:
            Unavailable: The session is not seated any more.
        """

    async def handed_over(self, session: Session) -> None:
        """Wait until the last large frame of a session was handed to the peer's socket, and the next one has its turn among
        those of this node (DEL-40). It is sent without waiting after that.

        Raises:
            PeerBusy: It was not within 4 s.
        """


class Tenure(Protocol):
    """This node's right to act for its sessions: its lease (DEL-27)."""

    def current(self) -> bool:
        """Tell whether the lease certainly still holds."""

    def doubt(self) -> None:
        """Do not count on the lease before it was renewed."""

    async def assure(self) -> None:
        """Return at once if the lease holds, else once it was renewed.

        Raises:
            Unavailable: It could not be renewed, or was lost and is not restored yet.
        """


class Witness(Protocol):
    """Who counts what the handlers do."""

    def forwarded(self, kind: int, sender: str, recipient: str, characters: int, *, stored: bool = False) -> None:
        """A message was handed over, or stored. The hot path. Names are given in the clear and masked before they are shown."""

    def repeated(self) -> None:
        """A message was sent again that is stored already."""

    def handled(self, command: Command[object], error: ExchangeError | None, seconds: float) -> None:
        """A command that had to ask the store has its outcome."""

    def invite(self, event: str) -> None:
        """Something happened to an invitation: a word of ``exchange.labels.INVITES``."""
