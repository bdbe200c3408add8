"""The place of one user on this node."""

from exchange.core.ids import Uid
from exchange.core.session import Session
from exchange.core.user import LocalUser
from exchange.front import Teller, Unsaid
from exchange.node.delivery import Delivery
from exchange.node.flaps import Flaps


class Seat:
    """One user's place: its session and where events for it go.

    ``unannounced`` are friends who are in the table but whom the client has not heard of yet: a redeem writes the link
    first and has it announced after its own reply. If its node dies in between, nobody came and nobody goes.
    ``delivery`` is there if the session takes mail.
    """

    __slots__ = ("delivery", "flaps", "session", "teller", "unannounced", "user")

    def __init__(self, user: LocalUser, session: Session, teller: Teller) -> None:
        self.user = user
        self.session = session
        self.teller = teller
        self.unannounced: set[Uid] = set()
        self.flaps = Flaps()
        self.delivery: Delivery | None = None

    def end(self) -> Unsaid:
        """Nothing is told here any more, and what was acknowledged is passed on; return what was not told."""
        if self.delivery is not None:
            self.delivery.end()
        return Unsaid(frozenset(self.unannounced), self.flaps.clear())
