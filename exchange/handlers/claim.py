"""Whose a name is: the claims of a newcomer, of whoever comes back with a token, and of a session after a fence.

Each of them waits a moment for a holder without a session. It is taking leave: its friends are being told, and the name
comes free last (``exchange.farewell``).
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from exchange.core.errors import NameTaken, TokenInvalid, Unavailable
from exchange.core.ids import Uid
from exchange.core.model import Presence
from exchange.ports import Claim, ClaimWord

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

LEAVING_PAUSES_SECONDS = (0.01, 0.03, 0.1, 0.3)
"""How long a claim waits for a holder without a session."""


class Displaced(NameTaken):
    """Another session of this user goes on elsewhere."""


async def claim(exchange: "Exchange", presence: Presence, *, token: str = "", keep_uid: bool = False) -> Claim:
    """Claim a name without a proof, and issue ``token`` for it if there is one; put a holder aside whose node is dead.

    A name with a token counts as free only if nothing would be lost with its owner (MAGI-46).

    Raises:
        NameTaken: A session holds it, or whoever has its token might come back to something.
        Unavailable: After an outage nobody is known to be dead.
    """
    ask = partial(exchange.store.names.claim, presence.name, presence, token=token, keep_uid=keep_uid)
    for pause in (*LEAVING_PAUSES_SECONDS, 0.0):
        found, dead = await ask(), ""
        if found.word is ClaimWord.TAKEN and not await exchange.store.leases.alive(found.node):
            if await exchange.store.leases.store_up_seconds() < exchange.policy.store_up_seconds:
                # After an outage every lease is gone and nobody is dead: let the nodes renew first (DEL-28).
                raise Unavailable
            dead = found.holder
            found = await ask(evict=dead)
        if found.word is ClaimWord.GUARDED and await _has_nothing(exchange, found.uid):
            found = await ask(evict=dead, forfeit=found.uid)
        if found.word not in {ClaimWord.TAKEN, ClaimWord.GUARDED}:
            return found
        if found.word is ClaimWord.GUARDED or await _is_here(exchange, found.uid):
            break
        await asyncio.sleep(pause)
    raise NameTaken


async def resume(exchange: "Exchange", presence: Presence, *, proof: str, token: str = "") -> Claim:
    """Claim a name with the token ``proof``, also from a session that holds it, and issue ``token`` in its place.

    Without a ``token`` the old ones stay good.

    Raises:
        TokenInvalid: It was not issued for this name, or is not good any more.
    """
    ask = partial(exchange.store.names.claim, presence.name, presence, proof=proof, token=token)
    for pause in LEAVING_PAUSES_SECONDS:
        found = await ask(takeover=False)
        if found.word is not ClaimWord.TAKEN or await _is_here(exchange, found.uid):
            break
        await asyncio.sleep(pause)
    if found.word is ClaimWord.TAKEN:
        found = await ask()
    if found.word is ClaimWord.WRONG:
        raise TokenInvalid
    return found


async def guard(exchange: "Exchange", presence: Presence, *, proof: str, token: str = "") -> None:
    """Issue ``token``, if there is one, for the name that a session holds already; ``proof`` is good until it was used.

    Raises:
        TokenInvalid: ``proof`` was given, and is not a token of this name.
        NameTaken: Another session has just taken over.
    """
    names = exchange.store.names
    found = await names.claim(presence.name, presence, keep_uid=True, proof=proof, takeover=False, token=token)
    if found.word is ClaimWord.WRONG:
        raise TokenInvalid
    if found.word in {ClaimWord.TAKEN, ClaimWord.GUARDED}:
        raise NameTaken


async def reclaim(exchange: "Exchange", presence: Presence, *, before: str, token: str) -> Claim:
    """Claim a name again for a session whose node was declared dead; it keeps its uid and its token (DEL-27).

    Args:
        exchange: The exchange.
        presence: The session under its new sid.
        before: Its old sid, which may hold the name until its farewell is complete.
        token: The newest resume token of the session, empty if it has none.

    Raises:
        Displaced: Another session of this user took over.
        NameTaken: Somebody else has the name.
    """
    ask = partial(exchange.store.names.claim, presence.name, presence, keep_uid=True, takeover=False, token=token)
    for pause in (*LEAVING_PAUSES_SECONDS, None):
        found = await ask(proof=token)
        if found.word is ClaimWord.WRONG:
            # The store forgot the name, or a newer token was used: then it is held or guarded.
            found = await ask()
        if found.word is ClaimWord.TAKEN and found.holder == before:
            if pause is not None and not await _is_here(exchange, found.uid):
                await asyncio.sleep(pause)
                continue
            found = await ask(proof=token, evict=before)
        if found.word not in {ClaimWord.TAKEN, ClaimWord.GUARDED, ClaimWord.WRONG}:
            return found
        break
    raise Displaced if found.uid == presence.uid else NameTaken


async def _is_here(exchange: "Exchange", uid: Uid) -> bool:
    standing = await exchange.store.users.standing(uid)
    return standing is not None and standing.sessions_count > 0


async def _has_nothing(exchange: "Exchange", uid: Uid) -> bool:
    standing = await exchange.store.users.standing(uid)
    return standing is None or not (standing.sessions_count or standing.belongings)
