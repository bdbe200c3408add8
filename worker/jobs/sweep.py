"""Find once a day what nothing else finds: mail nobody is to look at, links that lost their other end with lost data."""

import asyncio

import structlog

from exchange.core.ids import NOWHERE, Uid
from exchange.ports import Store
from worker.halves import Halves
from worker.metrics import WorkerMetrics
from worker.parallel import batches, for_each

log = structlog.get_logger()

OVERDUE_MS = 600_000
"""Mail that is past its time for so long, and whose recipient is away, has been forgotten."""

PAUSE_SECONDS = 0.05
"""Between two batches: nobody waits for a sweep."""


class Sweep:
    """Goes through all mailboxes and the tables of all users who are here. What it finds is expected to be nothing."""

    def __init__(
        self,
        store: Store,
        halves: Halves,
        metrics: WorkerMetrics,
        *,
        again_seconds: float,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        """``again_seconds`` is how long a half is waited for, of ``halves``."""
        self._store = store
        self._halves = halves
        self._metrics = metrics
        self._again_seconds = again_seconds
        self._pause_seconds = pause_seconds

    async def run(self) -> None:
        """Go through everything once.

        Raises:
            StorageUnavailable: Not finished; run again.
        """
        async for owners in batches(self._store.dues.owners()):
            await for_each(owners, self._note)
            await asyncio.sleep(self._pause_seconds)
        suspects: set[Uid] = set()

        async def look(uid: Uid) -> None:
            ended_count, waiting_count = await self._halves.look(uid)
            self._found("half_link", ended_count)
            if waiting_count:
                suspects.add(uid)

        for node in await self._store.leases.nodes():
            async for sessions in batches(self._store.leases.noted(node.id)):
                # Who holds a slot of a pair has no friends.
                await for_each((presence.uid for presence in sessions if not presence.role), look)
                await asyncio.sleep(self._pause_seconds)
        if suspects:
            await asyncio.sleep(self._again_seconds)
            await for_each(tuple(suspects), look)

    async def _note(self, uid: Uid) -> None:
        """Have a mailbox looked at when its oldest mail expires; an earlier note stays."""
        now_ms = self._store.clock.now_ms()
        page = await self._store.mailboxes.read(uid, NOWHERE, count=1, bytes_=1)
        until_ms = page.letters[0].until_ms if page.letters else now_ms
        if until_ms < now_ms - OVERDUE_MS:
            standing = await self._store.users.standing(uid)
            if standing is None or not standing.sessions_count:
                self._found("due", 1)
        await self._store.dues.note(uid, until_ms)

    def _found(self, kind: str, count: int) -> None:
        if count:
            self._metrics.sweep_found.inc(kind, by=count)
            log.warning("disorder.found", kind=kind, count=count)
