"""Have nothing to do with a user any more, or allow it again (MAGI-45: ``block``, ``unblock``)."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from exchange.core.commands import Block, Blocked, Unblock, Unblocked
from exchange.core.errors import BlockedByYou, NameUnusable, NotConnected, Unusable
from exchange.core.ids import Uid
from exchange.core.links import LinkTable
from exchange.core.model import Standing
from exchange.core.session import Session
from exchange.core.user import LocalUser
from exchange.handlers.friends import part
from exchange.handlers.once import once

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

BLOCKED_MOST = 1_000
"""Names that a user may have blocked."""


async def block(exchange: "Exchange", session: Session, command: Block) -> Blocked:
    """End the friendship with whoever has this name, if there is one, and allow none from now on.

    What it has written and was not delivered yet is removed; it is told of the end of the friendship and of nothing else.
    The name need not be known to anybody. If it is known whose it is, that user is blocked under every other name too.

    Raises:
        NameUnusable: There is no name.
        Unusable: The user has blocked as many as it may.
    """
    return await once(exchange, session, command, lambda: _block(exchange, session, command.name))


async def unblock(exchange: "Exchange", session: Session, command: Unblock) -> Unblocked:
    """Allow friendships with whoever has this name, or had it when it was blocked, whether or not it was.

    Raises:
        NameUnusable: There is no name.
    """
    return await once(exchange, session, command, lambda: _unblock(exchange, session, command.name))


async def check_blocks(exchange: "Exchange", user: LocalUser, inviter: Uid, standing: Standing) -> None:
    """Look whether a friendship is allowed by both.

    Raises:
        BlockedByYou: ``user`` has blocked the inviter.
        NotConnected: The inviter has blocked ``user``. As of somebody who is gone: nobody learns that they are blocked.
    """
    blocks = exchange.store.links.blocks
    by_user, by_inviter = await asyncio.gather(
        blocks(user.uid, standing.name, inviter), blocks(inviter, user.name, user.uid)
    )
    if by_user is not None:
        raise BlockedByYou(by_user)
    if by_inviter is not None:
        raise NotConnected(standing.nick)


async def _block(exchange: "Exchange", session: Session, name: str | None) -> Blocked:
    if name is None:
        raise NameUnusable
    user, store = session.identified(), exchange.store
    friend, holder = user.links.named(name), await store.names.find(name, session.dialect)
    peers = {friend.peer} if friend is not None else set()
    if holder is not None and holder != user.uid:
        peers.add(holder)
    # Before the friendship ends, so that none is made in between: a redeem under way either sees this, or is seen here.
    await _enter(exchange, user, name, peers)
    rev, links = await store.links.table(user.uid)
    friend = LinkTable(links, rev).named(name)
    if friend is not None and friend.peer not in peers:
        peers.add(friend.peer)
        await _enter(exchange, user, name, {friend.peer})
    for link in links:
        if link.peer in peers:
            await part(exchange, user, link)
    for peer in peers:
        # Not before: until its end was gone it could write. It cannot be named again, so this must not be left undone.
        await exchange.see_to(partial(store.mailboxes.purge, user.uid, peer), "mail.purge")
    return Blocked(name)


async def _enter(exchange: "Exchange", user: LocalUser, name: str, peers: set[Uid]) -> None:
    if not await exchange.store.links.block(user.uid, name, peers, most=BLOCKED_MOST):
        raise Unusable("username")


async def _unblock(exchange: "Exchange", session: Session, name: str | None) -> Unblocked:
    if name is None:
        raise NameUnusable
    await exchange.store.links.unblock(session.identified().uid, name)
    return Unblocked(name)
