"""Make a session the user it has claimed to be, in the one order without a window for lost messages (DEL-23).

Index entry, name, confirmed subscription, session; then the reply; then whom it has not heard of, its mail, and what was
held back meanwhile. What a failure leaves is undone in the background; the index entry sees to it even if this node dies.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from exchange.core.events import FriendCame
from exchange.core.features import OFFLINE
from exchange.core.ids import Uid
from exchange.core.links import LinkTable
from exchange.core.model import Link, Presence, Profile
from exchange.core.session import Session, State
from exchange.core.user import LocalUser
from exchange.entropy import new_id
from exchange.farewell import say_farewell
from exchange.handlers.spread import announce
from exchange.ports import Claim, ClaimWord, Condition, Notice, Opened, PutWord

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

Claimant = Callable[[Presence], Awaitable[Claim]]
"""Claims the name for the session (``exchange.handlers.claim``)."""


async def attach(exchange: "Exchange", session: Session, profile: Profile, claimant: Claimant, uid: Uid = "") -> None:
    """Enter an anonymous session in the store and on this node.

    Args:
        exchange: The exchange.
        session: It is identified afterwards. What is still to be done after the reply stands in ``session.after``.
        profile: Who it is.
        claimant: Claims the name.
        uid: Who it was before, if it was anybody; the claim may find that it is somebody else.

    Raises:
        ExchangeError: The name was refused, or the store failed.
    """
    presence = Presence(session.sid, uid or new_id(), profile.name, exchange.node, session.dialect, session.address)
    await exchange.store.leases.note(presence)
    try:
        claim = await claimant(presence)
        if claim.uid != presence.uid:
            presence = replace(presence, uid=claim.uid)
            await exchange.store.leases.note(presence)
        # A claim whose reply was lost is repeated, and finds itself: SAME may have been a proof.
        takeover = claim.word in {ClaimWord.RESUMED, ClaimWord.SAME}
        await _enter(exchange, session, presence, profile, takeover=takeover)
    except BaseException:
        # Undone in the background: whoever tries again is another session, which this does not touch (DEL-26).
        session.sid = new_id()
        exchange.spawn(exchange.insist(lambda: _undo(exchange, presence), "session.undo"))
        raise


async def _enter(
    exchange: "Exchange", session: Session, presence: Presence, profile: Profile, *, takeover: bool
) -> None:
    hub, store = exchange.hub, exchange.store
    if takeover:
        # From here on the end of the older session changes nothing, so its friends hear of no disconnect (MAGI-46); the
        # older session may be on this very node, and ends as soon as this one is seated.
        await store.users.open(presence, profile, takeover=True)
    user = LocalUser(presence.uid, profile.name, profile.nick, profile.features)
    user.status, user.capabilities = profile.status, profile.capabilities
    hub.seat(user, session)
    try:
        await store.wakes.listen(user.uid)
        opened = await store.users.open(presence, profile, takeover=takeover)
        user.generation = opened.generation
        user.links = await _restore(exchange, user, opened)
    except BaseException:
        hub.unseat(user)
        if not hub.holds(user.uid):
            store.wakes.forget(user.uid)
        raise
    session.user = user
    session.features = profile.features
    session.state = State.IDENTIFIED
    session.last_asker = ""
    standing = [link for link in user.links if link.peer not in opened.restored]
    session.after += [lambda: _go_live(exchange, user, opened), lambda: announce(exchange, user, standing)]


async def _go_live(exchange: "Exchange", user: LocalUser, opened: Opened) -> None:
    hub = exchange.hub
    try:
        for link in user.links:
            if link.peer in opened.waiting:
                # It redeemed our invitation while we were away (MAGI-28): we have not heard of it yet.
                hub.tell(user, FriendCame(link))
        if OFFLINE in user.features:
            await hub.begin_mail(user, opened.mail)
    finally:
        hub.release(user)


async def _undo(exchange: "Exchange", presence: Presence) -> None:
    policy = exchange.policy
    await say_farewell(exchange.store, presence, grace_ms=policy.grace_ms, resume_ms=policy.resume_ms)


async def _restore(exchange: "Exchange", user: LocalUser, opened: Opened) -> LinkTable:
    """Give the friends of a quick reconnect their end back (MAGI-32); return the table with who is still here."""
    back = [link for link in opened.links if link.peer in opened.restored]
    stand = [link for link in opened.links if link.peer not in opened.restored]
    given = await asyncio.gather(*(_give_back(exchange, user, link, link.peer in opened.waiting) for link in back))
    return LinkTable((*stand, *(link for link in given if link is not None)), opened.rev)


async def _give_back(exchange: "Exchange", user: LocalUser, link: Link, waited: bool) -> Link | None:
    links = exchange.store.links
    mine = user.end_of(link.connection)
    if waited:
        put = await links.put(link.peer, mine, notice=Notice.QUIET, condition=Condition.LINKED)
    else:
        put = await links.put(link.peer, mine, notice=Notice.ANNOUNCE, condition=Condition.HERE)
    if put.word is PutWord.ABSENT:
        # The friend is away too. Set our end aside again: the friend may still come back within the grace.
        await links.end(user.uid, link.peer, link.connection, keep_ms=exchange.policy.grace_ms)
        return None
    standing = await exchange.store.users.standing(link.peer)
    if standing is None:
        return link
    now = replace(link, name=standing.name, nick=standing.nick, features=standing.features)
    if now != link:
        # It took another name while we were away.
        await links.put(user.uid, now, notice=Notice.QUIET, condition=Condition.LINKED)
    return now
