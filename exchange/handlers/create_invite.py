"""Open an invitation (MAGI-20, MAGI-29)."""

from typing import TYPE_CHECKING

import structlog

from exchange.core.commands import CreateInvite, InviteCreated
from exchange.core.errors import TooManyInvites, Unavailable
from exchange.core.session import Session
from exchange.entropy import derived_code, new_code
from exchange.handlers.once import once
from exchange.ports import InviteWord

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

log = structlog.get_logger()

COLLISIONS_MOST = 8
"""Tries for a free code. With a million codes open one try in 2,000 collides; eight in a row do not happen."""


async def create_invite(exchange: "Exchange", session: Session, command: CreateInvite) -> InviteCreated:
    """Open an invitation and return its code, which is stored nowhere in the clear."""
    return await once(exchange, session, command, lambda: _create(exchange, session, command))


async def _create(exchange: "Exchange", session: Session, command: CreateInvite) -> InviteCreated:
    user = session.identified()
    policy = exchange.policy
    code = derived_code(user.uid, command.id, policy.code_characters) if command.id else ""
    for _ in range(COLLISIONS_MOST):
        code = code or new_code(policy.code_characters)
        word = await exchange.store.invites.open(
            code, user.uid, life_ms=policy.invite_life_ms, most=policy.open_invites
        )
        if word is InviteWord.OPEN:
            exchange.witness.invite("created")
            log.info("invite.created", code=code, user=user.name)
            expires_ms = exchange.store.clock.now_ms() + policy.invite_life_ms
            return InviteCreated(code, user.nick, policy.invite_life_ms, expires_ms)
        if word is InviteWord.FULL:
            raise TooManyInvites
        code = ""
    raise Unavailable
