"""What was said in a friendship, for its two ends (MAGI-49)."""

from typing import TYPE_CHECKING

from exchange.core.commands import HistoryPage, ReadHistory
from exchange.core.errors import FriendUnknown, Unusable
from exchange.core.ids import order
from exchange.core.session import Session

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

USUAL_COUNT = 50


async def read_history(exchange: "Exchange", session: Session, command: ReadHistory) -> HistoryPage:
    """Return part of a history, oldest first. Nothing is kept of the reply: a repeat reads again.

    Raises:
        FriendUnknown: This is not the connection of a persistent friendship of the user.
        Unusable: There is no such place in a history, or more was asked for than is given at once.
    """
    user = session.identified()
    if not any(link.persist and link.connection == command.connection for link in user.links):
        raise FriendUnknown
    assert command.connection is not None
    count = command.most or USUAL_COUNT
    if not 1 <= count <= exchange.policy.history_most:
        raise Unusable("limit")
    if command.before:
        try:
            order(command.before)
        except ValueError:
            raise Unusable("before") from None
    records, more = await exchange.store.histories.read(user.uid, command.connection, command.before, count=count)
    return HistoryPage(command.connection, records, more)
