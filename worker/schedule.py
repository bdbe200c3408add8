"""The timetable: every job, how often it runs, and what it does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from exchange.ports import Store
from exchange.settings import Settings
from worker import halves
from worker.halves import Halves
from worker.jobs.reap_nodes import ReapNodes
from worker.jobs.retain import Retain
from worker.jobs.settle_dues import SettleDues
from worker.jobs.sweep import Sweep
from worker.jobs.take_census import TakeCensus
from worker.metrics import WorkerMetrics

CENSUS_SECONDS = 30.0
RETAIN_SECONDS = 3600.0
SWEEP_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Job:
    """A chore. ``run`` is safe to repeat and safe to interrupt; only the holder of the job runs it."""

    name: str
    period_seconds: float
    run: Callable[[], Awaitable[None]]


def timetable(settings: Settings, store: Store, metrics: WorkerMetrics) -> tuple[Job, ...]:
    """Return all jobs as configured."""
    lease, mailbox = settings.lease, settings.mailbox
    grace_ms = _ms(settings.session.grace_seconds)
    reap_nodes = ReapNodes(
        store,
        metrics,
        grace_ms=grace_ms,
        resume_ms=_ms(settings.session.resume_seconds),
        store_up_seconds=lease.store_up_seconds,
    )
    settle_dues = SettleDues(store, Halves(store, grace_ms=grace_ms), ttl_ms=_ms(mailbox.ttl_seconds))
    retain = Retain(store, history_ms=_ms(settings.history.retention_seconds), parked_ms=_ms(mailbox.parked_seconds))
    sweep = Sweep(store, Halves(store, grace_ms=grace_ms), metrics, again_seconds=halves.AGAIN_MS / 1000)
    return (
        Job("reap_nodes", lease.reap_seconds, reap_nodes.run),
        Job("settle_dues", settings.worker.expire_seconds, settle_dues.run),
        Job("take_census", CENSUS_SECONDS, TakeCensus(store, metrics).run),
        Job("retain", RETAIN_SECONDS, retain.run),
        Job("sweep", SWEEP_SECONDS, sweep.run),
    )


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
