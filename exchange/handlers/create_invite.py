"""Open an invitation (MAGI-20, MAGI-29)."""

from typing import TYPE_CHECKING

import structlog

from exchange.core.commands import CreateInvite, InviteCreated
from exchange.core.errors import TooManyInvites, Unavailable, Unusable
from exchange.core.session import Session
from exchange.entropy import derived_code, new_code
from exchange.handlers.once import CODES_MOST, once
from exchange.ports import ANYBODY, InviteWord, Terms

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

log = structlog.get_logger()

CHARACTERS = range(6, 17)
"""Lengths of a code that an extended client may ask for."""


async def create_invite(exchange: "Exchange", session: Session, command: CreateInvite) -> InviteCreated:
    """Open an invitation and return its code, which is stored nowhere in the clear.

    To a plain client length and terms are unknown words: it gets the usual invitation.

    Raises:
        Unusable: There is no code of this length, or no user can have this name.
        TooManyInvites: The user has as many open ones as it may.
    """
    characters, terms = exchange.policy.code_characters, ANYBODY
    if session.features:
        characters = _characters(command, characters)
        terms = _terms(command)
    return await once(exchange, session, command, lambda: _create(exchange, session, command.id, characters, terms))


def _characters(command: CreateInvite, usual: int) -> int:
    if command.characters and command.characters not in CHARACTERS:
        raise Unusable("length")
    return command.characters or usual


def _terms(command: CreateInvite) -> Terms:
    if any(character < " " for character in command.for_name):
        raise Unusable("for")
    return Terms(command.for_name, command.confirm)


async def _create(exchange: "Exchange", session: Session, id_: str, characters: int, terms: Terms) -> InviteCreated:
    user, policy, invites = session.identified(), exchange.policy, exchange.store.invites
    for turn in range(CODES_MOST):
        code = derived_code(user.uid, id_, characters, turn) if id_ else new_code(characters)
        word = await invites.open(code, user.uid, life_ms=policy.invite_life_ms, most=policy.open_invites, terms=terms)
        if word is InviteWord.OPEN:
            exchange.witness.invite("created")
            log.info("invite.created", code=code, user=user.name)
            expires_ms = exchange.store.clock.now_ms() + policy.invite_life_ms
            return InviteCreated(code, user.nick, policy.invite_life_ms, expires_ms)
        if word is InviteWord.FULL:
            raise TooManyInvites
    raise Unavailable
