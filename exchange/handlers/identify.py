"""Who a session is: claim a name, change it, change the nickname (MAGI-17 to MAGI-19, MAGI-32)."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from exchange.core.commands import Identified, Identify
from exchange.core.errors import NameTaken, NameUnusable, Unavailable
from exchange.core.events import FriendCame
from exchange.core.links import LinkTable
from exchange.core.model import Link, Presence
from exchange.core.session import Session, State
from exchange.core.user import LocalUser
from exchange.entropy import new_id
from exchange.farewell import say_farewell
from exchange.ports import Claim, ClaimWord, Condition, Notice, Opened, PutWord

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

log = structlog.get_logger()

LEAVING_PAUSES_SECONDS = (0.01, 0.03, 0.1, 0.3)
"""How long a claim waits for a holder without a session: it is taking leave, and the name comes free last."""


async def identify(exchange: "Exchange", session: Session, command: Identify) -> Identified:
    """Make the session the user it says it is.

    Raises:
        NameUnusable: There is no name, or it cannot be one.
        NameTaken: Another live session holds it. The session keeps the identity it had.
    """
    name, nick = command.name, command.nick
    if name is None:
        raise NameUnusable
    if session.user is None:
        await attach(exchange, session, name, nick)
    elif session.user.name == name:
        if session.user.nick != nick:
            await _spread(exchange, session.user, nick)
    else:
        await _move(exchange, session, session.user, name, nick)
    if command.features is not None:
        session.features = command.features
    log.info("user.identified", client=session.client, user=name, nick=nick)
    return Identified(name, nick, command.features)


async def attach(exchange: "Exchange", session: Session, name: str, nick: str) -> None:
    """Enter an anonymous session in the store, in the one order without a window for lost messages (DEL-23).

    Index entry, name, confirmed subscription, session. Wakes wait until the client has its reply. What a failure leaves
    is undone in the background; the index entry sees to it even if this node dies.
    """
    presence = Presence(session.sid, new_id(), name, exchange.node, session.dialect, session.address)
    await exchange.store.leases.note(presence)
    try:
        claim = await _claim(exchange, presence)
        if claim.uid != presence.uid:
            presence = replace(presence, uid=claim.uid)
            await exchange.store.leases.note(presence)
        await _enter(exchange, session, presence, nick)
    except BaseException:
        exchange.spawn(exchange.insist(lambda: _undo(exchange, presence), "session.undo"))
        raise


async def _enter(exchange: "Exchange", session: Session, presence: Presence, nick: str) -> None:
    hub, store = exchange.hub, exchange.store
    user = LocalUser(presence.uid, presence.name, nick)
    hub.seat(user, session)
    try:
        await store.wakes.listen(user.uid)
        opened = await store.users.open(presence, nick)
        links = await _restore(exchange, user, opened)
    except BaseException:
        hub.unseat(user)
        store.wakes.forget(user.uid)
        raise
    user.links = links
    session.user = user
    session.state = State.IDENTIFIED
    session.last_asker = ""

    async def go_live() -> None:
        for link in user.links:
            if link.peer in opened.waiting:
                # It redeemed our invitation while we were away (MAGI-28): we have not heard of it yet.
                hub.tell(user, FriendCame(link.connection, link.name, link.nick))
        hub.release(user)

    session.after.append(go_live)


async def _undo(exchange: "Exchange", presence: Presence) -> None:
    await say_farewell(exchange.store, presence, grace_ms=exchange.policy.grace_ms)


async def _claim(exchange: "Exchange", presence: Presence, *, keep_uid: bool = False) -> Claim:
    """Claim a name; wait a moment for a holder who is just leaving, and put aside one whose node is dead."""
    names, leases = exchange.store.names, exchange.store.leases
    for pause in (*LEAVING_PAUSES_SECONDS, 0.0):
        claim = await names.claim(presence.name, presence, keep_uid=keep_uid)
        if claim.word is not ClaimWord.TAKEN:
            return claim
        if not await leases.alive(claim.node):
            if await leases.store_up_seconds() < exchange.policy.store_up_seconds:
                # After an outage every lease is gone and nobody is dead: let the nodes renew first (DEL-28).
                raise Unavailable
            claim = await names.claim(presence.name, presence, keep_uid=keep_uid, evict=claim.holder)
            if claim.word is not ClaimWord.TAKEN:
                return claim
        holder = await exchange.store.users.standing(claim.uid)
        if holder is not None and holder.sessions_count:
            break
        await asyncio.sleep(pause)
    raise NameTaken


async def _restore(exchange: "Exchange", user: LocalUser, opened: Opened) -> LinkTable:
    """Give the friends of a quick reconnect their end back (MAGI-32); return the table with who is still here."""
    back = [link for link in opened.links if link.peer in opened.restored]
    stand = [link for link in opened.links if link.peer not in opened.restored]
    given = await asyncio.gather(*(_give_back(exchange, user, link, link.peer in opened.waiting) for link in back))
    return LinkTable((*stand, *(link for link in given if link is not None)), opened.rev)


async def _give_back(exchange: "Exchange", user: LocalUser, link: Link, waited: bool) -> Link | None:
    links = exchange.store.links
    mine = Link(user.uid, link.connection, user.name, user.nick)
    if waited:
        put = await links.put(link.peer, mine, notice=Notice.QUIET, condition=Condition.LINKED)
    else:
        put = await links.put(link.peer, mine, notice=Notice.ANNOUNCE, condition=Condition.HERE)
    if put.word is PutWord.ABSENT:
        # The friend is away too. Set our end aside again: the friend may still come back within the grace.
        await links.end(user.uid, link.peer, link.connection, keep_ms=exchange.policy.grace_ms)
        return None
    standing = await exchange.store.users.standing(link.peer)
    if standing is None or (standing.name, standing.nick) == (link.name, link.nick):
        return link
    # It took another name while we were away.
    link = replace(link, name=standing.name, nick=standing.nick)
    await links.put(user.uid, link, notice=Notice.QUIET, condition=Condition.LINKED)
    return link


async def _move(exchange: "Exchange", session: Session, user: LocalUser, name: str, nick: str) -> None:
    """Take another name along with uid, friends and invitations (MAGI-18, DEL-25)."""
    old_name = user.name

    async def release(unwanted: str) -> None:
        await exchange.store.names.release(unwanted, session.dialect, session.sid, grace_ms=0)

    presence = replace(exchange.presence(session), name=name)
    await _claim(exchange, presence, keep_uid=True)
    try:
        await exchange.store.leases.note(presence)
    except BaseException:
        exchange.spawn(exchange.insist(lambda: release(name), "name.release"))
        raise
    user.name = name
    await exchange.see_to(lambda: release(old_name), "name.release")
    await _spread(exchange, user, nick)


async def _spread(exchange: "Exchange", user: LocalUser, nick: str) -> None:
    """Let friends, and who looks the user up, see what it is called now."""
    user.nick = nick
    exchange.hub.changed()

    async def tell_store() -> None:
        await exchange.store.users.rename(user.uid, user.name, nick)
        mine = [(link.peer, Link(user.uid, link.connection, user.name, nick)) for link in user.links]
        put = exchange.store.links.put
        await asyncio.gather(*(put(peer, link, notice=Notice.QUIET, condition=Condition.LINKED) for peer, link in mine))

    await exchange.see_to(tell_store, "name.spread")
