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
from worker import runner
from worker.metrics import WorkerMetrics
from worker.runner import HOLD_FLOOR_MS, run_jobs
from worker.schedule import Job

SOON_SECONDS = 0.005


class Chore:
    """A job that counts its runs and does what the test says."""

    def __init__(self, name: str = "reap_nodes", error: Exception | None = None, period: float = SOON_SECONDS) -> None:
        self.job = Job(name, period, self.run)
        self.error = error
        self.runs = 0
        self.metrics = WorkerMetrics()

    async def run(self) -> None:
        self.runs += 1
        if self.error is not None:
            raise self.error

    async def runs_again(self) -> None:
        before = self.runs
        await eventually(lambda: self.runs > before + 1)

    def held(self) -> float:
        return self.metrics.job_held.value(self.job.name)

    def count(self, outcome: str) -> int:
        return sum(self.metrics.job_seconds._counts[self.job.name, outcome])


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
    jobs = tuple(chore.job for chore in chores)
    for chore in chores:
        chore.metrics = chores[0].metrics
    task = asyncio.create_task(run_jobs(jobs, memory_store(memory).jobs, stop, chores[0].metrics))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await task


async def test_every_job_runs_again_and_again(memory):
    one, other = Chore("retain"), Chore("sweep")
    async with worker(memory, one, other):
        await one.runs_again()
        await other.runs_again()


async def test_of_two_workers_one_runs_a_job(memory):
    one, other = Chore(), Chore()
    async with worker(memory, one), worker(memory, other):
        await eventually(lambda: one.runs + other.runs > 5)
        assert 0 in {one.runs, other.runs}
        assert {one.held(), other.held()} == {0, 1}


async def test_the_other_worker_takes_over_when_the_holder_is_silent(memory, time, monkeypatch):
    one, other = Chore(), Chore()

    async def die(_shift) -> None: ...

    monkeypatch.setattr(runner.Shift, "release", die)
    async with worker(memory, one):
        await one.runs_again()
    async with worker(memory, other):
        await eventually(lambda: memory.jobs)
        assert other.runs == 0
        time.ms += HOLD_FLOOR_MS
        await other.runs_again()


async def test_whoever_ends_in_order_leaves_its_jobs_to_the_others(memory, time):
    one, other = Chore(), Chore()
    async with worker(memory, one):
        await one.runs_again()
    assert one.held() == 0
    time.ms += 1
    async with worker(memory, other):
        await other.runs_again()


async def test_whoever_ends_takes_no_job_from_another(memory, time):
    one, other = Chore(), Chore()
    async with worker(memory, one):
        await one.runs_again()
        async with worker(memory, other):
            pass
        (held,) = memory.jobs.values()
        assert held[1] > time()


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
        assert chore.held() == 1
        memory.down = True
        await eventually(lambda: not chore.held())


@pytest.mark.parametrize(("error", "outcome"), [(StorageUnavailable(), "postponed"), (RuntimeError("one"), "failed")])
async def test_a_run_that_failed_ends_neither_its_job_nor_the_others(memory, error, outcome):
    bad, good = Chore("retain", error), Chore("sweep")
    async with worker(memory, bad, good):
        await bad.runs_again()
        await good.runs_again()
    assert bad.count(outcome) >= 1
    assert bad.count("ok") == 0
    assert good.count("ok") >= 1
    assert good.metrics.job_success.value("sweep") > 0
    assert good.metrics.job_success.value("retain") == 0


class Endless(Chore):
    """A run that ends only if it is cut off."""

    def __init__(self, **words) -> None:
        super().__init__(**words)
        self.cut_off = asyncio.Event()

    async def run(self) -> None:
        self.runs += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.cut_off.set()


async def test_a_stop_cuts_off_a_run_and_ends_the_worker(memory):
    chore = Endless()
    async with worker(memory, chore):
        await eventually(lambda: chore.runs)
        assert not chore.cut_off.is_set()
    assert chore.cut_off.is_set()
    assert chore.count("cut") == 1


async def test_a_long_run_stays_held(memory, time, monkeypatch):
    monkeypatch.setattr(runner, "HOLD_FLOOR_MS", 30)
    chore, other = Endless(), Chore()
    async with worker(memory, chore):
        await eventually(lambda: chore.runs)
        (before,) = memory.jobs.values()
        time.ms += 29
        await eventually(lambda: memory.jobs["reap_nodes"][1] > before[1])
        async with worker(memory, other):
            time.ms += 29
            before = memory.jobs["reap_nodes"]
            await eventually(lambda: memory.jobs["reap_nodes"][1] > before[1])
            assert other.runs == 0
        assert chore.runs == 1


async def test_a_run_that_lost_its_job_is_cut_off(memory, monkeypatch):
    monkeypatch.setattr(runner, "HOLD_FLOOR_MS", 30)
    chore = Endless()
    async with worker(memory, chore):
        await eventually(lambda: chore.runs)
        memory.jobs["reap_nodes"] = ("another", memory.now_ms() + 60_000)
        await eventually(chore.cut_off.is_set)
        await eventually(lambda: not chore.held())
    assert chore.count("cut") == 1
    assert memory.jobs["reap_nodes"][0] == "another"


class TestARareJob:
    """Longer between two runs than a worker may live."""

    PERIOD = 0.5

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch):
        monkeypatch.setattr(runner, "TICK_SECONDS", SOON_SECONDS)

    def rare(self, error: Exception | None = None) -> Chore:
        return Chore("sweep", error, self.PERIOD)

    async def test_runs_soon_and_then_once_a_period_whoever_works(self, memory, time):
        one, other = self.rare(), self.rare()
        async with worker(memory, one):
            await eventually(lambda: one.runs)
        time.ms += int(self.PERIOD * 1000) - 1
        clock = Chore("retain")
        async with worker(memory, other, clock):
            await clock.runs_again()
            await eventually(other.held)
            await clock.runs_again()
            assert other.runs == 0
            time.ms += 1
            await eventually(lambda: other.runs)
        assert (one.runs, other.runs) == (1, 1)

    async def test_is_run_again_when_the_lease_is_over_if_it_failed(self, memory, time):
        bad, good = self.rare(RuntimeError("one bad record")), self.rare()
        async with worker(memory, bad):
            await eventually(lambda: bad.runs)
        assert bad.runs == 1
        time.ms += HOLD_FLOOR_MS
        async with worker(memory, good):
            await eventually(lambda: good.runs)
