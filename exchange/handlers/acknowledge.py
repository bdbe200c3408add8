"""Take the acknowledgement of mail (DEL-37). Nothing is asked first, and no wire has words for the reply."""

from typing import TYPE_CHECKING

from exchange.core.commands import Ack, Acked
from exchange.core.errors import NeverDelivered, Unusable
from exchange.core.session import Session
from exchange.front import Settle

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange


def acknowledge(exchange: "Exchange", session: Session, command: Ack, settle: Settle) -> bool:
    """Let the mailbox forget everything up to an offset.

    Raises:
        Unusable: There is no offset.
        NeverDelivered: Nothing with such an offset was ever delivered to this user.
    """
    if command.upto is None:
        raise Unusable("upTo")
    if not exchange.hub.ack(session.identified(), command.upto):
        raise NeverDelivered
    settle.settle(Acked())
    return True
