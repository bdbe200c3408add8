"""Make two users friends in the store, so that both tables agree whatever else happens meanwhile (DEL-42).

The table of the smaller uid is written first, whoever redeems, and what connection it gives counts for the other one: two
who redeem each other's invitations at the same time make one friendship. Blocks are looked at again when both ends are
written: whoever blocks meanwhile either is seen here, or finds the friendship and ends it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from exchange.core.errors import BlockedByYou, NotConnected
from exchange.core.ids import Uid
from exchange.core.model import Link, Standing
from exchange.core.session import Session
from exchange.entropy import new_id
from exchange.handlers.block import check_blocks
from exchange.ports import Condition, Notice, PutWord

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

LOOK_AFTER_MS = 10_000
"""When a worker looks for half of a friendship: longer than a request may take (MAGI-10)."""


async def join(exchange: "Exchange", session: Session, inviter: Uid, standing: Standing, *, persist: bool) -> Link:
    """Write both ends of a friendship and return the caller's.

    If this raises, a friendship that was none before is none, and one that was made again is as it was.

    Raises:
        BlockedByYou: The caller has blocked the inviter meanwhile.
        NotConnected: The inviter has blocked the caller meanwhile.
    """
    user = session.identified()
    old = user.links.get(inviter)
    wanted = Link(
        inviter,
        new_id(),
        standing.name,
        standing.nick,
        waiting=standing.sessions_count == 0,
        persist=persist,
        features=standing.features,
        status=old.status if old is not None else "",
        capabilities=old.capabilities if old is not None else (),
    )
    # Nothing else has the id that is new: who was a friend before keeps that friendship.
    unwanted = wanted.connection
    try:
        link = await _write(exchange, session, standing, wanted)
        try:
            await check_blocks(exchange, user, inviter, standing)
        except (BlockedByYou, NotConnected):
            unwanted = link.connection
            raise
        return await _describe(exchange, user.uid, link)
    except BaseException:
        for owner, peer in ((user.uid, inviter), (inviter, user.uid)):
            _insist(exchange, partial(exchange.store.links.end, owner, peer, unwanted))
            if old is not None and persist and not old.persist:
                _insist(exchange, partial(_make_plain, exchange, owner, peer, old.connection))
        raise


def _insist(exchange: "Exchange", step: Callable[[], Awaitable[object]]) -> None:
    exchange.spawn(exchange.insist(step, "link.undo"))


async def _make_plain(exchange: "Exchange", owner: Uid, peer: Uid, connection: str) -> None:
    """Undo that a plain friendship was made persistent on one side."""
    _, links = await exchange.store.links.table(owner)
    for link in links:
        if (link.peer, link.connection, link.persist) == (peer, connection, True):
            await exchange.store.links.put(owner, replace(link, persist=False), notice=Notice.QUIET)


async def _describe(exchange: "Exchange", uid: Uid, link: Link) -> Link:
    """Return the caller's end with what the inviter is called by now: it knows of its friend too late to tell it."""
    standing = await exchange.store.users.standing(link.peer)
    if standing is None:
        return link
    now = replace(link, name=standing.name, nick=standing.nick, features=standing.features)
    if now != link:
        await exchange.store.links.put(uid, now, condition=Condition.LINKED)
    return now


async def _write(exchange: "Exchange", session: Session, standing: Standing, wanted: Link) -> Link:
    """Write both ends, the one in the table of the smaller uid first, and return the caller's.

    Another connection in the second table is what is left of a friendship that is just being ended: it goes.
    """
    user, links, inviter = session.identified(), exchange.store.links, wanted.peer

    async def offer(connection: str) -> tuple[str, bool]:
        mine = user.end_of(connection, persist=wanted.persist)
        return await _offer(exchange, session, inviter, standing, mine)

    if user.uid < inviter:
        link = (await links.put(user.uid, wanted)).link
        connection, here = await offer(link.connection)
        if connection != link.connection:
            await links.end(inviter, user.uid, connection)
            _, here = await offer(link.connection)
    else:
        # If we die in between, nothing of the caller shows that the inviter has half of a friendship (DEL-43).
        await exchange.store.dues.note(inviter, exchange.store.clock.now_ms() + LOOK_AFTER_MS)
        connection, here = await offer(wanted.connection)
        wanted = replace(wanted, connection=connection, waiting=not here)
        link = (await links.put(user.uid, wanted)).link
        if link.connection != connection:
            await links.end(user.uid, inviter, link.connection)
            link = (await links.put(user.uid, wanted)).link
    if link.waiting == here:
        # Not if the inviter, coming back, has said more of itself meanwhile.
        link = replace(link, waiting=not here)
        await links.put(user.uid, link, condition=Condition.LINKED)
    return link


async def _offer(
    exchange: "Exchange", session: Session, inviter: Uid, standing: Standing, mine: Link
) -> tuple[str, bool]:
    """Write the inviter's end, or have it wait for an inviter who is away.

    Returns the connection that it has now, and whether the inviter is here.
    """
    links = exchange.store.links
    put = await links.put(inviter, mine, notice=Notice.QUIET, condition=Condition.HERE)
    if put.word is not PutWord.ABSENT:
        return put.link.connection, True
    connection = mine.connection
    if mine.persist:
        # First, so that no crash leaves a friend whose name runs out; a name alone can be had by anybody.
        await exchange.store.names.keep(standing.name, session.dialect, inviter)
        connection = (await links.put(inviter, mine, notice=Notice.QUIET, unseen=True)).link.connection
    else:
        await links.set_aside(inviter, mine, keep_ms=exchange.policy.grace_ms)
    # It may have come back just before that.
    put = await links.put(inviter, replace(mine, connection=connection), notice=Notice.QUIET, condition=Condition.HERE)
    return (connection, False) if put.word is PutWord.ABSENT else (put.link.connection, True)
