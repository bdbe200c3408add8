"""What has to happen when a session ends, whoever sees to it: its own node, or a worker after the node died.

Every step compares before it changes anything, so the whole may be repeated, interrupted and repeated, or done by two at
the same time; each friend is still told exactly once (DEL-28, DEL-29). For a session that was taken over nothing is left
to be done but its index entry (MAGI-46).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from exchange.core.ids import Uid
from exchange.core.model import Link, Presence
from exchange.core.pairs import Role
from exchange.ports import Closed, Store

AT_ONCE_COUNT = 100
"""Friends who are told at the same time: somebody with many of them does not hold up everybody else."""


async def say_farewell(store: Store, presence: Presence, *, grace_ms: int, resume_ms: int) -> None:
    """End a session in the store: its links on both sides, its hold on the name, its index entry, in this order.

    One that holds a slot of a pair has none of these: see :func:`say_farewell_to_slot`.

    Persistent friends are told that it is away, the others that it is gone (MAGI-47). The name is let go only after all
    friends were told, so nobody comes back to friendships that are still being ended. The index entry goes last: as long
    as it is there, somebody comes back to finish.

    Args:
        store: The store.
        presence: The session as its node noted it.
        grace_ms: For how long a quick reconnect finds name and friendships again (MAGI-32); 0 for not at all.
        resume_ms: For how long a name with a token is kept for an owner who would come back to nothing else; with
            persistent friendships or mail it is kept without end.

    Raises:
        StorageUnavailable: Not finished; call again.
    """
    if presence.role:
        await say_farewell_to_slot(store, presence)
        return
    uid = presence.uid
    closed = await store.users.close(uid, presence.sid, grace_ms=grace_ms)
    end, mark_away = store.links.end, store.links.mark_away
    await _tell(closed.ended, lambda link: end(link.peer, uid, link.connection, keep_ms=grace_ms))
    await _tell(closed.staying, lambda link: mark_away(link.peer, uid, link.connection, closed.stamp))
    if closed.mail_until_ms:
        await store.dues.note(uid, closed.mail_until_ms)
    keep_ms = 0 if await _has_belongings(store, uid, closed) else resume_ms
    name = presence.name
    if presence.former and await store.names.find(presence.former, presence.dialect) == uid:
        # It never got as far as to let go of the name it had, so the other one is not its own.
        await store.names.forget(name, presence.dialect, presence.sid)
        name = presence.former
    await store.names.release(name, presence.dialect, presence.sid, grace_ms=grace_ms, keep_ms=keep_ms)
    await store.leases.unnote(presence.node, presence.sid)


async def say_farewell_to_slot(store: Store, presence: Presence) -> None:
    """End a session that holds a slot of a pair: free the slot and tell the peer, unless it was replaced (CORAL-14); then
    its index entry, last as in :func:`say_farewell`.

    Raises:
        StorageUnavailable: Not finished; call again.
    """
    await store.pairs.leave(presence.uid, Role(presence.role), presence.sid)
    await store.leases.unnote(presence.node, presence.sid)


async def _tell(friends: Sequence[Link], step: Callable[[Link], Awaitable[object]]) -> None:
    for start in range(0, len(friends), AT_ONCE_COUNT):
        await asyncio.gather(*(step(link) for link in friends[start : start + AT_ONCE_COUNT]))


async def _has_belongings(store: Store, uid: Uid, closed: Closed) -> bool:
    if closed != Closed():
        return closed.belongings
    # Nothing was closed: the session has the name and broke off before it was entered. Its user may be an old one.
    standing = await store.users.standing(uid)
    return standing is not None and standing.belongings
