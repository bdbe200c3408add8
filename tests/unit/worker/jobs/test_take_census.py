"""Measuring mailboxes, in memory."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.model import Envelope, Kind
from exchange.ports import Store
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.world import Time
from worker import parallel
from worker.jobs import take_census
from worker.jobs.take_census import REST_FACTOR, TakeCensus
from worker.metrics import WorkerMetrics


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def memory(time) -> Memory:
    return Memory(time)


@pytest.fixture
def store(memory) -> Store:
    return memory_store(memory)


@pytest.fixture
def metrics() -> WorkerMetrics:
    return WorkerMetrics()


@pytest.fixture
def job(store, metrics) -> TakeCensus:
    return TakeCensus(store, metrics)


async def fill(store: Store, time: Time, uid: str, count: int) -> None:
    """Store mail; notices need no friendship."""
    for number in range(count):
        envelope = Envelope(Kind.EXPIRED, "uid-sender", "", 0, time(), b"", f"{uid}{number}")
        await store.mailboxes.post(uid, envelope, time() + 60_000)


async def test_all_mailboxes_are_measured(store, time, job, metrics):
    await fill(store, time, "uid-0", 3)
    time.ms += 9000
    await fill(store, time, "uid-1", 1)
    await job.run()
    assert [metrics.mailbox_envelopes.value(stat) for stat in ("sum", "p95", "max")] == [4, 3, 3]
    sizes = [metrics.mailbox_bytes.value(stat) for stat in ("sum", "p95", "max")]
    assert sizes[0] * 3 == sizes[2] * 4
    assert metrics.oldest_mail.value() == 9


async def test_mail_that_is_gone_is_not_counted_any_more(store, time, job, metrics):
    await fill(store, time, "uid-0", 3)
    await job.run()
    state, _ = await store.mailboxes.state("uid-0")
    await store.mailboxes.ack("uid-0", state.last, state.epoch)
    await job.run()
    assert metrics.mailbox_envelopes.value("sum") == 0
    assert metrics.oldest_mail.value() == 0


async def test_of_many_mailboxes_the_largest_twentieth_is_above_the_95th_percentile(store, time, job, metrics):
    for number in range(20):
        await fill(store, time, f"uid-{number}", 1 + number % 20)
    await job.run()
    assert [metrics.mailbox_envelopes.value(stat) for stat in ("sum", "p95", "max")] == [210, 19, 20]


@pytest.fixture
def small_parts(monkeypatch):
    for module in (parallel, take_census):
        monkeypatch.setattr(module, "WIDTH_COUNT", 1)
    monkeypatch.setattr(take_census, "PART_COUNT", 2)


async def test_many_mailboxes_are_measured_in_several_runs_and_told_at_the_end(store, time, job, metrics, small_parts):
    for number in range(3):
        await fill(store, time, f"uid-{number}", 1)
    await job.run()
    assert metrics.mailbox_envelopes.value("sum") == 0
    await job.run()
    assert metrics.mailbox_envelopes.value("sum") == 3


async def test_a_round_that_broke_off_begins_again(store, time, memory, job, metrics, small_parts):
    for number in range(3):
        await fill(store, time, f"uid-{number}", 1)
    await job.run()
    memory.down = True
    with pytest.raises(StorageUnavailable):
        await job.run()
    memory.down = False
    await job.run()
    assert metrics.mailbox_envelopes.value("sum") == 0, "half a round is no census"
    await job.run()
    assert metrics.mailbox_envelopes.value("sum") == 3


async def test_a_round_that_took_long_is_not_repeated_soon(store, time, memory, job, metrics, monkeypatch):
    await fill(store, time, "uid-0", 1)
    reach = memory.reach

    async def slow() -> None:
        time.ms += 1000
        await reach()

    monkeypatch.setattr(memory, "reach", slow)
    before = time()
    await job.run()
    took = time() - before
    await fill(store, time, "uid-1", 1)
    time.ms = before + took + REST_FACTOR * took - 1
    await job.run()
    assert metrics.mailbox_envelopes.value("sum") == 1
    time.ms += 1
    await job.run()
    assert metrics.mailbox_envelopes.value("sum") == 2
