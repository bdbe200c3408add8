"""A user's own friendships: list them, end one for good (MAGI-47)."""

from typing import TYPE_CHECKING

import structlog

from exchange.core.commands import FriendList, ListFriends, Unfriend, Unfriended
from exchange.core.errors import FriendUnknown, NameUnusable, StorageUnavailable
from exchange.core.model import Link
from exchange.core.session import Session
from exchange.core.user import LocalUser
from exchange.handlers.once import once

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

log = structlog.get_logger()


async def list_friends(exchange: "Exchange", session: Session, command: ListFriends) -> FriendList:
    """Return all friendships, oldest first, as this client has been told of them."""
    del exchange, command
    return FriendList(tuple(sorted(session.identified().links, key=lambda link: link.made)))


async def unfriend(exchange: "Exchange", session: Session, command: Unfriend) -> Unfriended:
    """End a friendship on both sides. The friend sees it end; the caller, who has the reply, is not told besides.

    Raises:
        NameUnusable: There is no name.
        FriendUnknown: It is not exactly the name of a friend, here or away.
    """
    return await once(exchange, session, command, lambda: _unfriend(exchange, session, command))


async def _unfriend(exchange: "Exchange", session: Session, command: Unfriend) -> Unfriended:
    if command.name is None:
        raise NameUnusable
    user = session.identified()
    link = user.links.named(command.name)
    if link is None:
        raise FriendUnknown
    await part(exchange, user, link)
    return Unfriended(command.name)


async def part(exchange: "Exchange", user: LocalUser, link: Link) -> None:
    """End a friendship on both sides, with its history, and do not tell the user, whose wish it is.

    The user's own end goes last: as long as it is there, the user sees the friend and can try again.
    """
    hub, links, histories = exchange.hub, exchange.store.links, exchange.store.histories
    hub.hold(user)
    try:
        await links.end(link.peer, user.uid, link.connection)
        await histories.drop(link.peer, link.connection)
        await histories.drop(user.uid, link.connection)
        await links.end(user.uid, link.peer, link.connection)
        try:
            await hub.reload(user, known=frozenset({link.peer}))
        except StorageUnavailable:
            # The friendship has ended. The next wake will not fit the table's revision, and it will be read again then.
            user.links.drop(link.peer)
    finally:
        hub.release(user)
    log.info("users.parted", connection=link.connection, user1=user.name, user2=link.name)
