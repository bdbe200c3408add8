"""Pass a question or an answer to a friend: the hot path (MAGI-12, MAGI-25 to MAGI-27, DEL-31).

The short way is synchronous: target from the cached table, one publish or one append, the receipt in its reply. Whatever
must ask the store first (a limit, a message id on the live tier, a name that is no friend's) takes the long way, which ends
in the same step. A message goes through the recipient's mailbox if both ends were granted ``offline`` (MAGI-48, DEL-4).
"""

import asyncio
from typing import TYPE_CHECKING

from exchange.core.commands import Reply, Send, Sent
from exchange.core.errors import (
    AlreadyExpired,
    AskLimit,
    ContentMissing,
    ExchangeError,
    NotConnected,
    NotLinked,
)
from exchange.core.features import IDS, OFFLINE
from exchange.core.links import ANY_FRIEND_WORDS
from exchange.core.model import Kind, Link
from exchange.core.session import Session
from exchange.core.user import LocalUser
from exchange.front import Settle
from exchange.handlers.deposit import Deposit
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
    to = command.to
    # A mailbox knows the ids of its mail; on the live tier, and for "any friend", the first reply has to be looked up.
    if (command.id and not (to and OFFLINE in session.features)) or not exchange.tenure.current():
        return False
    link = user.links.named(to) if to else _untargeted(session, user, command)
    if link is None:
        return False
    stored = bool(session.features) and _stored(session, link)
    if command.id and not stored:
        return False
    _check(exchange, session, link, command, stored=stored)
    if command.kind == _QUESTION and exchange.policy.asks_per_minute:
        return False
    if stored:
        Deposit(exchange, session, command, link, settle).send()
    else:
        Dispatch(exchange, user, command, link, settle).send()
    return True


async def forward_slowly(exchange: "Exchange", session: Session, command: Send) -> Sent:
    """Send after asking the store whatever has to be asked first.

    Raises:
        ExchangeError: Not sent, or not known to be sent (``Unavailable``).
    """
    link = session.identified().links.named(command.to) if command.to else None
    if link is not None and _stored(session, link):
        return await _forward(exchange, session, command)
    return await once(exchange, session, command, lambda: _forward(exchange, session, command))


async def _forward(exchange: "Exchange", session: Session, command: Send) -> Sent:
    user = session.identified()
    link = await _target(exchange, session, user, command)
    stored = _stored(session, link)
    _check(exchange, session, link, command, stored=stored)
    policy, limits = exchange.policy, exchange.store.limits
    limited = command.kind == _QUESTION and policy.asks_per_minute > 0
    if limited:
        wait_ms = await limits.take(user.uid, ACTION, per_minute=policy.asks_per_minute, burst=policy.asks_burst)
        if wait_ms:
            raise AskLimit(wait_ms)
    promise = _Promise()
    way = (
        Deposit(exchange, session, command, link, promise)
        if stored
        else Dispatch(exchange, user, command, link, promise)
    )
    way.send()
    outcome = await promise.outcome
    if limited and not way.forwarded:
        # Only asks that are forwarded count (MAGI-50).
        await limits.give_back(user.uid, ACTION, per_minute=policy.asks_per_minute, burst=policy.asks_burst)
    if isinstance(outcome, Sent):
        return outcome
    assert isinstance(outcome, ExchangeError)
    raise outcome


def _stored(session: Session, link: Link) -> bool:
    """Tell whether both ends want mail stored (MAGI-48)."""
    return OFFLINE in session.features and link.stores


def _untargeted(session: Session, user: LocalUser, command: Send) -> Link:
    if command.kind != _QUESTION:
        asker = user.links.get(session.last_asker)
        if asker is not None and not asker.waiting:
            return asker
    return user.links.latest()


def _check(exchange: "Exchange", session: Session, link: Link, command: Send, *, stored: bool) -> None:
    if link.waiting and not stored:
        raise NotConnected(link.nick)
    if command.body is None:
        raise ContentMissing
    late = command.expires_ms and IDS in session.features and command.expires_ms <= exchange.store.clock.now_ms()
    if late and not stored:
        raise AlreadyExpired


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
