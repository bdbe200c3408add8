"""End what dead nodes left behind, so that names are free and friends are told within 15 s (DEL-28, MAGI-31)."""

import structlog

from exchange.core.model import Presence
from exchange.farewell import say_farewell
from exchange.ports import Store
from worker.metrics import WorkerMetrics
from worker.parallel import batches, for_each

log = structlog.get_logger()


class ReapNodes:
    """Finds nodes without a lease and says farewell for each of their sessions.

    Repeatable at every point: a node stays in the list until everything of it is cleared, and a session in its index
    until its farewell is complete.
    """

    def __init__(
        self, store: Store, metrics: WorkerMetrics, *, grace_ms: int, resume_ms: int, store_up_seconds: float
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._grace_ms = grace_ms
        self._resume_ms = resume_ms
        self._store_up_seconds = store_up_seconds

    async def run(self) -> None:
        """Clear every node that is dead by now.

        Raises:
            StorageUnavailable: Not finished; run again.
        """
        leases = self._store.leases
        lapsed = await leases.lapsed()
        if not lapsed:
            return
        if await leases.store_up_seconds() < self._store_up_seconds:
            # Everybody's lease ran out while the store was away. Whoever lives will have renewed by then.
            log.info("reaping.postponed", nodes=len(lapsed))
            return
        for node in lapsed:
            if await leases.reap(node):
                await self._clear(node)

    async def _clear(self, node: str) -> None:
        log.warning("node.reaped", node_id=node)
        started = self._store.clock.steady()
        async for batch in batches(self._store.leases.noted(node)):
            await for_each(batch, self._part)
        await self._store.leases.forget(node)
        self._metrics.reap_seconds.observe(self._store.clock.steady() - started)
        self._metrics.reaped.inc("node")

    async def _part(self, presence: Presence) -> None:
        if not presence.role:
            # The node may have died between the two ends of a friendship of this user (DEL-43): ``settle_dues`` looks.
            # Noted first, because the farewell removes the last trace of the session.
            await self._store.dues.note(presence.uid, self._store.clock.now_ms())
        await say_farewell(self._store, presence, grace_ms=self._grace_ms, resume_ms=self._resume_ms)
        self._metrics.reaped.inc("session")
