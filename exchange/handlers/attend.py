"""Become the current connection of a slot (CORAL-6 to CORAL-15, CORAL-25).

Index entry, confirmed subscription, slot; then the reply; then what arrived meanwhile. So nothing that the peer sends after
it has heard of this connection is missed, and a worker finds the slot if this node dies. What a failure leaves is undone in
the background.
"""

from typing import TYPE_CHECKING

import structlog

from exchange.core.commands import Attend, Attended, Ignored
from exchange.core.errors import PairingUnusable, PairUnknown, RoleUnknown
from exchange.core.model import Presence
from exchange.core.pairs import End, PairId, Role
from exchange.core.session import Session, State
from exchange.entropy import new_id
from exchange.farewell import say_farewell_to_slot
from exchange.front import Settle

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

log = structlog.get_logger()

REPLACED_MOST = 6
"""Replacements of one slot a minute; with more, two programs probably share a token (CORAL-26)."""

ROLES = {role.value: role for role in Role}


def attending(exchange: "Exchange", session: Session, command: Attend, settle: Settle) -> bool:  # noqa: ARG001
    """Ignore whoever has its place already (CORAL-10)."""
    if session.end is None:
        return False
    settle.settle(Ignored())
    return True


async def attend(exchange: "Exchange", session: Session, command: Attend) -> Attended:
    """Enter a slot, and replace whoever was there.

    Raises:
        PairingUnusable: There is nothing that could be a token.
        PairUnknown: The token is not valid, or not any more.
        RoleUnknown: The token is.
        Unavailable: The store failed. The slot is freed in the background if it was taken.
    """
    if command.token is None:
        raise PairingUnusable
    pairs = exchange.store.pairs
    pair = pairs.pair_of(command.token)
    if not await pairs.exists(pair):
        raise PairUnknown
    role = ROLES.get(command.role)
    if role is None:
        raise RoleUnknown(command.role)
    presence = Presence(session.sid, pair, "", exchange.node, session.dialect, session.address, role=role)
    await exchange.store.leases.note(presence)
    exchange.switchboard.expect(pair, role)
    try:
        attended = await _enter(exchange, session, pair, role)
    except BaseException:
        session.end = None
        session.sid = new_id()  # whoever tries again is another session, which the undoing does not touch
        exchange.spawn(exchange.insist(lambda: say_farewell_to_slot(exchange.store, presence), "slot.undo"))
        exchange.switchboard.settle(pair, role)
        raise
    session.after.append(lambda: _go_live(exchange, session, pair, role))
    return attended


async def _enter(exchange: "Exchange", session: Session, pair: PairId, role: Role) -> Attended:
    store = exchange.store
    await store.slots.listen(pair, role)
    entered = await store.pairs.enter(pair, role, session.sid, exchange.node)
    if entered is None:
        raise PairUnknown
    session.end = End(pair, role, entered.number)
    exchange.switchboard.seat(session, paired=entered.paired)
    session.state = State.IDENTIFIED
    log.info("slot.entered", client=session.client, dialect=session.dialect, role=role.value, paired=entered.paired)
    if entered.replaced_count > REPLACED_MOST:
        log.warning(
            "slot.contested", dialect=session.dialect, pair=pair[:8], role=role.value, replaced=entered.replaced_count
        )
    return Attended(entered.paired, entered.usage)


async def _go_live(exchange: "Exchange", session: Session, pair: PairId, role: Role) -> None:
    exchange.switchboard.go_live(session)
    exchange.switchboard.settle(pair, role)
