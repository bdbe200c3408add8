"""What has to happen when a session ends, whoever sees to it: its own node, or a worker after the node died.

Every step compares before it changes anything, so the whole may be repeated, interrupted and repeated, or done by two at
the same time; each friend is still told exactly once (DEL-28, DEL-29).
"""

import asyncio

from exchange.core.model import Presence
from exchange.ports import Store


async def say_farewell(store: Store, presence: Presence, *, grace_ms: int) -> None:
    """End a session in the store: its links on both sides, its hold on the name, its index entry, in this order.

    The name is let go only after all friends were told, so nobody comes back to friendships that are still being ended.
    The index entry goes last: as long as it is there, somebody comes back to finish.

    Args:
        store: The store.
        presence: The session as its node noted it.
        grace_ms: For how long a quick reconnect finds name and friendships again (MAGI-32); 0 for not at all.

    Raises:
        StorageUnavailable: Not finished; call again.
    """
    uid = presence.uid
    ended = await store.users.close(uid, presence.sid, grace_ms=grace_ms)
    await asyncio.gather(*(store.links.end(link.peer, uid, link.connection, keep_ms=grace_ms) for link in ended))
    await store.names.release(presence.name, presence.dialect, presence.sid, grace_ms=grace_ms)
    await store.leases.unnote(presence.node, presence.sid)
