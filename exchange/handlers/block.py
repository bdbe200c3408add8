"""Have nothing to do with a user any more, or allow it again (MAGI-45: ``block``, ``unblock``)."""

from typing import TYPE_CHECKING

from exchange.core.commands import Block, Blocked, Unblock, Unblocked
from exchange.core.errors import NameUnusable
from exchange.core.session import Session
from exchange.handlers.friends import part
from exchange.handlers.once import once

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange


async def block(exchange: "Exchange", session: Session, command: Block) -> Blocked:
    """End the friendship with whoever has this name, if there is one, and allow none from now on.

    What it has written and was not delivered yet is removed; it is told of the end of the friendship and of nothing else.
    The name need not be known to anybody.

    Raises:
        NameUnusable: There is no name.
    """
    return await once(exchange, session, command, lambda: _block(exchange, session, command.name))


async def unblock(exchange: "Exchange", session: Session, command: Unblock) -> Unblocked:
    """Allow friendships with whoever has this name again, whether or not it was blocked.

    Raises:
        NameUnusable: There is no name.
    """
    return await once(exchange, session, command, lambda: _unblock(exchange, session, command.name))


async def _block(exchange: "Exchange", session: Session, name: str | None) -> Blocked:
    if name is None:
        raise NameUnusable
    user, store = session.identified(), exchange.store
    # First of all, so that no friendship is made in between.
    await store.links.block(user.uid, name)
    link = user.links.named(name)
    if link is not None:
        await part(exchange, user, link)
        # Not before: until its end was gone it could write. It cannot be named again, so this must not be left undone.
        await exchange.see_to(lambda: store.mailboxes.purge(user.uid, link.peer), "mail.purge")
    return Blocked(name)


async def _unblock(exchange: "Exchange", session: Session, name: str | None) -> Unblocked:
    if name is None:
        raise NameUnusable
    await exchange.store.links.unblock(session.identified().uid, name)
    return Unblocked(name)
