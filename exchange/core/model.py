"""The nouns of the exchange. Times are milliseconds since the epoch on the store's clock unless a name says otherwise."""

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import NamedTuple

from exchange.core.features import HISTORY, OFFLINE, PERSIST
from exchange.core.ids import NOWHERE, Offset, Uid


class Kind(IntEnum):
    """What an envelope is for its recipient."""

    QUESTION = 1
    ANSWER = 2
    EXPIRED = 3  # notices to the sender of mail: nobody fetched it in time
    PARKED = 4  # its recipient failed on it too often (DEL-38)


NOTICES = frozenset({int(Kind.EXPIRED), int(Kind.PARKED)})
"""Kinds that are about other mail. They never cause notices themselves."""


class Envelope(NamedTuple):
    """What is routed from one user to another. ``body`` is opaque and never re-encoded.

    A named tuple because it is made and read once a message: it travels as one array.
    """

    kind: int
    sender: Uid
    connection: str
    deadline_ms: int
    """After this moment nobody delivers it: its sender has been told that it failed (MAGI-10)."""
    accepted_ms: int
    body: bytes
    id: str = ""
    """The sender's message id, empty if it gave none. A notice has one of its own, so that a repeat is known."""
    reply_to: str = ""
    """The id of the question that is answered; of a notice, the id of the message it is about: clients see it as ``id``."""
    trace: tuple[str, ...] = ()
    expires_ms: int = 0
    name: str = ""
    """What the sender was called when the envelope was stored; of a notice, what its recipient's friend is called.
    Empty on the live tier: there the link says it."""
    nick: str = ""


class Letter(NamedTuple):
    """An envelope in a mailbox. ``until_ms`` is when it expires, ``size_bytes`` what it counts as."""

    offset: Offset
    envelope: Envelope
    until_ms: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class MailState:
    """Where a mailbox stands: which life of it (a store that lost it starts another), its newest mail, and what is
    acknowledged. ``epoch`` is empty if there never was any mail."""

    epoch: str = ""
    last: Offset = NOWHERE
    acked: Offset = NOWHERE
    waiting_count: int = 0


class Fate(Enum):
    """How mail can end without being delivered (P2)."""

    EXPIRED = "expired"
    PARKED = "parked"
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Mail that ended without delivery and whose sender still has to be told."""

    offset: Offset
    fate: Fate
    kind: int
    sender: Uid
    id: str


@dataclass(frozen=True, slots=True)
class Record:
    """One message of a history: who said it (``mine``: the owner of the history), when, and what."""

    at_ms: int
    offset: Offset
    mine: bool
    kind: int
    id: str
    reply_to: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Profile:
    """How a user is described to its friends."""

    name: str
    nick: str
    features: frozenset[str] = frozenset()
    status: str = ""
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """One user's end of a friendship: who is at the other end, and how that user is described.

    ``made`` orders a user's links by age: it is the table revision at which the friendship was made or made again.
    ``waiting`` marks the other end as not here: it invited, left, and may still come back within the grace (MAGI-28), or
    the friendship is persistent and the friend is away (MAGI-47). ``stamp`` is the generation of the other end's session
    that last changed this record; a change with an older one comes too late and changes nothing.
    """

    peer: Uid
    connection: str
    name: str
    nick: str
    made: int = 0
    waiting: bool = False
    persist: bool = False
    features: frozenset[str] = frozenset()
    status: str = ""
    capabilities: tuple[str, ...] = ()
    stamp: int = 0

    @property
    def stores(self) -> bool:
        """Whether the other end wants mail stored while it is away (MAGI-48)."""
        return self.persist and OFFLINE in self.features

    @property
    def remembers(self) -> bool:
        """Whether the other end wants what is said kept as history (MAGI-49)."""
        return self.persist and HISTORY in self.features


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a user is here: ``sessions_count`` of them, or gone since ``left_ms`` (0 if never or unknown).

    ``belongings`` tells whether something outlives its sessions: persistent links or mail.
    """

    name: str
    nick: str
    sessions_count: int
    left_ms: int
    features: frozenset[str] = frozenset()
    belongings: bool = False

    @property
    def persistent(self) -> bool:
        """Whether friendships of this user can survive its absence, and be made meanwhile (MAGI-28, MAGI-47)."""
        return PERSIST in self.features

    def joinable(self, now_ms: int, grace_ms: int) -> bool:
        """Tell whether an invitation of this user can be redeemed now (MAGI-28)."""
        # A node's idea of the time may be a little behind that of the store, which noted when the user left.
        return self.sessions_count > 0 or (self.left_ms > 0 and max(0, now_ms - self.left_ms) < grace_ms)


@dataclass(frozen=True, slots=True)
class Presence:
    """What the store keeps of one session, enough for a worker to end it when its node died."""

    sid: str
    uid: Uid
    name: str
    node: str
    dialect: str
    address: str
    former: str = ""
    """Set while it takes another name: the one it had, and has until it lets go of it."""
    role: str = ""
    """Set if it holds a slot of a pair, whose id ``uid`` is then; it has no name."""


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """One front node as its registry entry describes it."""

    id: str
    version: str
    started_ms: int


@dataclass(frozen=True, slots=True)
class UserGlimpse:
    """What a public page may know of a connected user (MAGI-35): no name, only its first letter."""

    client: str
    initial: str
    since_ms: int
    linked: bool


@dataclass(frozen=True, slots=True)
class NodeTally:
    """Numbers of one node at one moment; totals are kept apart (``Counts``)."""

    identified_count: int = 0
    connections_count: int = 0
    link_ends_count: int = 0
    messages_per_second: float = 0.0
    last_message_ms: int = 0
    last_message_characters: int = 0
    users: tuple[UserGlimpse, ...] = ()
    ends_count: int = 0
    """Connections that hold, or held, a slot of a pair."""
    pairs_count: int = 0
    """Pairs with a current connection; one with both ends counts where its phone is."""


@dataclass(slots=True)
class Counts:
    """Totals that outlive the node that counted them."""

    connections: int = 0
    messages: int = 0


@dataclass(frozen=True, slots=True)
class ClusterTally:
    """Numbers of the whole cluster (WIRE-12). ``nodes`` pairs every live node with its latest tally."""

    nodes: tuple[tuple[NodeInfo, NodeTally], ...]
    counts: Counts
