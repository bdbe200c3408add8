"""The nouns of a client. Times are milliseconds since the epoch, of the wall clock unless a name says otherwise."""

from dataclasses import dataclass, field
from enum import StrEnum

from magi.client.states import State


class Kind(StrEnum):
    """What a message is, as its sender meant it (CLI-14)."""

    ASK = "ask"
    NOTE = "note"  # a question that wants no answer
    ANSWER = "answer"
    DECLINE = "decline"
    STATE = "state"  # what became of a question at its reader's
    NOTICE = "notice"  # of the exchange: our own message ended undelivered
    FOREIGN = "foreign"  # content of a newer client; kept, shown as such, never as text


class Origin(StrEnum):
    """Who wrote a message."""

    HUMAN = "human"
    MODEL = "model"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Trace:
    """The path of machine turns that led to a message (CLI-39). ``marks`` are opaque, ``turn`` counts since a person acted."""

    id: str = ""
    marks: tuple[str, ...] = ()
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Friend:
    """The other end of a friendship, as the exchange describes it."""

    username: str
    nickname: str
    connection: str = ""
    online: bool = False
    features: frozenset[str] = frozenset()
    status: str = ""
    capabilities: tuple[str, ...] = ()

    @property
    def takes_objects(self) -> bool:
        """Whether its client understands content objects (CLI-14)."""
        return "objects" in self.features

    @property
    def takes_mail(self) -> bool:
        """Whether messages wait for it while it is away."""
        return "offline" in self.features


@dataclass(frozen=True, slots=True)
class Invite:
    """An open invitation."""

    code: str
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message of ours. ``to`` is a username. ``reply_to`` is the id of the question that an answer settles."""

    id: str
    to: str
    kind: Kind
    text: str
    made_ms: int
    expires_ms: int
    reply_to: str = ""
    thread: str = ""
    parent: str = ""
    origin: Origin = Origin.HUMAN
    trace: Trace = field(default_factory=Trace)
    state: State = State.PENDING
    detail: str = ""
    """With a final state: the exchange's or the friend's own words."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message of a friend, or a notice of the exchange. Known by ``sender`` and ``id`` (CLI-9).

    ``matched`` says how an answer found its question: ``id``, ``order`` (a plain friend) or empty.
    """

    id: str
    sender: str
    nickname: str
    kind: Kind
    text: str
    received_ms: int
    expires_ms: int = 0
    reply_to: str = ""
    thread: str = ""
    parent: str = ""
    origin: Origin = Origin.HUMAN
    trace: Trace = field(default_factory=Trace)
    matched: str = ""
    offset: str = ""
    """Its place in our mailbox at the exchange; empty on the live tier."""
    settled: str = ""
    """How it was settled: ``answered``, ``declined``, ``acked``; empty while it is open."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Resume tokens: the newest, and the one before, which is good until the newest was used (CLI-6)."""

    current: str = ""
    previous: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. ``kind`` is one of ``KINDS``; ``friend`` is set for those that are about one."""

    kind: str
    friend: Friend | None = None
    detail: str = ""


KINDS = ("connected", "disconnected", "displaced", "friend_connected", "friend_disconnected", "friend_presence", "gap")
