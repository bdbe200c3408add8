"""What a fenced node does: attach every session again, under a new node id and a new session id (DEL-27).

The old sessions are being ended by whoever reaped the node. A session keeps its uid, its features and its token, and gets
back what still stands or is within the grace; the client is told of every friendship that is not there any more, and of
persistent friends who are not where they were.
"""

import asyncio
from functools import partial

import structlog

from exchange.core.errors import ExchangeError
from exchange.core.events import FriendCame, FriendChanged, FriendWent
from exchange.core.links import LinkTable, changed, differences
from exchange.core.session import State
from exchange.entropy import new_id
from exchange.front import Ending, Teller, Unsaid
from exchange.handlers.attach import attach
from exchange.handlers.claim import Displaced, reclaim
from exchange.handlers.exchange import Exchange
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

    await asyncio.gather(*(one(connection) for connection in roster if connection.session.state is State.IDENTIFIED))


async def _attach_again(exchange: Exchange, connection: Connection) -> None:
    session = connection.session
    user = session.identified()
    unsaid = exchange.hub.unseat(user)
    exchange.store.wakes.forget(user.uid)
    before, session.sid = session.sid, new_id()
    try:
        claimant = partial(reclaim, exchange, before=before, token=session.token)
        await attach(exchange, session, user.profile, claimant, user.uid)
    except ExchangeError as error:
        log.warning("session.lost", client=session.client, reason=str(error))
        session.user = None
        session.state = State.ANONYMOUS
        if isinstance(error, Displaced):
            connection.close(Ending.REPLACED)
        else:
            connection.close(Ending.STORE)
        return
    if not connection.open:
        # It broke off meanwhile, and its farewell was said to the session before this one.
        session.after.clear()
        await exchange.leave(session)
        return
    _tell_differences(connection, _as_told(user.links, unsaid), session.identified().links)
    await exchange.finish(session)


def _as_told(links: LinkTable, unsaid: Unsaid) -> LinkTable:
    """Return a table as the client knows it: without friends it has not heard of, and with those whose going it has not."""
    told = (unsaid.gone.get(link.peer, link) for link in links if link.peer not in unsaid.come)
    return LinkTable(told, links.rev)


def _tell_differences(teller: Teller, old: LinkTable, new: LinkTable) -> None:
    came, went = differences(old, new)
    for link in went:
        teller.tell(FriendWent(link.name, link.nick))
    for link in came:
        teller.tell(FriendCame(link))
    for _, link in changed(old, new):
        teller.tell(FriendChanged(link))
