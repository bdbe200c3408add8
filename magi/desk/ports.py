"""What the desk keeps beyond messages: consent, claims, drafts, audit, record.

``magi.desk.store.SqliteStore`` is the one implementation; :class:`DeskStore` is what the daemon is written against. Every
method that changes something is one transaction, committed when it returns; cancelling a call may leave it done. Times are
milliseconds since the epoch; a store knows the time itself. ``sender`` and ``username`` are names at the exchange,
``petname`` is the owner's own. No part decides anything: rules are in ``magi.desk.consent`` and its neighbours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from magi.client.model import Incoming, Kind, Origin, Outgoing
from magi.client.ports import Store
from magi.client.states import State

LEASE_MS = 5 * 60 * 1000
"""How long a claim lasts (CLI-27)."""


class Mode(StrEnum):
    """What a friend's question may start (CLI-33)."""

    ASK = "ask"
    AUTO = "auto"
    MUTE = "mute"


@dataclass(frozen=True, slots=True)
class Person:
    """What the owner decided about a user. A stranger has no petname and mode ``ask``."""

    username: str
    petname: str = ""
    mode: Mode = Mode.ASK
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """An open item, and who had it. ``session`` has it until ``until_ms``; both are empty when nobody has."""

    message: Incoming
    session: str = ""
    until_ms: int = 0
    tries: Mapping[str, int] = field(default_factory=dict)
    """How often each session took it, the present one included."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A message of ours in state ``held_here``, and why it waits: ``mode``, ``scan``, ``paused``."""

    message: Outgoing
    reason: str
    question: Incoming | None = None
    """What it would answer."""


@dataclass(frozen=True, slots=True)
class Left:
    """One row of the audit (CLI-36). ``by`` allowed it: ``owner``, ``mode``, ``responder``; ``how`` says with which rule.

    ``state`` is how the message stands now, ``None`` once the message itself is past its retention."""

    id: str
    at_ms: int
    to: str
    kind: Kind
    text: str
    origin: Origin
    by: str
    how: str
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How much waits (MCP-4). Muted and blocked users count nowhere; what is deferred or expired neither."""

    questions: Mapping[str, int] = field(default_factory=dict)
    """By username: questions and notes. One with a draft is under ``held``, not here."""
    answers: int = 0
    notices: int = 0
    held: int = 0


class Ledger(Protocol):
    """What the owner decided about each user, and about all of them.

    A user that is dropped from the friends keeps petname, mute and block, but no ``auto`` and no leave of :meth:`allow`: it
    comes again as anybody would.
    """

    async def person(self, username: str) -> Person:
        """Return what is decided about a user; the defaults for a stranger."""

    async def people(self) -> Sequence[Person]:
        """Return everybody about whom something is decided, by petname."""

    async def mode(self, username: str) -> Mode:
        """Return the mode of a user as it was set. A pause does not show here."""

    async def set_mode(self, username: str, mode: Mode) -> None:
        """Set the mode of a user. Anything but ``auto`` also ends what :meth:`allow` granted."""

    async def petname(self, username: str) -> str:
        """Return what the owner calls a user; empty if nothing."""

    async def set_petname(self, username: str, petname: str) -> bool:
        """Call a user ``petname``; ``False``, and no change, if somebody else is called so in any letter case.

        Which words may be petnames is not checked here (MCP-10).
        """

    async def username(self, petname: str) -> str:
        """Return whom the owner calls so, in any letter case; empty if nobody."""

    async def set_blocked(self, username: str, blocked: bool) -> None:
        """Have nothing to do with a user, or again. While blocked, what comes of it is kept settled as ``blocked``, without
        text; what was open of it is settled so too."""

    async def allow(self, username: str, until_ms: int, *, thread: str = "") -> None:
        """Let answers to a user leave unasked until a time; those of one thread if ``thread`` is set (CLI-33)."""

    async def allowed(self, username: str, *, thread: str = "") -> bool:
        """Tell whether :meth:`allow` covers an answer now: for the user, or for this thread."""

    async def pause(self, until_ms: int) -> None:
        """Pause until a time; 0 ends it, -1 is for ever."""

    async def paused(self) -> bool:
        """Tell whether a pause is on."""

    async def secret(self) -> bytes:
        """Return 32 random bytes, the same for as long as the store lives (CLI-39)."""


class Claims(Protocol):
    """Who looks at which item, so that five assistants do not answer one question (CLI-27)."""

    async def offered(self, session: str, kinds: Sequence[Kind] = (), *, limit: int = 100) -> Sequence[Offer]:
        """Return what a session may look at, oldest first, without claiming it.

        That is: open, not expired, not deferred, without a draft, of nobody muted or blocked, and not claimed by another
        session. What the session itself has, or had, is there too. An empty ``session`` sees only what nobody has.
        """

    async def claim(self, items: Sequence[Incoming], session: str, until_ms: int) -> Sequence[Incoming]:
        """Claim items, or renew claims; return those that the session has now. Settled ones, and those that another session
        has, are left out."""

    async def release(self, session: str) -> None:
        """Give back what a session has: it is gone."""

    async def defer(self, sender: str, id_: str, until_ms: int) -> bool:
        """Offer an item to nobody until a time, and end claims on it; ``False`` if it is settled or not known."""

    async def expire(self) -> Sequence[Incoming]:
        """Settle as ``expired`` the questions and notes that were not settled in time, and return them: their senders are to
        know. Drafts to them, and drafts that ran out themselves, end as ``expired`` too."""

    async def next_change_ms(self) -> int:
        """Return when the next claim, deferral, question or draft runs out; 0 if none will."""


class Drafts(Protocol):
    """What waits for the owner (CLI-33). A draft is withdrawn when its question is settled in another way."""

    async def hold(self, message: Outgoing, reason: str) -> bool:
        """Keep a message in state ``held_here``; ``False`` if its id is known already. Its question stays open, is offered to
        nobody, and claims on it end.

        Raises:
            AlreadySettled: The question was settled before, or has a draft already. Nothing was kept.
        """

    async def held(self) -> Sequence[Draft]:
        """Return all drafts, oldest first."""

    async def release(self, id_: str, *, text: str = "", by: str, how: str) -> Outgoing | None:
        """Put a draft into the outbox, with another text if one is given, and settle its question; ``None`` if there is no
        such draft any more: it was dropped, or ended with its question. The audit row is part of the step.
        """

    async def drop(self, id_: str) -> Outgoing | None:
        """Withdraw a draft; ``None`` if there is no such draft. Its question is offered again."""


class Audit(Protocol):
    """Everything that left (CLI-36). ``put_out`` and ``Drafts.release`` write the row in the same step as the message."""

    async def permit(self, id_: str, *, by: str, how: str) -> None:
        """Say who allows a message before it is put into the outbox. Without this its row says ``by`` nobody."""

    async def left(self, *, to: str = "", since_ms: int = 0, limit: int = 100) -> Sequence[Left]:
        """Return the newest rows, oldest first."""

    async def count(self, to: str, kind: Kind, *, by: str = "", since_ms: int = 0) -> int:
        """Return how many messages of a kind left to a user since a time; only those ``by`` one if it is set (CLI-40)."""


class Record(Protocol):
    """Looking back, and keeping the record small."""

    async def history(self, who: str = "", *, search: str = "", limit: int = 50) -> Sequence[Incoming | Outgoing]:
        """Return the newest messages in and out, newest last; with one user, and with ``search`` in the text (any letter case
        of ASCII; no wildcards). What only reports a state is left out."""

    async def thread(self, thread: str, *, limit: int = 100) -> Sequence[Incoming | Outgoing]:
        """Return the newest messages of a thread, newest last."""

    async def starting_in(self, start: str) -> Sequence[Incoming]:
        """Return messages to us whose id starts so, newest first, at most 10."""

    async def starting_out(self, start: str) -> Sequence[Outgoing]:
        """Return messages of ours whose id starts so, newest first, at most 10."""

    async def said(self, to: str, text: str, *, since_ms: int) -> bool:
        """Tell whether an ask or note with this very text was put for a user since a time (CLI-38)."""

    async def open_count(self, to: str) -> int:
        """Return how many asks to a user have no final state (CLI-38)."""

    async def waiting(self, session: str = "") -> Counts:
        """Return how much waits: drafts, and what :meth:`Claims.offered` has for a session, so nothing that another one has."""

    async def full(self) -> bool:
        """Tell whether open messages take ``inbox_bytes`` or more: new questions are to be declined as ``full`` (CLI-11)."""

    async def tidy(self) -> int:
        """Delete what is past its retention (CLI-18); return how many rows went. To be called at start and once an hour."""


class DeskStore(Store, Protocol):
    """Everything of one profile that outlives the process, but its settings and key."""

    @property
    def ledger(self) -> Ledger:
        """What the owner decided."""

    @property
    def claims(self) -> Claims:
        """Who looks at what."""

    @property
    def drafts(self) -> Drafts:
        """What waits for the owner."""

    @property
    def audit(self) -> Audit:
        """What left."""

    @property
    def record(self) -> Record:
        """What was said."""

    async def open(self) -> None:
        """Open the file, make it, or bring it to the present schema.

        Raises:
            ProfileError: It cannot be read: of a newer version, damaged, or readable by others. It is left as it is.
        """

    async def close(self) -> None:
        """Close the file. A second call does nothing."""
