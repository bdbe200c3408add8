"""Workers on one store in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.waiting import eventually
from tests.harness.world import Time
from worker.runner import HOLD_FLOOR_MS, run_jobs
from worker.schedule import Job

SOON_SECONDS = 0.005


class Chore:
    """A job that counts its runs and does what the test says."""

    def __init__(self, name: str = "chore", error: Exception | None = None) -> None:
        self.job = Job(name, SOON_SECONDS, self.run)
        self.error = error
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        if self.error is not None:
            raise self.error

    async def runs_again(self) -> None:
        before = self.runs
        await eventually(lambda: self.runs > before + 1)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def memory(time) -> Memory:
    return Memory(time)


@asynccontextmanager
async def worker(memory: Memory, *chores: Chore) -> AsyncIterator[None]:
    """Run a worker; it is stopped in order at the end."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_jobs(tuple(chore.job for chore in chores), memory_store(memory).jobs, stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await task


async def test_every_job_runs_again_and_again(memory):
    one, other = Chore("one"), Chore("other")
    async with worker(memory, one, other):
        await one.runs_again()
        await other.runs_again()


async def test_of_two_workers_one_runs_a_job(memory):
    one, other = Chore(), Chore()
    async with worker(memory, one), worker(memory, other):
        await eventually(lambda: one.runs + other.runs > 5)
        assert 0 in {one.runs, other.runs}


async def test_the_other_worker_takes_over_when_the_holder_is_silent(memory, time):
    one, other = Chore(), Chore()
    async with worker(memory, one):
        await one.runs_again()
    async with worker(memory, other):
        assert other.runs == 0
        time.ms += HOLD_FLOOR_MS
        await other.runs_again()


async def test_a_store_out_of_reach_postpones_a_job(memory, monkeypatch):
    chore, asked, reach = Chore(), [], memory.reach

    async def noticed() -> None:
        asked.append(1)
        await reach()

    monkeypatch.setattr(memory, "reach", noticed)
    memory.down = True
    async with worker(memory, chore):
        await eventually(lambda: asked)
        assert chore.runs == 0
        memory.down = False
        await chore.runs_again()


@pytest.mark.parametrize("error", [StorageUnavailable(), RuntimeError("one bad record")])
async def test_a_run_that_failed_ends_neither_its_job_nor_the_others(memory, error):
    bad, good = Chore("bad", error), Chore("good")
    async with worker(memory, bad, good):
        await bad.runs_again()
        await good.runs_again()


async def test_a_stop_cuts_off_a_run_and_ends_the_worker(memory):
    chore, cut_off = Chore(), asyncio.Event()

    async def endless() -> None:
        chore.runs += 1
        try:
            await asyncio.Event().wait()
        finally:
            cut_off.set()

    chore.job = Job("endless", SOON_SECONDS, endless)
    async with worker(memory, chore):
        await eventually(lambda: chore.runs)
        assert not cut_off.is_set()
    assert cut_off.is_set()
