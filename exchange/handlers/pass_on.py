"""Pass a frame on to the peer (CORAL-16 to CORAL-23): one script call, whose word is the outcome.

Frames of one connection are sent, and answered, in order. A large one waits until the last large one has reached the peer's
socket, so a slow reader costs the store no more than one (DEL-40).
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from exchange.core.commands import Ignore, Ignored, Passed, PassOn, Ping, Ponged
from exchange.core.errors import (
    DailyQuotaExceeded,
    ExchangeError,
    MonthlyQuotaExceeded,
    PeerAbsent,
    PeerBusy,
    RateExceeded,
    RoleForbidden,
    StorageUnavailable,
)
from exchange.core.pairs import Passing
from exchange.core.session import Session
from exchange.front import Settle

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

REFUSALS: dict[Passing, type[ExchangeError]] = {
    Passing.RATE: RateExceeded,
    Passing.DAY: DailyQuotaExceeded,
    Passing.MONTH: MonthlyQuotaExceeded,
    Passing.OFFLINE: PeerAbsent,
    Passing.BUSY: PeerBusy,
}
"""What the sender is told. The frame of a connection that was replaced is dropped without a word (CORAL-24)."""


def pass_on(exchange: "Exchange", session: Session, command: PassOn, settle: Settle) -> bool:
    """Send at once; ``False``: a large frame has to wait for the one before it.

    Raises:
        RoleForbidden: The other side of a pairing sends such frames.
        Unavailable: The session has no place any more.
    """
    _check(session, command)
    return exchange.switchboard.pass_on(session, command.frame, partial(_settle, settle))


async def pass_on_slowly(exchange: "Exchange", session: Session, command: PassOn) -> Passed:
    """Send once the large frame before it has arrived.

    Raises:
        PeerBusy: It has not arrived in time; nothing was sent.
        ExchangeError: Refused.
    """
    await exchange.switchboard.handed_over(session)
    outcome: asyncio.Future[Passing | StorageUnavailable] = asyncio.get_running_loop().create_future()
    if not exchange.switchboard.pass_on(session, command.frame, partial(_resolve, outcome)):
        raise PeerBusy
    return _outcome(await outcome)


def pong(exchange: "Exchange", session: Session, command: Ping, settle: Settle) -> bool:  # noqa: ARG001
    """Answer that we are there."""
    settle.settle(Ponged())
    return True


def ignore(exchange: "Exchange", session: Session, command: Ignore, settle: Settle) -> bool:  # noqa: ARG001
    """Do nothing."""
    settle.settle(Ignored())
    return True


def _check(session: Session, command: PassOn) -> None:
    if command.only is not None and command.only is not session.attending().role:
        raise RoleForbidden


def _settle(settle: Settle, outcome: Passing | StorageUnavailable) -> None:
    try:
        settle.settle(_outcome(outcome))
    except ExchangeError as error:
        settle.settle(error)


def _outcome(outcome: Passing | StorageUnavailable) -> Passed:
    if isinstance(outcome, StorageUnavailable):
        raise outcome
    refusal = REFUSALS.get(outcome)
    if refusal is not None:
        raise refusal
    return _PASSED


def _resolve(future: "asyncio.Future[Passing | StorageUnavailable]", outcome: Passing | StorageUnavailable) -> None:
    if not future.done():
        future.set_result(outcome)


_PASSED = Passed()
