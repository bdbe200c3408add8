"""Use an invitation code (MAGI-22 to MAGI-24, MAGI-28 to MAGI-30, DEL-42).

The link is written on both sides before either is told, the caller is told first, and only then the inviter: an inviter
hears of a friend before it hears from it (MAGI-13), because the session's next command waits for all of this. Of two who
both want their friendships to persist the inviter may be away, for any time: it hears of the friend when it comes back.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from exchange.core import throttle
from exchange.core.commands import Redeem, Redeemed
from exchange.core.errors import (
    InviteExpired,
    InviteUnknown,
    NotConnected,
    OwnInvite,
    StorageUnavailable,
    TooManyAttempts,
    Unavailable,
    Unconfirmed,
)
from exchange.core.features import PERSIST
from exchange.core.ids import Uid
from exchange.core.model import Link, Standing
from exchange.core.session import Session
from exchange.core.user import LocalUser
from exchange.entropy import new_id
from exchange.handlers.block import check_blocks
from exchange.handlers.identify import identify
from exchange.handlers.join import join
from exchange.handlers.once import once
from exchange.ports import Condition, InviteWord, Notice

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

log = structlog.get_logger()

ACTION = "redeem"
CLAIM_MS = 60_000
SETTLE_SECONDS = 1.0
"""How long a reply waits for the code to be used up."""
BUSY_PAUSES_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4)
LAPSE_MARGIN_SECONDS = 0.25


async def redeem(exchange: "Exchange", session: Session, command: Redeem) -> Redeemed:
    """Make the caller and the inviter of a code friends. A refused redeem never uses the code up.

    Raises:
        TooManyAttempts: Too many wrong codes came from this connection or address; the code was not looked up.
        InviteUnknown, InviteExpired, OwnInvite, BlockedByYou: See there. Meant for another user it is unknown, too.
        NotConnected: The inviter has gone for longer than the grace, or wants nothing to do with the caller.
        Unconfirmed: The inviter has yet to agree to the caller.
    """
    identified = await identify(exchange, session, command.identify) if command.identify is not None else None
    user = session.identified()
    reply = await once(exchange, session, command, lambda: _redeem(exchange, session, user, command))
    return reply if identified is None else replace(reply, identified=identified)


async def _redeem(exchange: "Exchange", session: Session, user: LocalUser, command: Redeem) -> Redeemed:
    await _check_attempts(exchange, session)
    try:
        if command.code is None:
            raise InviteUnknown
        inviter, standing, persist = await _look_up(exchange, session, user, command.code)
        nonce = new_id()
        await _claim(exchange, command.code, user.uid, nonce)
    except (InviteUnknown, InviteExpired) as error:
        exchange.witness.invite("expired" if isinstance(error, InviteExpired) else "unknown")
        await _count_failure(exchange, session)
        raise
    settle = exchange.store.invites.settle
    code = command.code
    exchange.hub.hold(user)
    try:
        link = await join(exchange, session, inviter, standing, persist=persist)
    except BaseException:
        exchange.hub.release(user)
        exchange.spawn(exchange.insist(lambda: settle(code, inviter, nonce, commit=False), "invite.revert"))
        raise
    # From here on the friendship stands. Whatever the caller hears, the inviter is told and the hold ends.
    session.after.append(lambda: _announce(exchange, user, link))
    with suppress(TimeoutError):
        # Before the caller hears of it, so that a crash leaves no code whose use nobody knows. If it takes long it goes on
        # by itself: the claim keeps everybody else away.
        async with asyncio.timeout(SETTLE_SECONDS):
            await exchange.see_to(lambda: settle(code, inviter, nonce, commit=True), "invite.settle")
    try:
        await exchange.hub.reload(user, known=frozenset({inviter}))
    except StorageUnavailable:
        # The friendship stands. The next wake will not fit the table's revision, and it will be read again then.
        user.links.put(link)
    exchange.witness.invite("redeemed")
    log.info("users.connected", connection=link.connection, user1=link.name, user2=user.name)
    return Redeemed(link)


async def _check_attempts(exchange: "Exchange", session: Session) -> None:
    policy = exchange.policy
    now = exchange.store.clock.steady()
    if throttle.failures(session, now, policy.failures_window_ms / 1000) >= policy.failures_connection:
        exchange.witness.invite("limited")
        raise TooManyAttempts
    if await exchange.store.limits.failures(session.address, ACTION) >= policy.failures_address:
        exchange.witness.invite("limited")
        raise TooManyAttempts


async def _count_failure(exchange: "Exchange", session: Session) -> None:
    window_ms = exchange.policy.failures_window_ms
    throttle.fail(session, exchange.store.clock.steady(), window_ms / 1000)
    await exchange.store.limits.fail(session.address, ACTION, window_ms=window_ms)


async def _look_up(exchange: "Exchange", session: Session, user: LocalUser, code: str) -> tuple[Uid, Standing, bool]:
    """Check everything that needs no claim, in the order of MAGI-22; return the inviter and whether it is to persist."""
    peeked = await exchange.store.invites.peek(code, user.name)
    inviter = peeked.uid
    if peeked.word is InviteWord.EXPIRED:
        raise InviteExpired
    if peeked.word is InviteWord.UNKNOWN:
        raise InviteUnknown
    standing = await exchange.store.users.standing(inviter)
    if inviter == user.uid or (standing is not None and standing.name == user.name):
        exchange.witness.invite("own")
        raise OwnInvite
    if not peeked.fits:
        raise InviteUnknown
    if standing is None:
        raise NotConnected
    await check_blocks(exchange, user, inviter, standing)
    old = user.links.get(inviter)
    persist = (PERSIST in session.features and standing.persistent) or (old is not None and old.persist)
    if not persist and not standing.joinable(exchange.store.clock.now_ms(), exchange.policy.grace_ms):
        raise NotConnected(standing.nick)
    if peeked.unconfirmed:
        raise Unconfirmed(standing.nick)
    return inviter, standing, persist


async def _claim(exchange: "Exchange", code: str, redeemer: Uid, nonce: str) -> None:
    """Take the code, or wait for somebody who is just redeeming it: they may fail, and then it is still good."""
    for pause in (*BUSY_PAUSES_SECONDS, 0.0):
        word = await exchange.store.invites.claim(code, redeemer, nonce, claim_ms=CLAIM_MS)
        if word is InviteWord.CLAIMED:
            return
        if word is InviteWord.EXPIRED:
            raise InviteExpired
        if word is not InviteWord.BUSY:
            raise InviteUnknown
        await asyncio.sleep(pause)
    raise Unavailable


async def _announce(exchange: "Exchange", user: LocalUser, link: Link) -> None:
    """Tell the inviter who came, then work off what waited for the caller; give an inviter who is away its time."""
    mine = user.end_of(link.connection, persist=link.persist)
    try:
        if not link.waiting:
            put = exchange.store.links.put
            await exchange.see_to(
                lambda: put(link.peer, mine, notice=Notice.ANNOUNCE, condition=Condition.LINKED), "link.announce"
            )
    finally:
        exchange.hub.release(user)
    if link.waiting and not link.persist:
        lapses_seconds = exchange.policy.grace_ms / 1000 + LAPSE_MARGIN_SECONDS
        exchange.later(lapses_seconds, lambda: _lapse(exchange, user.uid, link))


async def _lapse(exchange: "Exchange", uid: Uid, link: Link) -> None:
    """End a friendship whose inviter did not come back within the grace (MAGI-28)."""

    async def end_unless_here() -> None:
        # What was set aside has run out by now: whoever is not in the table will not come into it any more.
        _, theirs = await exchange.store.links.table(link.peer)
        if not any(back.peer == uid and back.connection == link.connection for back in theirs):
            await exchange.store.links.end(uid, link.peer, link.connection)

    await exchange.insist(end_unless_here, "link.lapse")
