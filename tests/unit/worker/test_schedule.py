from exchange.settings import load
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from worker.schedule import timetable


def test_every_job_is_on_the_closed_list_and_the_other_way_round():
    jobs = timetable(load({}), memory_store(Memory()))
    assert tuple(job.name for job in jobs) == ("reap_nodes",)
    assert all(job.period_seconds > 0 for job in jobs)


def test_periods_are_settings():
    (reap,) = timetable(load({"EXCHANGE_LEASE__REAP_SECONDS": "3.5"}), memory_store(Memory()))
    assert reap.period_seconds == 3.5


async def test_every_job_runs_on_an_empty_store():
    for job in timetable(load({}), memory_store(Memory())):
        await job.run()
