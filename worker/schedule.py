"""The timetable: every job, how often it runs, and what it does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from exchange.ports import Store
from exchange.settings import Settings
from worker.jobs.reap_nodes import ReapNodes


@dataclass(frozen=True, slots=True)
class Job:
    """A chore. ``run`` is safe to repeat and safe to interrupt; only the holder of the job runs it."""

    name: str
    period_seconds: float
    run: Callable[[], Awaitable[None]]


def timetable(settings: Settings, store: Store) -> tuple[Job, ...]:
    """Return all jobs as configured."""
    lease = settings.lease
    reap_nodes = ReapNodes(
        store, grace_ms=int(settings.session.grace_seconds * 1000), store_up_seconds=lease.store_up_seconds
    )
    return (Job("reap_nodes", lease.reap_seconds, reap_nodes.run),)
