"""Another name for a session that goes on (MAGI-18, DEL-25)."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from exchange.core.errors import NameTaken, StorageUnavailable
from exchange.core.model import Profile
from exchange.core.session import Session
from exchange.core.user import LocalUser
from exchange.handlers.claim import claim
from exchange.handlers.spread import spread

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange


async def move(exchange: "Exchange", session: Session, user: LocalUser, profile: Profile) -> None:
    """Take another name along with uid, friends, mail and invitations. The token is good for it too.

    The index entry names both first: whoever clears up after this node knows what may be held.

    Raises:
        NameTaken: Somebody has the name, or somebody else took over this session meanwhile.
    """
    presence = replace(exchange.presence(session), name=profile.name, former=user.name)
    session.wanted = profile.name
    try:
        await exchange.store.leases.note(presence)
        await claim(exchange, presence, token=session.token, keep_uid=True)
    except BaseException:
        session.wanted = user.name
        exchange.spawn(_forget(exchange, session, profile.name))
        raise
    # It goes on if the caller is cancelled: a repeat would find nothing left to do.
    await asyncio.shield(exchange.spawn(_leave_name(exchange, session, user, profile)))
    if user.name != profile.name:
        raise NameTaken


async def _leave_name(exchange: "Exchange", session: Session, user: LocalUser, profile: Profile) -> None:
    """Give up the old name for the one just claimed, or the other way round if the old one was taken over meanwhile.

    Nobody can take over between the two: the old name goes in the step that finds it still held.
    """
    old_name = user.name
    try:
        held = await exchange.store.names.forget(old_name, session.dialect, session.sid)
    except StorageUnavailable:
        # It may be gone already, so there is no way back.
        held = True
        exchange.spawn(_forget(exchange, session, old_name))
    if held:
        user.name, user.nick, user.features = profile.name, profile.nick, profile.features
        await spread(exchange, user)
    else:
        session.wanted = old_name
        await _forget(exchange, session, profile.name)


async def _forget(exchange: "Exchange", session: Session, name: str) -> None:
    """Let go of a name that the session does not want, unless it wants it again meanwhile."""

    async def forget() -> None:
        if name != session.wanted:
            await exchange.store.names.forget(name, session.dialect, session.sid)

    await exchange.insist(forget, "name.forget")
