"""The nouns of the exchange. Times are milliseconds since the epoch on the store's clock unless a name says otherwise."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from exchange.core.ids import Uid


class Kind(IntEnum):
    """What an envelope is for its recipient."""

    QUESTION = 1
    ANSWER = 2


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
    """The sender's message id, empty if it gave none."""
    reply_to: str = ""
    trace: tuple[str, ...] = ()
    expires_ms: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """One user's end of a friendship: who is at the other end, and under which names.

    ``made`` orders a user's links by age: it is the table revision at which the friendship was made or made again.
    ``waiting`` marks the other end as not here: it invited, left, and may still come back within the grace (MAGI-28).
    """

    peer: Uid
    connection: str
    name: str
    nick: str
    made: int = 0
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a user is here: ``sessions_count`` of them, or gone since ``left_ms`` (0 if never or unknown)."""

    name: str
    nick: str
    sessions_count: int
    left_ms: int

    def joinable(self, now_ms: int, grace_ms: int) -> bool:
        """Tell whether an invitation of this user can be redeemed now (MAGI-28)."""
        return self.sessions_count > 0 or (self.left_ms > 0 and now_ms - self.left_ms < grace_ms)


@dataclass(frozen=True, slots=True)
class Presence:
    """What the store keeps of one session, enough for a worker to end it when its node died."""

    sid: str
    uid: Uid
    name: str
    node: str
    dialect: str
    address: str


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
