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

from dataclasses import dataclass

from exchange.ports.clock import Clock
from exchange.ports.cluster import Jobs, Leases, Tallies
from exchange.ports.invites import ANYBODY, Invites, InviteWord, Peeked, Terms
from exchange.ports.limits import Limits, Repeats
from exchange.ports.links import Condition, Links, Notice, Put, PutWord
from exchange.ports.mail import Caps, Dues, Histories, Mailboxes, MailReceipt, Page, StoredWord
from exchange.ports.names import Claim, ClaimWord, Names
from exchange.ports.pairs import Allowances, Entered, Pairs, PassReceipt, SlotListener, Slots
from exchange.ports.users import Closed, Opened, Users
from exchange.ports.wakes import Listener, Receipt, Wakes

__all__ = [
    "ANYBODY",
    "Allowances",
    "Caps",
    "Claim",
    "ClaimWord",
    "Clock",
    "Closed",
    "Condition",
    "Dues",
    "Entered",
    "Histories",
    "InviteWord",
    "Invites",
    "Jobs",
    "Leases",
    "Limits",
    "Links",
    "Listener",
    "MailReceipt",
    "Mailboxes",
    "Names",
    "Notice",
    "Opened",
    "Page",
    "Pairs",
    "PassReceipt",
    "Peeked",
    "Put",
    "PutWord",
    "Receipt",
    "Repeats",
    "SlotListener",
    "Slots",
    "Store",
    "StoredWord",
    "Tallies",
    "Terms",
    "Users",
    "Wakes",
]


@dataclass(frozen=True, slots=True)
class Store:
    """All ports of one store."""

    clock: Clock
    names: Names
    users: Users
    links: Links
    invites: Invites
    wakes: Wakes
    mailboxes: Mailboxes
    dues: Dues
    histories: Histories
    limits: Limits
    repeats: Repeats
    leases: Leases
    tallies: Tallies
    jobs: Jobs
    pairs: Pairs
    slots: Slots
