"""The state of one connection.

::

    ANONYMOUS --identify--> IDENTIFIED --identify--> IDENTIFIED
        |                        |
        +--------- end ----------+--> ENDED

``ALLOWED`` says what may be asked in which state; a test proves it total over states and commands.
"""

from collections.abc import Awaitable, Callable
from enum import Enum, auto

from exchange.core.commands import Command, CreateInvite, Identify, Redeem, Send
from exchange.core.errors import NotIdentified
from exchange.core.ids import Uid
from exchange.core.user import LocalUser


class State(Enum):
    """Where a session stands."""

    ANONYMOUS = auto()
    IDENTIFIED = auto()
    ENDED = auto()


ALLOWED: dict[State, frozenset[type[Command[object]]]] = {
    # A redeem may bring its identify along (MAGI-22), so its handler looks for itself.
    State.ANONYMOUS: frozenset({Identify, Redeem}),
    State.IDENTIFIED: frozenset({Identify, CreateInvite, Redeem, Send}),
    State.ENDED: frozenset(),
}


class Session:
    """One connection's identity and what its wire rules remember. ``sid`` is unique in the cluster and unguessable."""

    __slots__ = (
        "address",
        "after",
        "client",
        "dialect",
        "failures",
        "failures_since",
        "features",
        "last_asker",
        "sid",
        "since_ms",
        "state",
        "user",
    )

    def __init__(self, client: str, *, dialect: str, address: str, since_ms: int) -> None:
        self.client = client
        self.sid = client
        self.dialect = dialect
        self.address = address
        self.since_ms = since_ms
        self.state = State.ANONYMOUS
        self.user: LocalUser | None = None
        self.features: frozenset[str] = frozenset()
        self.last_asker: Uid = ""
        """Whose question was delivered last here; an answer without a target goes there (MAGI-27)."""
        self.after: list[Callable[[], Awaitable[None]]] = []
        """What the running command still has to do between its reply and the next command of this session."""
        self.failures = 0
        self.failures_since = 0.0

    def check(self, command: type[Command[object]]) -> None:
        """Refuse a command that this state does not allow.

        Raises:
            NotIdentified: The session has not said who it is.
        """
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
