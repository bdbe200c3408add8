"""Agree to a user who wants to redeem one's invitation (MAGI-45: ``confirm``)."""

from typing import TYPE_CHECKING

from exchange.core.commands import Confirm, Confirmed
from exchange.core.errors import InviteUnknown, NameUnusable
from exchange.core.session import Session
from exchange.handlers.once import once

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange


async def confirm(exchange: "Exchange", session: Session, command: Confirm) -> Confirmed:
    """Let a user redeem an own open invitation, in the place of whom was agreed to before.

    Raises:
        NameUnusable: There is no name.
        InviteUnknown: This user has no such open invitation.
    """
    return await once(exchange, session, command, lambda: _confirm(exchange, session, command))


async def _confirm(exchange: "Exchange", session: Session, command: Confirm) -> Confirmed:
    if command.name is None:
        raise NameUnusable
    uid = session.identified().uid
    if command.code is None or not await exchange.store.invites.confirm(command.code, uid, command.name):
        raise InviteUnknown
    return Confirmed(command.name)
