"""Mailboxes, whom a worker has to look after, and histories."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from exchange.core.errors import StorageUnavailable
from exchange.core.ids import Offset, Uid
from exchange.core.model import (
    Envelope,
    Letter,
    MailState,
    Record,
    Undelivered,
)


class StoredWord(Enum):
    """What became of mail."""

    STORED = "stored"
    DUPLICATE = "duplicate"  # it was stored before: same sender, id and content
    CONFLICT = "conflict"  # another message of this sender has this id
    NOT_LINKED = "not_linked"  # the recipient has no link with the sender
    LATE = "late"  # its time is over, and it was not stored before
    FULL = "full"  # a cap would be exceeded; nothing was trimmed (DEL-41)


@dataclass(frozen=True, slots=True)
class Caps:
    """How much may wait in one mailbox, in all and of one sender, and how long repeats are known."""

    count: int = 10_000
    bytes: int = 64 * 1024 * 1024
    share_percent: int = 50
    inline_bytes: int = 16_384
    """Larger envelopes are left out of the wake."""
    dedupe_ms: int = 86_400_000
    dedupe_count: int = 50_000


class MailReceipt(Protocol):
    """Who waits to hear what became of one :meth:`Mailboxes.append`. Exactly one of the two is called, once."""

    def filed(self, word: StoredWord, offset: Offset, nodes_count: int) -> None:
        """It is stored, or refused. ``offset`` and ``nodes_count``, of the nodes that were woken, are those of the first
        time if it is a duplicate; both are empty if it was refused."""

    def failed(self, error: StorageUnavailable) -> None:
        """It was not sent, or nobody knows (``error.sent``), or it is not safe yet; the same id may be sent again."""


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a mailbox, oldest first. ``more`` tells whether there is mail behind it."""

    state: MailState
    letters: tuple[Letter, ...]
    more: bool


class Mailboxes(Protocol):
    """The stored tier: one durable stream of envelopes a user (DEL-6, DEL-36 to DEL-38, DEL-41)."""

    def append(self, uid: Uid, envelope: Envelope, until_ms: int, receipt: MailReceipt) -> None:
        """Store an envelope at the end of ``uid``'s mailbox and wake the node that holds its session, in one step.

        Whoever is woken finds the envelope. Only a linked sender may (``link.connection`` is not compared: a friendship
        that was made anew is one); notices (``model.NOTICES``) need no link. An ``until_ms`` of 0 only looks for a
        repeat. Synchronous, calls of one node take effect and their receipts are called in order: the hot path. At the
        level ``replicated`` the receipt waits for the replicas.
        """

    async def post(self, uid: Uid, envelope: Envelope, until_ms: int) -> StoredWord:
        """As :meth:`append`, for whoever wants to wait."""

    async def state(self, uid: Uid) -> tuple[MailState, int]:
        """Return where a mailbox stands, and the revision of its user's table of links (DEL-35)."""

    async def knows(self, uid: Uid, sender: Uid, id_: str) -> bool:
        """Tell whether a message of this sender was stored, within the dedupe time."""

    async def read(self, uid: Uid, after: Offset, *, count: int, bytes_: int) -> Page:
        """Return mail after an offset: at most ``count`` letters, and not more than ``bytes_`` but for the first one."""

    async def ack(self, uid: Uid, upto: Offset, epoch: str) -> bool:
        """Remove everything up to an offset. An older ``upto`` changes nothing; another ``epoch`` neither: ``False``."""

    async def attempt(self, uid: Uid, offset: Offset, *, most: int) -> int:
        """Count one more attempt to deliver a letter and return their number.

        Beyond ``most`` it is parked in the same step (:class:`Fate.PARKED`, :meth:`ended`) and 0 returned; 0 too if it is
        not there any more.
        """

    async def expire(self, uid: Uid, *, sid: str = "", count: int = 256) -> int:
        """End the mail that is past its time among the oldest ``count``; return when the next of them expires, 0 for never.

        While the user has a session, that session may be about to be given it: then only the session ``sid`` itself may
        ask, for what it was not given, and otherwise nothing ends and the answer is in a minute.
        """

    async def purge(self, uid: Uid, sender: Uid) -> int:
        """Remove all mail of a sender; nobody is told. Return how much it was."""

    async def ended(self, uid: Uid) -> tuple[Undelivered, ...]:
        """Return what ended without delivery and whose sender is not known to have been told; at most 256 of it."""

    async def told(self, uid: Uid, offset: Offset) -> None:
        """Forget an entry of :meth:`ended`: its sender has been told."""

    async def trim_parked(self, uid: Uid, *, before_ms: int) -> int:
        """Remove letters that were parked before a moment; return how many."""


class Dues(Protocol):
    """Whom a worker has to look after, and when: mail past its time, senders to be told, links that a death may have left
    half made. A hint, as to mailboxes repaired by :meth:`owners`."""

    async def note(self, uid: Uid, at_ms: int) -> None:
        """Have a user looked after from this moment on; an earlier note stays."""

    async def due(self, *, count: int) -> tuple[tuple[Uid, int], ...]:
        """Return users whose moment has come, with it; the longest overdue first."""

    async def settle(self, uid: Uid, seen_ms: int, next_ms: int) -> None:
        """Put the next moment (0: none) in the place of the one that was seen; an earlier note made meanwhile stays."""

    def owners(self) -> AsyncIterator[Uid]:
        """Iterate over everybody who has mail, parked letters, or senders to be told; goes through the whole store."""


class Histories(Protocol):
    """What was said in friendships whose two ends both wanted it kept (MAGI-49)."""

    async def add(self, uid: Uid, connection: str, record: Record, *, keep_ms: int) -> None:
        """Add to ``uid``'s side of a history. ``record.offset`` is ignored. Not safe to repeat: it adds twice."""

    async def read(self, uid: Uid, connection: str, before: Offset, *, count: int) -> tuple[tuple[Record, ...], bool]:
        """Return the newest ``count`` records before an offset (empty: of all), oldest first, and whether there are more."""

    async def drop(self, uid: Uid, connection: str) -> None:
        """Forget a history."""

    async def trim(self, *, before_ms: int) -> int:
        """Remove all records older than a moment, of everybody; return how many. Goes through the whole store."""
