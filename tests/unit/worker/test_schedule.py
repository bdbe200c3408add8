import pytest

from exchange.settings import load
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from worker.metrics import JOBS, WorkerMetrics
from worker.schedule import timetable


def jobs(**environ: str):
    return timetable(load(environ), memory_store(Memory()), WorkerMetrics())


def test_every_job_is_on_the_closed_list_and_the_other_way_round():
    assert tuple(job.name for job in jobs()) == JOBS
    assert all(job.period_seconds > 0 for job in jobs())


@pytest.mark.parametrize(
    ("name", "variable"),
    [("reap_nodes", "EXCHANGE_LEASE__REAP_SECONDS"), ("settle_dues", "EXCHANGE_WORKER__EXPIRE_SECONDS")],
)
def test_periods_are_settings(name, variable):
    (job,) = (job for job in jobs(**{variable: "3.5"}) if job.name == name)
    assert job.period_seconds == 3.5


async def test_every_job_runs_on_an_empty_store():
    for job in jobs():
        await job.run()
