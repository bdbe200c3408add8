"""What a fenced node does: attach every session again, under a new node id and a new session id (DEL-27).

The old sessions are being ended by whoever reaped the node. A user who is still within the grace gets uid and friends
back; the client is told of every friendship that is not there any more, and of nothing else.
"""

import asyncio

import structlog

from exchange.core.errors import ExchangeError
from exchange.core.events import FriendWent
from exchange.core.links import differences
from exchange.core.session import State
from exchange.entropy import new_id
from exchange.front import Ending
from exchange.handlers.exchange import Exchange
from exchange.handlers.identify import attach
from exchange.node.connection import Connection
from exchange.node.roster import Roster

log = structlog.get_logger()

AT_ONCE_COUNT = 100


async def attach_all(exchange: Exchange, roster: Roster) -> None:
    """Attach all identified sessions again; close those that cannot be, so that their clients come back."""
    gate = asyncio.Semaphore(AT_ONCE_COUNT)

    async def one(connection: Connection) -> None:
        async with gate:
            await _attach_again(exchange, connection)

    await asyncio.gather(*(one(connection) for connection in roster if connection.session.user is not None))


async def _attach_again(exchange: Exchange, connection: Connection) -> None:
    session = connection.session
    user = session.identified()
    exchange.hub.unseat(user)
    exchange.store.wakes.forget(user.uid)
    session.sid = new_id()
    try:
        await attach(exchange, session, user.name, user.nick)
    except ExchangeError as error:
        log.warning("session.lost", client=session.client, reason=str(error))
        session.user = None
        session.state = State.ANONYMOUS
        connection.close(Ending.STORE)
        return
    if not connection.open:
        # It broke off meanwhile, and its farewell was said to the session before this one.
        session.after.clear()
        await exchange.leave(session)
        return
    _, went = differences(user.links, session.identified().links)
    for link in went:
        connection.tell(FriendWent(link.name, link.nick))
    await exchange.finish(session)
