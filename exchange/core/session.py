"""The state of one connection.

::

    ANONYMOUS --identify, attend--> IDENTIFIED --identify--> IDENTIFIED
        |                                  |
        +-------------- end ---------------+--> ENDED

``ALLOWED`` says what may be asked in which state, ``NEEDED`` with which feature; a test proves both total.
"""

from collections.abc import Awaitable, Callable
from enum import Enum, auto

from exchange.core.commands import (
    Ack,
    Attend,
    Block,
    Command,
    Confirm,
    CreateInvite,
    Identify,
    Ignore,
    ListFriends,
    PassOn,
    Ping,
    ReadHistory,
    Redeem,
    Send,
    SetPresence,
    Unblock,
    Unfriend,
)
from exchange.core.errors import NotGranted, NotIdentified
from exchange.core.features import HISTORY, OFFLINE, PERSIST, PRESENCE
from exchange.core.ids import Offset, Uid
from exchange.core.pairs import End
from exchange.core.user import LocalUser


class State(Enum):
    """Where a session stands."""

    ANONYMOUS = auto()
    IDENTIFIED = auto()
    ENDED = auto()


NEEDED: dict[type[Command[object]], str] = {
    Ack: OFFLINE,
    ListFriends: PERSIST,
    Unfriend: PERSIST,
    Block: PERSIST,
    Unblock: PERSIST,
    SetPresence: PRESENCE,
    ReadHistory: HISTORY,
    Confirm: PERSIST,
}
"""The feature that a request of section 12 belongs to. To a client without it there is no such request (MAGI-45)."""

ALLOWED: dict[State, frozenset[type[Command[object]]]] = {
    # A redeem may bring its identify along (MAGI-22), so its handler looks for itself.
    State.ANONYMOUS: frozenset({Identify, Redeem, Attend}),
    State.IDENTIFIED: frozenset({Identify, CreateInvite, Redeem, Send, *NEEDED, Attend, PassOn, Ping, Ignore}),
    State.ENDED: frozenset(),
}


class Session:
    """One connection's identity and what its wire rules remember. ``sid`` is unique in the cluster and unguessable."""

    __slots__ = (
        "address",
        "after",
        "client",
        "dialect",
        "end",
        "failures",
        "failures_since",
        "features",
        "last_asker",
        "sent",
        "sid",
        "since_ms",
        "state",
        "token",
        "user",
        "wanted",
    )

    def __init__(self, client: str, *, dialect: str, address: str, since_ms: int) -> None:
        self.client = client
        self.sid = client
        self.dialect = dialect
        self.address = address
        self.since_ms = since_ms
        self.state = State.ANONYMOUS
        self.user: LocalUser | None = None
        self.end: End | None = None
        """Its place in a pair, if it has one. A session has a user, or an end, or neither yet."""
        self.features: frozenset[str] = frozenset()
        self.sent: dict[Uid, tuple[Offset, str]] = {}
        """Offset and id of the newest mail this session got accepted, by recipient: a store that lost it is found out
        (DEL-36)."""
        self.token = ""
        """The newest resume token of this session, so that its node can attach it again after a fence."""
        self.wanted = ""
        """The name this session took last, or is just taking: what still lets go of it has to stop."""
        self.last_asker: Uid = ""
        """Whose question was delivered last here; an answer without a target goes there (MAGI-27)."""
        self.after: list[Callable[[], Awaitable[None]]] = []
        """What the running command still has to do between its reply and the next command of this session."""
        self.failures = 0
        self.failures_since = 0.0

    def check(self, command: type[Command[object]]) -> None:
        """Refuse a command that this state does not allow.

        Raises:
            NotGranted: It needs a feature that this session was not granted.
            NotIdentified: The session has not said who it is.
        """
        needed = NEEDED.get(command)
        if needed is not None and needed not in self.features:
            raise NotGranted(needed)
        if command not in ALLOWED[self.state]:
            raise NotIdentified

    def identified(self) -> LocalUser:
        """Return the user of this session.

        Raises:
            NotIdentified: The session has not said who it is.
        """
        if self.user is None:
            raise NotIdentified
        return self.user

    def attending(self) -> End:
        """Return this session's place in its pair.

        Raises:
            NotIdentified: It has none.
        """
        if self.end is None:
            raise NotIdentified
        return self.end
