"""Keeps a pair of connections up: probes it, and builds it again when it breaks (DEL-12, DEL-13).

::

    open -> up -> probe, probe, ... -> break -> wait a little -> open -> up and a gap -> ...
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

import structlog

from exchange.core.errors import StorageUnavailable
from exchange.storage.redis.connection import Break
from exchange.storage.redis.pair import Pair
from exchange.storage.redis.probe import Probe

log = structlog.get_logger()

PAUSE_LEAST_SECONDS = 0.05
PAUSE_MOST_SECONDS = 2.0
STEADY_SECONDS = 5.0
"""After so long in service a break counts as the first one."""
PROBES_FAILED_COUNT = 2
SECOND_LOOK_SECONDS = 1.0
"""How soon a failed probe is repeated, so that a dead subscription is known after 8.6 s at most (DEL-13)."""


class Supervisor:
    """One task. It owns the pair that is up, if one is."""

    def __init__(
        self,
        open_: Callable[[Callable[[Break], None]], Awaitable[Pair]],
        *,
        on_up: Callable[[Pair], None],
        on_down: Callable[[Break], None],
        on_gap: Callable[[], None],
        probe: Probe,
        probe_seconds: float,
    ) -> None:
        """``open_`` returns a pair with all subscriptions confirmed, or raises StorageUnavailable and leaves nothing.

        ``on_up`` and ``on_down`` alternate and may not raise; ``on_gap`` follows every ``on_up`` but the first.
        """
        self.last_probe = 0.0
        self.up_since = 0.0
        self._open = open_
        self._on_up = on_up
        self._on_down = on_down
        self._on_gap = on_gap
        self._probe = probe
        self._probe_seconds = probe_seconds
        self._pair: Pair | None = None
        self._fallen = asyncio.Event()
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the first pair; raises what ``open_`` raises."""
        pair = await self._open(self._fell)
        if not self._rise(pair):
            await pair.gone()
            raise StorageUnavailable("The store ended the connection at once.", sent=False)
        self._task = asyncio.create_task(self._run(pair), name="lane")

    async def stop(self) -> None:
        """End the pair and do not build another."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self._pair is not None:
            pair = self._pair
            pair.close(Break.STOPPED)
            await pair.gone()

    def _rise(self, pair: Pair) -> bool:
        if pair.broken is not None:
            return False
        self._pair = pair
        self._fallen.clear()
        self.up_since = asyncio.get_running_loop().time()
        self._on_up(pair)
        return True

    def _fell(self, why: Break) -> None:
        # A pair that breaks while it is being opened was never up; whoever opens it finds out.
        if self._pair is not None:
            self._pair = None
            self._probe.give_up()
            self._fallen.set()
            self._on_down(why)

    async def _run(self, pair: Pair) -> None:
        while True:
            await self._watch(pair)
            await pair.gone()
            if asyncio.get_running_loop().time() - self.up_since >= STEADY_SECONDS:
                self._failures = 0
            pair = await self._rebuild()
            self._on_gap()

    async def _watch(self, pair: Pair) -> None:
        """Probe the pair until it breaks."""
        failed = 0
        pause = 0.0
        while not await self._fallen_within(pause):
            if await self._probe.passes(pair):
                failed = 0
                self.last_probe = asyncio.get_running_loop().time()
                pause = self._probe_seconds * random.uniform(0.9, 1.1)  # noqa: S311 - jitter, not a secret
            elif pair.broken is None:
                failed += 1
                pause = min(SECOND_LOOK_SECONDS, self._probe_seconds)
                log.warning("lane.probe_failed", failed=failed)
                if failed >= PROBES_FAILED_COUNT:
                    pair.close(Break.PROBE)

    async def _fallen_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._fallen.wait()
        return self._fallen.is_set()

    async def _rebuild(self) -> Pair:
        while True:
            await asyncio.sleep(self._pause())
            self._failures += 1
            try:
                pair = await self._open(self._fell)
            except Exception as error:  # whatever it is, the lane must come back
                expected = isinstance(error, StorageUnavailable)
                log.warning("lane.refused", error=str(error), failures=self._failures, exc_info=not expected)
                continue
            if self._rise(pair):
                return pair
            await pair.gone()

    def _pause(self) -> float:
        most = min(PAUSE_MOST_SECONDS, 2 * PAUSE_LEAST_SECONDS * 2 ** min(self._failures, 10))
        return random.uniform(PAUSE_LEAST_SECONDS, most)  # noqa: S311 - jitter, not a secret
