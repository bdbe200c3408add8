"""Runs the timetable in one process until it is told to stop."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

import structlog

from exchange import logs
from exchange.core.errors import StorageUnavailable
from exchange.entropy import new_id
from exchange.ports import Jobs
from exchange.settings import Settings
from exchange.stores import connect
from worker.schedule import Job, timetable

log = structlog.get_logger()

HOLD_PERIODS = 3
"""A job whose holder is silent for this many periods (and a moment) goes to another worker."""
HOLD_FLOOR_MS = 1000


async def run_worker(settings: Settings, *, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Be a worker until ``stop`` is set.

    Raises:
        StartRefused: The store cannot be reached, or must not be used.
    """
    logs.configure(settings.log.level, settings.log.format, "worker")
    store = await connect(settings)
    try:
        ready()
        await run_jobs(timetable(settings, store.ports), store.ports.jobs, stop)
    finally:
        await store.close()
        logs.close()


async def run_jobs(jobs: tuple[Job, ...], port: Jobs, stop: asyncio.Event) -> None:
    """Run every job in its period until ``stop`` is set; a run that has begun is not finished then, only cut off."""
    holder = new_id()
    log.info("worker.started", jobs=len(jobs))
    tasks = [asyncio.create_task(_run_job(job, port, holder)) for job in jobs]
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            await task  # a job's loop ends only by a mistake of ours: say so by ending
    finally:
        for task in (*tasks, stopped):
            task.cancel()
        for task in (*tasks, stopped):
            with suppress(asyncio.CancelledError):
                await task
    log.info("worker.stopped")


async def _run_job(job: Job, port: Jobs, holder: str) -> None:
    ttl_ms = max(HOLD_FLOOR_MS, int(job.period_seconds * 1000 * HOLD_PERIODS))
    while True:
        # Jitter, so that many workers do not ask in step.
        await asyncio.sleep(job.period_seconds * random.uniform(0.9, 1.1))  # noqa: S311
        try:
            if await port.hold(job.name, holder, ttl_ms=ttl_ms):
                await job.run()
        except StorageUnavailable as error:
            log.warning("job.postponed", job=job.name, reason=str(error))
        except Exception:
            # One bad record must not end the others' jobs; the next run meets it again and says so again.
            log.exception("job.failed", job=job.name)
