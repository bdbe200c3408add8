"""The seams between the exchange and its store, with what each side may rely on.

``exchange.storage.memory`` and ``exchange.storage.redis`` implement every port; ``tests/contract`` proves the sentences
below on both. Rules for all of them:

* Every ``async`` method may raise ``StorageUnavailable``. Its ``sent`` says whether the step may have happened; every
  step is safe to repeat unless its text says otherwise.
* "One step" means atomic in the store: seen entirely or not at all, also by other nodes, also after a crash.
* Cancelling a call never leaves a half step; it may leave a whole one.
* Names and addresses are given in the clear. No implementation keeps an address, or puts either into a key.
* Times are milliseconds on the store's clock.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from exchange.core.errors import StorageUnavailable
from exchange.core.ids import Uid
from exchange.core.model import ClusterTally, Counts, Envelope, Link, NodeInfo, NodeTally, Presence, Standing
from exchange.core.wakes import Wake

# --- time ------------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """The store's time, estimated without asking it, and a steady clock."""

    def now_ms(self) -> int:
        """Return the store's time in milliseconds since the epoch, as estimated at the last lease renewal."""

    def steady(self) -> float:
        """Return seconds of a clock that never jumps and counts suspended time; only differences mean anything."""


# --- names -----------------------------------------------------------------------------------------------------------


class ClaimWord(Enum):
    """What became of a claim."""

    FRESH = "fresh"  # nobody held the name: it now belongs to the uid that was offered
    SAME = "same"  # this session held it already
    GRACE = "grace"  # a session from the same address left it moments ago: its uid comes back (MAGI-32)
    TAKEN = "taken"  # a session that is not known to be dead holds it


@dataclass(frozen=True, slots=True)
class Claim:
    """``uid`` holds the name now, or its present holder does if it is taken: then ``holder`` and ``node`` say who."""

    word: ClaimWord
    uid: Uid
    holder: str = ""
    node: str = ""


class Names(Protocol):
    """Who holds a username, for the whole cluster (MAGI-19). Names compare exactly; each dialect has its own space."""

    async def claim(self, name: str, presence: Presence, *, keep_uid: bool = False, evict: str = "") -> Claim:
        """Claim ``name`` for the session ``presence`` in one step. Of simultaneous claims exactly one succeeds.

        Args:
            name: The username.
            presence: Offers ``presence.uid`` for a name nobody holds.
            keep_uid: The session has its uid already; never hand out the one that waits in grace (DEL-25).
            evict: Session id of a holder known to be dead; if it still holds the name, the name counts as free.
        """

    async def release(self, name: str, dialect: str, sid: str, *, grace_ms: int) -> bool:
        """Let go of ``name`` if ``sid`` holds it; return whether it did. A later holder is never touched (DEL-26).

        For ``grace_ms`` a claim from the address that claimed it gets the same uid back. 0 forgets at once.
        """

    async def find(self, name: str, dialect: str) -> Uid | None:
        """Return the uid of whoever holds ``name`` now, or ``None`` if nobody does (grace does not count)."""


# --- users -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opened:
    """A session of a user is open. ``links`` is the whole table at ``rev``; ``restored`` are the peers that were brought
    back from an ended session, and ``waiting`` those among them whose invitation was redeemed meanwhile (MAGI-28)."""

    generation: int
    rev: int
    links: tuple[Link, ...]
    restored: frozenset[Uid]
    waiting: frozenset[Uid]


class Users(Protocol):
    """Users and the sessions they have."""

    async def open(self, presence: Presence, nick: str) -> Opened:
        """Enter a session in one step and bring back links set aside for it that have not run out.

        The generation is larger than that of every earlier session of this user.
        """

    async def close(self, uid: Uid, sid: str, *, grace_ms: int) -> tuple[Link, ...]:
        """Remove a session in one step and return the links that ended with it.

        With the last session of a user all its links end. They are set aside for ``grace_ms``, for :meth:`open`. A
        repeat for the same ``sid`` returns the same links, unless they were brought back meanwhile; a ``sid`` that was
        never there changes and returns nothing.
        """

    async def rename(self, uid: Uid, name: str, nick: str) -> None:
        """Change what a user is called. Links of its friends are changed by :meth:`Links.put`."""

    async def standing(self, uid: Uid) -> Standing | None:
        """Return whether a user is here, or ``None`` if nothing is known of it any more."""


# --- links -----------------------------------------------------------------------------------------------------------


class Notice(Enum):
    """What the user whose table changes hears of it, in the same step as the change."""

    NONE = ""
    QUIET = "quiet"  # its node updates the table
    ANNOUNCE = "announce"  # its node updates the table and tells the client


class PutWord(Enum):
    """What became of a link."""

    ADDED = "added"
    KEPT = "kept"  # there was one with this peer; its connection stays
    ABSENT = "absent"  # nothing was written: the condition did not hold


@dataclass(frozen=True, slots=True)
class Put:
    """``link`` as it stands now; ``prev`` and ``rev`` are the table revisions before and after."""

    word: PutWord
    link: Link
    rev: int
    prev: int


class Condition(Enum):
    """When a link is written."""

    ALWAYS = ""
    HERE = "here"  # only if this user has a session
    LINKED = "linked"  # only if there is a link with this peer and connection: change it


class Links(Protocol):
    """Each user's table of links (DEL-42). A friendship is two links, one in each table, with one connection id."""

    async def table(self, uid: Uid) -> tuple[int, tuple[Link, ...]]:
        """Return the table of a user and its revision, as of one moment."""

    async def put(
        self, uid: Uid, link: Link, *, notice: Notice = Notice.NONE, condition: Condition = Condition.ALWAYS
    ) -> Put:
        """Write ``uid``'s link with ``link.peer`` in one step and give notice of it.

        A link with this peer that exists keeps its connection id. It becomes the most recent one (``made`` is set to the
        new revision), except under ``Condition.LINKED``, which changes names and ``waiting`` only.
        """

    async def set_aside(self, uid: Uid, link: Link, *, keep_ms: int) -> None:
        """Keep a link for a user who is away but may be back within ``keep_ms``; :meth:`Users.open` brings it (MAGI-28)."""

    async def end(self, uid: Uid, peer: Uid, connection: str, *, keep_ms: int = 0) -> bool:
        """Remove ``uid``'s link with ``peer`` if it is this connection, and tell ``uid``'s node, in one step.

        Returns whether this call removed it: of all who try exactly one is told so (DEL-29). With ``keep_ms`` the link
        is set aside for a quick reconnect of ``uid``. A link that was only set aside is forgotten without notice.
        """


# --- invites ---------------------------------------------------------------------------------------------------------


class InviteWord(Enum):
    """What the store says of a code."""

    OPEN = "open"
    CLAIMED = "claimed"
    UNKNOWN = "unknown"  # never made, used, or gone for a minute
    EXPIRED = "expired"  # past its time, record still there
    BUSY = "busy"  # somebody else is redeeming it at this moment
    COLLISION = "collision"  # another open invitation has this code
    FULL = "full"  # too many open invitations of this user


class Invites(Protocol):
    """Invitation codes (MAGI-29). The store keeps them only as keyed hashes."""

    async def open(self, code: str, uid: Uid, *, life_ms: int, most: int) -> InviteWord:
        """Open an invitation: ``OPEN``, ``COLLISION``, or ``FULL`` if ``uid`` has ``most`` open ones."""

    async def peek(self, code: str) -> tuple[InviteWord, Uid]:
        """Return ``OPEN``, ``BUSY``, ``EXPIRED`` or ``UNKNOWN``, and whose invitation it is."""

    async def claim(self, code: str, redeemer: Uid, nonce: str, *, claim_ms: int) -> InviteWord:
        """Take an open invitation for one redeem, in one step: of simultaneous claims exactly one gets ``CLAIMED``.

        The same ``nonce`` gets it again; a claim that was not settled lapses after ``claim_ms``. Else ``BUSY``,
        ``EXPIRED`` or ``UNKNOWN``.
        """

    async def settle(self, code: str, uid: Uid, nonce: str, *, commit: bool) -> None:
        """End a claim: with ``commit`` the code is used up, without it is open again. Other nonces change nothing."""


# --- wakes -----------------------------------------------------------------------------------------------------------


class Receipt(Protocol):
    """Who waits to hear what became of one :meth:`Wakes.send`. Exactly one of the two is called, once."""

    def counted(self, nodes_count: int) -> None:
        """The wake was queued for this many nodes that listen for its user; 0 means that nobody does."""

    def failed(self, error: StorageUnavailable) -> None:
        """The wake was not sent, or nobody knows (``error.sent``)."""


class Listener(Protocol):
    """Whoever works off the wakes of this node."""

    def woken(self, uid: Uid, wake: Wake, size_bytes: int) -> None:
        """A wake for a user this node listens for. Called in the order in which the store passed them on; never blocks."""

    def gap(self) -> None:
        """Wakes may have been lost (a broken connection): tables must be read again (DEL-34)."""


class Wakes(Protocol):
    """The channels of users. At most once; in order per sender and user (MAGI-14)."""

    def attend(self, listener: Listener) -> None:
        """Name the one listener of this node; called once, before anything else."""

    def send(self, uid: Uid, envelope: Envelope, receipt: Receipt) -> None:
        """Pass an envelope to all nodes that listen for ``uid``. Synchronous and never repeated: the hot path.

        Calls of one node are passed on, and their receipts called, in order.
        """

    async def listen(self, uid: Uid) -> None:
        """Listen for a user; returns when the store has confirmed it: what is sent from now on arrives.

        After a failure call it again, or :meth:`forget`: the store may still begin to listen.
        """

    def forget(self, uid: Uid) -> None:
        """Stop listening for a user. Later sends are not counted here any more; takes effect in order with the rest."""


# --- limits ----------------------------------------------------------------------------------------------------------


class Limits(Protocol):
    """Allowances that hold across nodes and reconnects."""

    async def take(self, uid: Uid, action: str, *, per_minute: int, burst: int) -> int:
        """Take one token from a user's bucket; return 0, or the milliseconds until there is one again.

        Not safe to repeat blindly: a repeat takes another token.
        """

    async def give_back(self, uid: Uid, action: str, *, per_minute: int, burst: int) -> None:
        """Put a token back: the action it was taken for did not happen (SEC-23)."""

    async def failures(self, address: str, action: str) -> int:
        """Return the failures of an address in its running window."""

    async def fail(self, address: str, action: str, *, window_ms: int) -> int:
        """Count a failure of an address and return their number; the first one starts a window."""


# --- repeats ---------------------------------------------------------------------------------------------------------


class Repeats(Protocol):
    """First replies by message id, for 10 minutes (MAGI-45)."""

    async def reserve(self, uid: Uid, id_: str, sid: str) -> bytes | None:
        """Reserve an id for ``sid``; return ``None`` if it may proceed, or the reply that was kept.

        A reservation left behind by another session, which therefore never replied, is taken over.
        """

    async def keep(self, uid: Uid, id_: str, reply: bytes) -> None:
        """Keep the first reply to a reserved id. It holds no content."""

    async def drop(self, uid: Uid, id_: str) -> None:
        """Give up a reservation: the request had no effect and may be tried again."""


# --- leases ----------------------------------------------------------------------------------------------------------


class Leases(Protocol):
    """Which nodes live, and which sessions each of them holds."""

    async def renew(self, node: NodeInfo, *, ttl_ms: int, draining: bool) -> bool:
        """Extend a node's lease, or enter it. ``False``: it was reaped meanwhile and must take a new id (DEL-27).

        Renewing and reaping exclude each other. Also brings the clock up to date.
        """

    async def leave(self, node: str) -> None:
        """End a lease in order; the node has no sessions any more."""

    async def alive(self, node: str) -> bool:
        """Tell whether a node has a lease now."""

    async def nodes(self) -> tuple[NodeInfo, ...]:
        """Return the nodes that have a lease."""

    async def lapsed(self) -> tuple[str, ...]:
        """Return nodes that neither have a lease nor left in order, and nodes being reaped."""

    async def reap(self, node: str) -> bool:
        """Declare a node without a lease dead, in one step; ``False`` if it lives after all. Repeatable."""

    async def forget(self, node: str) -> None:
        """Remove all traces of a reaped node whose sessions are cleared."""

    async def note(self, presence: Presence) -> None:
        """Enter a session, or what it is called now, in its node's index, so that it can be cleared if the node dies."""

    async def unnote(self, node: str, sid: str) -> None:
        """Remove a session from its node's index."""

    def noted(self, node: str) -> AsyncIterator[Presence]:
        """Iterate over the sessions in a node's index; entries may be removed meanwhile."""

    async def store_up_seconds(self) -> float:
        """Return for how long the store has been up and reachable without a break, as far as this process knows."""


# --- statistics and jobs ---------------------------------------------------------------------------------------------


class Tallies(Protocol):
    """Cluster-wide numbers (WIRE-12)."""

    async def report(self, node: str, tally: NodeTally, counted: Counts, *, ttl_ms: int) -> None:
        """Publish a node's numbers and add ``counted`` to the totals. A repeat counts twice; totals are not exact."""

    async def read(self) -> ClusterTally:
        """Return the numbers of all nodes that have a lease and the totals."""


class Jobs(Protocol):
    """One holder for each of the worker's jobs."""

    async def hold(self, job: str, holder: str, *, ttl_ms: int) -> bool:
        """Become or stay the holder of a job, in one step; ``False`` if somebody else is."""


@dataclass(frozen=True, slots=True)
class Store:
    """All ports of one store."""

    clock: Clock
    names: Names
    users: Users
    links: Links
    invites: Invites
    wakes: Wakes
    limits: Limits
    repeats: Repeats
    leases: Leases
    tallies: Tallies
    jobs: Jobs
