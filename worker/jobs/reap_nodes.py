"""End what dead nodes left behind, so that names are free and friends are told within 15 s (DEL-28, MAGI-31)."""

import asyncio

import structlog

from exchange.core.model import Presence
from exchange.farewell import say_farewell
from exchange.ports import Store

log = structlog.get_logger()

BATCH_COUNT = 256


class ReapNodes:
    """Finds nodes without a lease and says farewell for each of their sessions.

    Repeatable at every point: a node stays in the list until everything of it is cleared, and a session in its index
    until its farewell is complete.
    """

    def __init__(self, store: Store, *, grace_ms: int, store_up_seconds: float) -> None:
        self._store = store
        self._grace_ms = grace_ms
        self._store_up_seconds = store_up_seconds
        self.nodes_count = 0
        self.sessions_count = 0

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
        batch: list[Presence] = []
        async for presence in self._store.leases.noted(node):
            batch.append(presence)
            if len(batch) >= BATCH_COUNT:
                await self._part(batch)
                batch = []
        await self._part(batch)
        await self._store.leases.forget(node)
        self.nodes_count += 1

    async def _part(self, batch: list[Presence]) -> None:
        await asyncio.gather(*(say_farewell(self._store, presence, grace_ms=self._grace_ms) for presence in batch))
        self.sessions_count += len(batch)
