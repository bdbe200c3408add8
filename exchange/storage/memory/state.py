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
from exchange.core.ids import NOWHERE, Offset, Uid
from exchange.core.model import (
    Counts,
    Envelope,
    Letter,
    Link,
    NodeInfo,
    NodeTally,
    Presence,
    Profile,
    Record,
    Undelivered,
)
from exchange.core.pairs import PairId, Role, SlotWake
from exchange.core.wakes import Mail, Wake
from exchange.ports import Terms

Hear = Callable[[Uid, Wake, int], None]
"""How a node takes a wake: for whom, what, and how many bytes it counts as."""

HearSlot = Callable[[PairId, Role, SlotWake], None]
"""How a node takes what arrives for a slot."""


@dataclass(slots=True)
class Name:
    """Who holds a name, or who held it until ``ends_ms`` runs out (0 for never; ``holder`` is empty if nobody does).

    ``token`` guards it if one was issued; the one ``before`` is good until that was used.
    """

    uid: Uid
    holder: str
    node: str
    address: str
    ends_ms: int = 0
    token: str = ""
    before: str = ""


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

    ``left_sid`` closed last, at the generation ``left_stamp``, and ended ``left_links`` with it. ``ends_ms`` is 0 while
    there is a session or something outlives it. ``unseen`` are the peers of links that the user has not heard of.
    """

    profile: Profile | None = None
    left_ms: int = 0
    left_sid: str = ""
    left_links: tuple[Link, ...] = ()
    left_stamp: int = 0
    ends_ms: int = 0
    generation: int = 0
    rev: int = 0
    sessions: dict[str, Opening] = field(default_factory=dict)
    links: dict[Uid, Link] = field(default_factory=dict)
    ended: dict[Uid, Ended] = field(default_factory=dict)
    unseen: set[Uid] = field(default_factory=set)


@dataclass(slots=True)
class Blocks:
    """Whom a user has blocked: names, and users with the name under which each of them was blocked last."""

    names: set[str] = field(default_factory=set)
    peers: dict[Uid, str] = field(default_factory=dict)


@dataclass(slots=True)
class Seen:
    """Mail that was stored: what it was, so that a repeat is known."""

    offset: Offset
    digest: bytes
    nodes_count: int
    at_ms: int


@dataclass(slots=True)
class Box:
    """A mailbox. ``parked`` are letters that were given up, ``fates`` those whose senders still have to be told."""

    epoch: str = ""
    last: Offset = NOWHERE
    acked: Offset = NOWHERE
    letters: list[Letter] = field(default_factory=list)
    seen: dict[tuple[Uid, str], Seen] = field(default_factory=dict)
    tries: dict[Offset, int] = field(default_factory=dict)
    parked: list[Letter] = field(default_factory=list)
    fates: dict[Offset, Undelivered] = field(default_factory=dict)


@dataclass(slots=True)
class Invite:
    """An invitation, whom its inviter agreed to, and the claim on it if ``nonce`` is set and ``claim_ends_ms`` ahead."""

    uid: Uid
    expires_ms: int
    terms: Terms
    confirmed: str | None = None
    redeemer: Uid = ""
    nonce: str = ""
    claim_ends_ms: int = 0


@dataclass(frozen=True, slots=True)
class Reservation:
    """A message id that a session reserved for a request, and the first reply if there was one."""

    sid: str
    digest: str
    ends_ms: int
    reply: bytes | None


@dataclass(slots=True)
class Node:
    """A registry entry. The lease stands while ``lease_ends_ms`` is ahead."""

    info: NodeInfo
    lease_ends_ms: int
    draining: bool = False
    reaped: bool = False


@dataclass(slots=True)
class Pair:
    """What is known of a token. ``expires_ms`` is 0 for never."""

    shown: str
    created_ms: int
    expires_ms: int


@dataclass(slots=True)
class Slot:
    """One role of a pair. ``number`` is that of its last end, which is current while there is a ``sid``.

    ``replaced_count`` ends were replaced since ``replaced_ms``, when the first of them was.
    """

    number: int = 0
    sid: str = ""
    node: str = ""
    busy: bool = False
    replaced_count: int = 0
    replaced_ms: int = 0


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
        self.boxes: dict[Uid, Box] = {}
        self.dues: dict[Uid, int] = {}
        self.histories: dict[tuple[Uid, str], list[Record]] = {}
        """By owner and connection, oldest first."""
        self.blocked: dict[Uid, Blocks] = {}
        self.invites: dict[str, Invite] = {}
        self.listeners: dict[Uid, dict[object, Hear]] = {}
        """By user and by node; the key of a node is its ``Wakes``."""
        self.buckets: dict[tuple[Uid, str], tuple[float, int]] = {}
        """Tokens and the moment they were counted, by user and action."""
        self.failures: dict[tuple[str, str], tuple[int, int]] = {}
        """Failures and the end of their window, by address and action."""
        self.stamps: dict[tuple[str, str], list[int]] = {}
        """When something was done, oldest first, by address block and action."""
        self.replies: dict[tuple[Uid, str], Reservation] = {}
        """By user and message id."""
        self.nodes: dict[str, Node] = {}
        self.noted: dict[str, dict[str, Presence]] = {}
        """Sessions by node and sid."""
        self.tallies: dict[str, tuple[NodeTally, int]] = {}
        self.counts = Counts()
        self.jobs: dict[str, tuple[str, int]] = {}
        """Holder and the end of its lease, by job."""
        self.pairs: dict[PairId, Pair] = {}
        self.slots: dict[tuple[PairId, Role], Slot] = {}
        self.used: dict[tuple[PairId, str], int] = {}
        """Bytes by pair and period."""
        self.slot_listeners: dict[tuple[PairId, Role], dict[object, HearSlot]] = {}
        """By slot and by node; the key of a node is its ``Slots``."""

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
        envelope = wake.envelope if isinstance(wake, Mail) else wake
        size_bytes = len(envelope.body) if isinstance(envelope, Envelope) else 0
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

    def pair(self, pair: PairId) -> Pair | None:
        """Return a pair, unless its token has run out."""
        known = self.pairs.get(pair)
        if known is not None and 0 < known.expires_ms <= self.now_ms():
            del self.pairs[pair]
            return None
        return known

    def slot(self, pair: PairId, role: Role) -> Slot:
        """Return a slot, a free one if nothing is known of it."""
        return self.slots.get((pair, role)) or Slot()

    def tell_slot(self, pair: PairId, role: Role, wake: SlotWake) -> int:
        """Pass a wake to every node that listens for a slot, in order, and return how many there are."""
        hearers = tuple(self.slot_listeners.get((pair, role), {}).values())
        for hear in hearers:
            hear(pair, role, wake)
        return len(hearers)
