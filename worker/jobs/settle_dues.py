"""Look after the users whose moment has come: old mail ends, its senders are told, half-made links end (DEL-38, DEL-43)."""

import structlog

from exchange.core.errors import StorageUnavailable
from exchange.core.ids import Uid
from exchange.fates import AGAIN_MS, tell_fates
from exchange.ports import Store
from worker.halves import AGAIN_MS as LOOK_AGAIN_MS
from worker.halves import Halves
from worker.parallel import WIDTH_COUNT, for_each

log = structlog.get_logger()

ROUNDS_MOST = 200
"""In one run; what is left then is as due in the next."""

PUT_OFF_MS = 600_000
"""For how long a user is left alone whose records are a riddle to us: the others wait behind it."""


class SettleDues:
    """Works off whom the store names as due.

    Repeatable at every point: a user stays due until everything is done, and its next moment takes the place of this one
    in the same step.
    """

    def __init__(self, store: Store, halves: Halves, *, ttl_ms: int) -> None:
        self._store = store
        self._halves = halves
        self._ttl_ms = ttl_ms

    async def run(self) -> None:
        """Look after everybody who is due by now.

        Raises:
            StorageUnavailable: Not finished; run again.
        """
        for _ in range(ROUNDS_MOST):
            due = await self._store.dues.due(count=WIDTH_COUNT)
            await for_each(due, self._settle)
            if len(due) < WIDTH_COUNT:
                return

    async def _settle(self, due: tuple[Uid, int]) -> None:
        uid, seen_ms = due
        before, _ = await self._store.mailboxes.state(uid)
        try:
            next_ms = await self._look_after(uid, mail=before.waiting_count > 0)
        except StorageUnavailable:
            raise
        except Exception:
            log.exception("due.failed")
            next_ms = self._store.clock.now_ms() + PUT_OFF_MS
        await self._store.dues.settle(uid, seen_ms, next_ms)
        after, _ = await self._store.mailboxes.state(uid)
        if (after.epoch, after.last) != (before.epoch, before.last):
            # Mail that came while we looked was noted under the moment that is settled now: look again.
            await self._store.dues.note(uid, self._store.clock.now_ms())

    async def _look_after(self, uid: Uid, *, mail: bool) -> int:
        """Return when to look at this user again, 0 for never. Without mail nothing can expire."""
        moments = [await self._store.mailboxes.expire(uid)] if mail else []
        now_ms = self._store.clock.now_ms()
        if await tell_fates(self._store, uid, ttl_ms=self._ttl_ms):
            moments.append(now_ms + AGAIN_MS)
        _, waiting_count = await self._halves.look(uid)
        if waiting_count:
            moments.append(now_ms + LOOK_AGAIN_MS)
        return min((moment for moment in moments if moment), default=0)
