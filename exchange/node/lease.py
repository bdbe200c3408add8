"""This node's lease: its right to act for its sessions (DEL-27)."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from exchange.core.errors import StorageUnavailable, Unavailable
from exchange.core.model import NodeInfo
from exchange.ports import Clock, Leases

log = structlog.get_logger()

TRUSTED_SHARE = 0.9
"""The share of its lease after which a node does not count on it any more; the store waits for all of it."""


class Lease:
    """Keeps a lease renewed, and says whether it holds (``front.Tenure``).

    The lease counts from when its last successful renewal was *sent*, by a clock that goes on while the machine sleeps:
    a node that was frozen knows, before it does anything else, that others may have given it up.
    """

    def __init__(
        self,
        info: NodeInfo,
        leases: Leases,
        clock: Clock,
        *,
        ttl_seconds: float,
        renew_seconds: float,
        start_over: Callable[[], NodeInfo],
        attach_all: Callable[[], Awaitable[None]],
    ) -> None:
        self.info = info
        self.renewed_ms = 0
        self.fenced_count = 0
        self.draining = False
        self._leases = leases
        self._clock = clock
        self._ttl_seconds = ttl_seconds
        self._renew_seconds = renew_seconds
        self._start_over = start_over
        self._attach_all = attach_all
        self._until = float("-inf")
        self._steady = clock.steady
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._attached = True
        """Whether every session is attached under this node's present id."""

    def current(self) -> bool:
        """Tell whether the lease certainly still holds. Cheap enough to ask before every message."""
        return self._steady() < self._until

    def doubt(self) -> None:
        """Count on the lease only after it was renewed: the store was away, and perhaps lost what it knew."""
        self._until = float("-inf")

    async def assure(self) -> None:
        """Return at once if the lease holds, else once it was renewed, or everything was set up anew after a loss.

        Raises:
            Unavailable: It could not be renewed.
        """
        if self.current():
            return
        if self._renewal is None or self._renewal.done():
            # In a task of its own: somebody who runs out of patience must not leave it half done.
            self._renewal = asyncio.get_running_loop().create_task(self._renew_unless_current())
            self._renewal.add_done_callback(_heard)
        await asyncio.shield(self._renewal)

    async def start(self) -> None:
        """Take the lease and keep it."""
        async with self._lock:
            await self._renew()
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def retire(self) -> None:
        """Have the store know at once that this node drains; the lease goes on."""
        self.draining = True
        with suppress(Unavailable):  # the next renewal says it
            async with self._lock:
                await self._renew()

    async def stop(self) -> None:
        """Stop renewing and give the lease back: this node has no sessions any more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._until = float("-inf")
        with suppress(StorageUnavailable):  # it runs out by itself, and a worker finds nothing to clear
            await self._leases.leave(self.info.id)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._renew_seconds)
            try:
                async with self._lock:
                    await self._renew()
            except Unavailable as error:
                log.warning("lease.unrenewed", reason=str(error))
            except Exception:
                log.exception("lease.failed")

    async def _renew_unless_current(self) -> None:
        async with self._lock:
            if not self.current():
                await self._renew()

    async def _renew(self) -> None:
        sent = self._steady()
        if not await self._extend():
            # A worker gave this node up and ends its sessions. Nothing may happen under the old id any more; under a
            # new one every session is attached again before the lease counts.
            self._until = float("-inf")
            self.fenced_count += 1
            log.error("node.fenced", node_id=self.info.id)
            self.info = self._start_over()
            self._attached = False
            sent = self._steady()
            if not await self._extend():
                raise Unavailable
        if not self._attached:
            await self._attach_all()
            self._attached = True
        self._until = sent + TRUSTED_SHARE * self._ttl_seconds
        self.renewed_ms = self._clock.now_ms()

    async def _extend(self) -> bool:
        return await self._leases.renew(self.info, ttl_ms=int(self._ttl_seconds * 1000), draining=self.draining)


def _heard(renewal: "asyncio.Task[None]") -> None:
    """Take note of how a renewal ended, even if everybody who waited for it has gone."""
    if not renewal.cancelled() and renewal.exception() is not None:
        log.warning("lease.unrenewed", reason=str(renewal.exception()))
