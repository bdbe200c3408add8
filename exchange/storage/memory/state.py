"""What the simulated nodes of one in-memory store share.

A step is whatever runs between two awaits: on one event loop nothing comes in between, so steps need no lock. Every port
method calls :meth:`Memory.reach` first, which stands for the way to the store, and then changes the dictionaries without
waiting again. Records that have run out may still lie in a dictionary; whoever reads one compares its end with the clock.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from exchange.core.errors import StorageUnavailable
from exchange.core.ids import Uid
from exchange.core.model import Counts, Envelope, Link, NodeInfo, NodeTally, Presence
from exchange.core.wakes import Wake

Hear = Callable[[Uid, Wake, int], None]
"""How a node takes a wake: for whom, what, and how many bytes it counts as."""


@dataclass(slots=True)
class Name:
    """Who holds a name, or who held it until ``ends_ms`` runs out (0 while it is held; ``holder`` is empty in grace)."""

    uid: Uid
    holder: str
    node: str
    address: str
    ends_ms: int = 0


@dataclass(slots=True)
class Ended:
    """A link that can come back until ``ends_ms``. ``aside`` marks one that its user has not seen yet (MAGI-28)."""

    link: Link
    ends_ms: int
    aside: bool


@dataclass(slots=True)
class Opening:
    """A session and what opening it brought back, so that a repeat gets the same answer."""

    node: str
    generation: int
    restored: frozenset[Uid]
    waiting: frozenset[Uid]


@dataclass(slots=True)
class User:
    """A user with its sessions and its table of links.

    ``left_sid`` closed last and ended ``left_links`` with it. ``ends_ms`` is 0 while there is a session.
    """

    name: str = ""
    nick: str = ""
    left_ms: int = 0
    left_sid: str = ""
    left_links: tuple[Link, ...] = ()
    ends_ms: int = 0
    generation: int = 0
    rev: int = 0
    sessions: dict[str, Opening] = field(default_factory=dict)
    links: dict[Uid, Link] = field(default_factory=dict)
    ended: dict[Uid, Ended] = field(default_factory=dict)


@dataclass(slots=True)
class Invite:
    """An invitation, and the claim on it if ``nonce`` is set and ``claim_ends_ms`` has not passed."""

    uid: Uid
    expires_ms: int
    redeemer: Uid = ""
    nonce: str = ""
    claim_ends_ms: int = 0


@dataclass(slots=True)
class Node:
    """A registry entry. The lease stands while ``lease_ends_ms`` is ahead."""

    info: NodeInfo
    lease_ends_ms: int
    draining: bool = False
    reaped: bool = False


class Memory:
    """The shared store. Give every simulated node its own ports on one of these.

    Args:
        now_ms: The store's clock; tests pass one that they can move.
    """

    def __init__(self, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self.now_ms = now_ms
        self.down = False
        """Play an outage: every call fails as not sent, nothing is changed."""
        self.names: dict[tuple[str, str], Name] = {}
        """By dialect and name."""
        self.users: dict[Uid, User] = {}
        self.invites: dict[str, Invite] = {}
        self.listeners: dict[Uid, dict[object, Hear]] = {}
        """By user and by node; the key of a node is its ``Wakes``."""
        self.buckets: dict[tuple[Uid, str], tuple[float, int]] = {}
        """Tokens and the moment they were counted, by user and action."""
        self.failures: dict[tuple[str, str], tuple[int, int]] = {}
        """Failures and the end of their window, by address and action."""
        self.replies: dict[tuple[Uid, str], tuple[bytes, int]] = {}
        """``?`` + sid or ``=`` + first reply, and its end, by user and message id."""
        self.nodes: dict[str, Node] = {}
        self.noted: dict[str, dict[str, Presence]] = {}
        """Sessions by node and sid."""
        self.tallies: dict[str, tuple[NodeTally, int]] = {}
        self.counts = Counts()
        self.jobs: dict[str, tuple[str, int]] = {}
        """Holder and the end of its lease, by job."""

    async def reach(self) -> None:
        """Go to the store: other tasks run meanwhile, as they would during a round trip.

        Raises:
            StorageUnavailable: The store is down; not sent.
        """
        await asyncio.sleep(0)
        if self.down:
            raise StorageUnavailable(sent=False)

    def publish(self, uid: Uid, wake: Wake) -> int:
        """Pass a wake to every node that listens for ``uid``, in order, and return how many there are."""
        hearers = tuple(self.listeners.get(uid, {}).values())
        size_bytes = len(wake.body) if isinstance(wake, Envelope) else 0
        for hear in hearers:
            hear(uid, wake, size_bytes)
        return len(hearers)

    def user(self, uid: Uid) -> User | None:
        """Return a user, unless nothing is known of it any more."""
        user = self.users.get(uid)
        if user is not None and 0 < user.ends_ms <= self.now_ms():
            del self.users[uid]
            return None
        return user
