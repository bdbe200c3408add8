"""What a user says of itself: what it is doing, and what it can do (MAGI-45)."""

from typing import TYPE_CHECKING

from exchange.core.commands import PresenceUpdated, SetPresence
from exchange.core.errors import Unusable
from exchange.core.session import Session
from exchange.handlers.once import once
from exchange.handlers.spread import spread

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

STATUSES = frozenset({"", "idle", "working", "blocked"})


async def set_presence(exchange: "Exchange", session: Session, command: SetPresence) -> PresenceUpdated:
    """Change status or capabilities or both; friends see it.

    Raises:
        Unusable: There is no such status.
    """
    return await once(exchange, session, command, lambda: _set(exchange, session, command))


async def _set(exchange: "Exchange", session: Session, command: SetPresence) -> PresenceUpdated:
    user = session.identified()
    status = user.status if command.status is None else command.status
    capabilities = user.capabilities if command.capabilities is None else command.capabilities
    if status not in STATUSES:
        raise Unusable("status")
    if (status, capabilities) != (user.status, user.capabilities):
        user.status, user.capabilities = status, capabilities
        await spread(exchange, user)
    return PresenceUpdated(status, capabilities)
