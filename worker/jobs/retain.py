"""Forget what is kept for a limited time: histories and parked mail (MAGI-49, DEL-38)."""

import structlog

from exchange.core.ids import Uid
from exchange.ports import Store
from worker.parallel import batches, for_each

log = structlog.get_logger()


class Retain:
    """Removes what is older than it may be. Each removal is a step of its own, so a run may break off anywhere."""

    def __init__(self, store: Store, *, history_ms: int, parked_ms: int) -> None:
        self._store = store
        self._history_ms = history_ms
        self._parked_ms = parked_ms

    async def run(self) -> None:
        """Go through the whole store once.

        Raises:
            StorageUnavailable: Not finished; run again.
        """
        now_ms = self._store.clock.now_ms()
        records_count = await self._store.histories.trim(before_ms=now_ms - self._history_ms)
        letters_count = 0

        async def trim(uid: Uid) -> None:
            nonlocal letters_count
            letters_count += await self._store.mailboxes.trim_parked(uid, before_ms=now_ms - self._parked_ms)

        async for batch in batches(self._store.dues.owners()):
            await for_each(batch, trim)
        if records_count or letters_count:
            log.info("retention.enforced", records=records_count, parked=letters_count)
