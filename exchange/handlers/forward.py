"""Pass a question or an answer to a friend: the hot path (MAGI-12, MAGI-25 to MAGI-27, DEL-31).

The short way is synchronous: target from the cached table, one publish, the receipt in its reply. Whatever must ask the
store first (a limit, a message id, a name that is no friend's) takes the long way, which ends in the same publish.
"""

import asyncio
from typing import TYPE_CHECKING

from exchange.core.commands import Reply, Send, Sent
from exchange.core.errors import (
    AskLimit,
    ContentMissing,
    ExchangeError,
    NotConnected,
    NotLinked,
)
from exchange.core.links import ANY_FRIEND_WORDS
from exchange.core.model import Kind, Link
from exchange.core.session import Session
from exchange.core.user import LocalUser
from exchange.front import Settle
from exchange.handlers.dispatch import Dispatch
from exchange.handlers.once import once

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

ACTION = "ask"
_QUESTION = int(Kind.QUESTION)


def forward(exchange: "Exchange", session: Session, command: Send, settle: Settle) -> bool:
    """Send at once if nothing has to be asked first; ``False``: take the long way.

    Raises:
        ExchangeError: Refused at once; ``settle`` is not called.
    """
    user = session.identified()
    if command.id or not exchange.tenure.current():
        return False
    to = command.to
    link = user.links.named(to) if to else _untargeted(session, user, command)
    if link is None:
        return False
    _check(link, command)
    if command.kind == _QUESTION and exchange.policy.asks_per_minute:
        return False
    Dispatch(exchange, user, command, link, settle).send()
    return True


async def forward_slowly(exchange: "Exchange", session: Session, command: Send) -> Sent:
    """Send after asking the store whatever has to be asked first.

    Raises:
        ExchangeError: Not sent, or not known to be sent (``Unavailable``).
    """
    return await once(exchange, session, command, lambda: _forward(exchange, session, command))


async def _forward(exchange: "Exchange", session: Session, command: Send) -> Sent:
    user = session.identified()
    link = await _target(exchange, session, user, command)
    _check(link, command)
    policy, limits = exchange.policy, exchange.store.limits
    limited = command.kind == _QUESTION and policy.asks_per_minute > 0
    if limited:
        wait_ms = await limits.take(user.uid, ACTION, per_minute=policy.asks_per_minute, burst=policy.asks_burst)
        if wait_ms:
            raise AskLimit(wait_ms)
    promise = _Promise()
    Dispatch(exchange, user, command, link, promise).send()
    outcome = await promise.outcome
    if isinstance(outcome, Sent):
        return outcome
    if limited and isinstance(outcome, NotConnected):
        # Only asks that are forwarded count (MAGI-50).
        await limits.give_back(user.uid, ACTION, per_minute=policy.asks_per_minute, burst=policy.asks_burst)
    assert isinstance(outcome, ExchangeError)
    raise outcome


def _untargeted(session: Session, user: LocalUser, command: Send) -> Link:
    if command.kind != _QUESTION:
        asker = user.links.get(session.last_asker)
        if asker is not None and not asker.waiting:
            return asker
    return user.links.latest()


def _check(link: Link, command: Send) -> None:
    if link.waiting:
        raise NotConnected(link.nick)
    if command.body is None:
        raise ContentMissing


async def _target(exchange: "Exchange", session: Session, user: LocalUser, command: Send) -> Link:
    """Resolve the target in the order of MAGI-27."""
    to = command.to
    if not to:
        return _untargeted(session, user, command)
    link = user.links.named(to)
    if link is not None:
        return link
    store = exchange.store
    uid = await store.names.find(to, session.dialect)
    if uid is not None:
        # A friend who has just taken this name: our table hears of it in a moment.
        link = user.links.get(uid)
        if link is not None:
            return link
        standing = await store.users.standing(uid)
        if standing is not None and standing.sessions_count:
            raise NotLinked(standing.nick)
    if to.lower() in ANY_FRIEND_WORDS:
        return _untargeted(session, user, command)
    return user.links.alike(to)


class _Promise:
    """A ``Settle`` to wait for."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[Reply | ExchangeError] = asyncio.get_running_loop().create_future()

    def settle(self, outcome: Reply | ExchangeError) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def proceed(self) -> None:
        """Nothing waits: the whole session does already."""

    def hold(self) -> bool:
        return True
