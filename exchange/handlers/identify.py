"""Who a session is: say so, come back with a token, change name, nickname or features (MAGI-17 to MAGI-19, MAGI-45, -46)."""

from functools import partial
from typing import TYPE_CHECKING

import structlog

from exchange.core.commands import Identified, Identify
from exchange.core.errors import NameUnusable, StorageUnavailable
from exchange.core.features import OFFLINE, RESUME, grant
from exchange.core.model import Profile
from exchange.core.session import Session
from exchange.core.user import LocalUser
from exchange.entropy import new_token
from exchange.handlers.attach import attach
from exchange.handlers.claim import claim, guard, resume
from exchange.handlers.move import move
from exchange.handlers.spread import spread

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

log = structlog.get_logger()


async def identify(exchange: "Exchange", session: Session, command: Identify) -> Identified:
    """Make the session the user it says it is.

    Features that are not mentioned stay as they are; a list replaces them.

    Raises:
        NameUnusable: There is no name, or it cannot be one.
        NameTaken: Another live session holds it, or it waits for whoever has its token. The session keeps the identity
            it had.
        TokenInvalid: The token is not one of this name, or was replaced and the new one used. As above.
    """
    name = command.name
    if name is None:
        raise NameUnusable
    features = session.features
    if command.features is not None:
        features = grant(command.features, exchange.policy.available)
    profile = Profile(name, command.nick, features)
    if session.user is None:
        token = await _arrive(exchange, session, profile, command.token)
    else:
        token = await _change(exchange, session, session.user, profile, command.token)
    log.info("user.identified", client=session.client, user=name, nick=command.nick)
    return Identified(name, command.nick, None if command.features is None else features, token)


async def _arrive(exchange: "Exchange", session: Session, profile: Profile, proof: str) -> str:
    """Attach an anonymous session; return its token, if it wants one."""
    session.features = profile.features  # a refusal may say more to those who understand more
    token = new_token() if RESUME in profile.features else ""
    claimant = partial(resume, exchange, proof=proof, token=token) if proof else partial(claim, exchange, token=token)
    await attach(exchange, session, profile, claimant)
    session.token = token or proof
    return token


async def _change(exchange: "Exchange", session: Session, user: LocalUser, profile: Profile, proof: str) -> str:
    """Change what the user is called and what it understands; return a token if it needs a new one."""
    moves = profile.name != user.name
    if proof:
        # It proves who the session is. To come back as somebody else takes a new connection (MAGI-46).
        await guard(exchange, exchange.presence(session), proof=proof)
    if moves:
        await move(exchange, session, user, profile)
    elif (user.nick, user.features) != (profile.nick, profile.features):
        user.nick, user.features = profile.nick, profile.features
        await spread(exchange, user)
    added = profile.features - session.features
    token = ""
    if RESUME in added or (moves and RESUME in profile.features):
        # Last of all: whatever fails before, the token that the client has is the one that counts.
        token = new_token()
        await guard(exchange, exchange.presence(session), proof=session.token, token=token)
        session.token = token
    if OFFLINE in added:
        session.after.append(lambda: _begin_mail(exchange, user))
    elif OFFLINE in session.features - profile.features:
        exchange.hub.end_mail(user)
    session.features = profile.features
    return token


async def _begin_mail(exchange: "Exchange", user: LocalUser) -> None:
    hub = exchange.hub
    hub.hold(user)
    try:
        state, _ = await exchange.store.mailboxes.state(user.uid)
        await hub.begin_mail(user, state)
    except StorageUnavailable:
        await hub.begin_mail(user, None)
        raise
    finally:
        hub.release(user)
