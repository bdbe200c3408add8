"""What arrives on a user's channel, in order. A wake may be lost; the link table and later the mailbox are the truth.

Named tuples, because each travels as one array behind a byte that names its kind (``exchange.storage.redis.records``).
"""

from typing import NamedTuple

from exchange.core.ids import Uid
from exchange.core.model import Envelope


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


class Unlinked(NamedTuple):
    """The recipient's link with ``peer`` ended; its client is told."""

    rev: int
    prev: int
    peer: Uid
    connection: str


Wake = Envelope | Linked | Unlinked
