"""Links that stand in one table only, and their end (DEL-43).

A friendship is two links, written one after the other. Whoever dies in between leaves a half: a friend who is no friend.
But a half is also what one sees who looks in between, so only what is still a half at a second look is ended.
"""

from exchange.core.ids import Uid
from exchange.core.model import Link
from exchange.ports import Store

AGAIN_MS = 10_000
"""Between the two looks: longer than a request may take (MAGI-10)."""


class Halves:
    """Looks at tables of links, and remembers what looked like a half."""

    def __init__(self, store: Store, *, grace_ms: int, again_ms: int = AGAIN_MS) -> None:
        self._store = store
        self._grace_ms = grace_ms
        self._again_ms = again_ms
        self._seen: dict[Uid, dict[tuple[Uid, str], int]] = {}
        """When halves were first seen: by owner, and by peer and connection."""

    async def look(self, uid: Uid) -> tuple[int, int]:
        """End the halves in a user's table that have been there for a while.

        Returns how many were ended, and how many are to be looked at again after ``again_ms``. Repeatable; another
        worker that begins anew only ends them later.

        Raises:
            StorageUnavailable: Not finished; look again.
        """
        now_ms = self._store.clock.now_ms()
        before, seen = self._seen.pop(uid, {}), dict[tuple[Uid, str], int]()
        ended_count = 0
        _, links = await self._store.links.table(uid)
        for link in links:
            if not await self._is_half(uid, link, now_ms):
                continue
            first_ms = before.get((link.peer, link.connection), now_ms)
            if now_ms - first_ms < self._again_ms:
                seen[link.peer, link.connection] = first_ms
            else:
                await self._end(uid, link)
                ended_count += 1
        if seen:
            self._seen[uid] = seen
        return ended_count, len(seen)

    async def _is_half(self, uid: Uid, link: Link, now_ms: int) -> bool:
        _, theirs = await self._store.links.table(link.peer)
        if any(back.peer == uid and back.connection == link.connection for back in theirs):
            return False
        if link.persist or not link.waiting:
            return True
        # The other end may be set aside for a peer who has just left (MAGI-28).
        standing = await self._store.users.standing(link.peer)
        return standing is None or now_ms - standing.left_ms >= self._grace_ms + self._again_ms

    async def _end(self, uid: Uid, link: Link) -> None:
        # The owner's end goes last: as long as it is there, somebody finds it.
        await self._store.links.end(link.peer, uid, link.connection)
        await self._store.links.end(uid, link.peer, link.connection)
