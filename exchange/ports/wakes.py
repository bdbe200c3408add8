"""The channels of users."""

from typing import Protocol

from exchange.core.errors import StorageUnavailable
from exchange.core.ids import Uid
from exchange.core.model import Envelope
from exchange.core.wakes import Wake


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
