"""Runs the timetable in one process until it is told to stop."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from exchange import logs
from exchange.core.errors import StorageUnavailable
from exchange.entropy import new_id
from exchange.ports import Jobs
from exchange.settings import Settings
from exchange.stores import connect
from worker.exposition import exposed
from worker.metrics import WorkerMetrics
from worker.schedule import Job, timetable

log = structlog.get_logger()

TICK_SECONDS = 30.0
"""How often a worker looks at a job at least: who does it, and whether it is its time."""
HOLD_TICKS = 3
"""A job whose holder is silent for this many ticks (and a moment) goes to another worker."""
HOLD_FLOOR_MS = 1000
RELEASE_SECONDS = 2.0


async def run_worker(settings: Settings, *, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Be a worker until ``stop`` is set.

    Raises:
        StartRefused: The store cannot be reached, or must not be used; or the port for metrics cannot.
    """
    logs.configure(settings.log.level, settings.log.format, "worker")
    metrics = WorkerMetrics()
    try:
        with exposed(metrics.registry, settings.worker_metrics_host, settings.worker.metrics_port) as port:
            store = await connect(settings)
            try:
                log.info("metrics.exposed", port=port)
                ready()
                await run_jobs(timetable(settings, store.ports, metrics), store.ports.jobs, stop, metrics)
            finally:
                await store.close()
    finally:
        logs.close()


async def run_jobs(jobs: tuple[Job, ...], port: Jobs, stop: asyncio.Event, metrics: WorkerMetrics) -> None:
    """Run every job in its period until ``stop`` is set; a run that has begun is not finished then, only cut off."""
    holder = new_id()
    log.info("worker.started", jobs=len(jobs))
    shifts = [Shift(job, port, holder, metrics) for job in jobs]
    tasks = [asyncio.create_task(shift.run()) for shift in shifts]
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            await task  # a job's loop ends only by a mistake of ours: say so by ending
    finally:
        for task in (*tasks, stopped):
            task.cancel()
        await asyncio.gather(*tasks, stopped, return_exceptions=True)
        with suppress(TimeoutError):  # then they go to the others after a while
            async with asyncio.timeout(RELEASE_SECONDS):
                await asyncio.gather(*(shift.release() for shift in shifts))
    log.info("worker.stopped")


class Lost(Exception):
    """Another worker took the job over: this one was silent for too long."""


class Shift:
    """One worker's part in one job.

    The job has one holder, who stays it as long as it is heard of. A job with a long period also has a *turn*, which is
    taken for a run and kept for the rest of the period: it outlives the worker, so a restart does not bring the job
    forward, nor put it off.
    """

    def __init__(self, job: Job, port: Jobs, holder: str, metrics: WorkerMetrics) -> None:
        self._job = job
        self._port = port
        self._holder = holder
        self._metrics = metrics
        self._tick_seconds = min(job.period_seconds, TICK_SECONDS)
        self._hold_ms = max(HOLD_FLOOR_MS, int(self._tick_seconds * 1000 * HOLD_TICKS))
        self._held = False

    async def run(self) -> None:
        """Look at the job again and again; never returns."""
        while True:
            # Jitter, so that many workers do not ask in step.
            await asyncio.sleep(self._tick_seconds * random.uniform(0.9, 1.1))  # noqa: S311
            try:
                if await self._hold():
                    await self._take_turn()
            except StorageUnavailable as error:
                # Nobody knows who holds it now. The lease runs out by itself.
                self._note_held(False)
                log.warning("job.postponed", job=self._job.name, reason=str(error))

    async def release(self) -> None:
        """Let another worker have the job soon."""
        if self._held:
            self._note_held(False)
            with suppress(StorageUnavailable):  # then it goes to another when the lease has run out
                await self._port.hold(self._job.name, self._holder, ttl_ms=1)

    async def _hold(self) -> bool:
        self._note_held(await self._port.hold(self._job.name, self._holder, ttl_ms=self._hold_ms))
        return self._held

    def _note_held(self, held: bool) -> None:
        self._held = held
        self._metrics.job_held.set(held, self._job.name)

    async def _take_turn(self) -> None:
        if self._job.period_seconds <= TICK_SECONDS:
            await self._run_job()
            return
        turn, mine = f"{self._job.name}.turn", new_id()
        if await self._port.hold(turn, mine, ttl_ms=self._hold_ms) and await self._run_job():
            await self._port.hold(turn, mine, ttl_ms=int(self._job.period_seconds * 1000))

    async def _run_job(self) -> bool:
        """Run the job once and tell whether it was done."""
        name, started, outcome = self._job.name, time.monotonic(), "cut"
        try:
            await self._while_held(asyncio.ensure_future(self._job.run()))
            outcome = "ok"
        except Lost:
            log.warning("job.lost", job=name)
        except StorageUnavailable:
            outcome = "postponed"
            raise
        except Exception:
            # One bad record must not end the others' jobs; the next run meets it again and says so again.
            outcome = "failed"
            log.exception("job.failed", job=name)
        finally:
            self._metrics.job_done(name, outcome, time.monotonic() - started)
        return outcome == "ok"

    async def _while_held(self, run: "asyncio.Future[None]") -> None:
        """Wait for a run, and stay the holder meanwhile; a run that goes on without the job is cut off."""
        try:
            while not run.done():
                await asyncio.wait({run}, timeout=self._hold_ms / 1000 / HOLD_TICKS)
                if not run.done() and not await self._hold():
                    raise Lost
            await run
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
