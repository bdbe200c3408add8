"""What arrives on a user's channel, in order. A wake may be lost; the link table and the mailbox are the truth.

Named tuples, because each travels as one array behind a byte that names its kind (``exchange.storage.redis.records``).
"""

from typing import NamedTuple

from exchange.core.ids import Offset, Uid
from exchange.core.model import Envelope, Link


class Linked(NamedTuple):
    """The recipient's link with ``peer`` was added or changed. ``prev`` is the table revision it was made on.

    ``announce`` asks to tell the client; without it only the table changes (another nickname, a friend who is here again).
    """

    rev: int
    prev: int
    announce: bool
    peer: Uid
    connection: str
    name: str
    nick: str
    made: int
    waiting: bool
    persist: bool = False
    features: tuple[str, ...] = ()
    status: str = ""
    capabilities: tuple[str, ...] = ()
    stamp: int = 0

    def link(self) -> Link:
        """Return the link as it stands now."""
        return Link(
            self.peer,
            self.connection,
            self.name,
            self.nick,
            self.made,
            self.waiting,
            self.persist,
            frozenset(self.features),
            self.status,
            self.capabilities,
            self.stamp,
        )


class Unlinked(NamedTuple):
    """The recipient's link with ``peer`` ended; its client is told."""

    rev: int
    prev: int
    peer: Uid
    connection: str


class Mail(NamedTuple):
    """Something was stored in the recipient's mailbox after ``prev``. A large envelope is left out: read it."""

    epoch: str
    prev: Offset
    offset: Offset
    envelope: Envelope | None


class Replaced(NamedTuple):
    """Another session of this user took over: every session but ``sid`` ends (MAGI-46)."""

    sid: str


Wake = Envelope | Linked | Unlinked | Mail | Replaced
