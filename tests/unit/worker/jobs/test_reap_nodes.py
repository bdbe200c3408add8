"""Clearing up after dead nodes: nodes and a worker on one store in memory."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.waiting import eventually
from tests.harness.world import LEASE_MS, Place, Time, befriend
from worker.jobs import reap_nodes
from worker.jobs.reap_nodes import ReapNodes

GRACE_MS = 5000


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def memory(time) -> Memory:
    return Memory(time)


@pytest.fixture
def job(memory) -> ReapNodes:
    return ReapNodes(memory_store(memory), grace_ms=GRACE_MS, store_up_seconds=12.0)


async def die(place: Place, time: Time) -> None:
    """Let a node fall silent for so long that its lease runs out."""
    uids = [seat.user.uid for seat in place.hub]
    for uid in uids:
        place.store.wakes.forget(uid)
    time.ms += LEASE_MS


async def test_friends_are_told_and_the_name_is_free_after_the_grace(memory, time, job):
    dead, here = await Place(memory, "dead").start(), await Place(memory, "here").start()
    ann, bob = await dead.identified("ann"), await here.identified("bob")
    await befriend(ann, bob)
    await die(dead, time)
    await here.start()
    await job.run()
    assert (await bob.hears("friend_disconnected"))["friend"]["username"] == "ann"
    assert (job.nodes_count, job.sessions_count) == (1, 1)
    time.ms += GRACE_MS
    assert (await here.connect(address="198.51.100.3").ask("identify", username="ann"))["type"] == "identified"


async def test_a_quick_return_finds_name_and_friends_again(memory, time, job):
    dead, here = await Place(memory, "dead").start(), await Place(memory, "here").start()
    ann, bob = await dead.identified("ann"), await here.identified("bob")
    await befriend(ann, bob)
    await die(dead, time)
    await here.start()
    await job.run()
    back = await here.identified("ann")
    await eventually(lambda: bob.types[-1] == "friend_connected")
    assert (await back.ask("ask", content="hello"))["type"] == "question_sent"


async def test_a_node_that_lives_is_left_alone(memory, time, job):
    here = await Place(memory, "here").start()
    peer = await here.identified("ann")
    time.ms += 20_000
    await job.run()
    assert job.nodes_count == 0
    assert (await peer.ask("create_invite"))["type"] == "invite_created"


async def test_a_node_that_left_in_order_is_not_reaped(memory, time, job):
    gone = await Place(memory, "gone").start()
    await gone.store.leases.leave("gone")
    time.ms += LEASE_MS
    await job.run()
    assert job.nodes_count == 0


async def test_a_cleared_node_is_not_cleared_again(memory, time, job):
    dead = await Place(memory, "dead").start()
    await dead.identified("ann")
    await die(dead, time)
    await job.run()
    await job.run()
    assert (job.nodes_count, job.sessions_count) == (1, 1)


async def test_nobody_is_declared_dead_until_the_store_was_up_long_enough(memory, time):
    dead = await Place(memory, "dead").start()
    await die(dead, time)
    job = ReapNodes(memory_store(memory), grace_ms=GRACE_MS, store_up_seconds=12.0)
    await job.run()
    assert job.nodes_count == 0
    time.ms += 12_000
    await job.run()
    assert job.nodes_count == 1


async def test_a_run_that_broke_off_is_finished_by_the_next(memory, time, job, monkeypatch):
    dead, here = await Place(memory, "dead").start(), await Place(memory, "here").start()
    ann, bob = await dead.identified("ann"), await here.identified("bob")
    await befriend(ann, bob)
    await die(dead, time)
    await here.start()
    steps, reach = [], memory.reach

    async def breaking() -> None:
        steps.append(1)
        memory.down = len(steps) == broken_step
        await reach()

    monkeypatch.setattr(memory, "reach", breaking)
    broken_step = 0
    while job.nodes_count == 0:
        broken_step += 1
        steps.clear()
        try:
            await job.run()
        except StorageUnavailable:
            assert broken_step < 20
    assert broken_step > 5
    await bob.hears("friend_disconnected")
    assert bob.types.count("friend_disconnected") == 1
    assert await here.store.names.find("ann", "magi") is None


async def test_many_sessions_are_cleared_in_parts(memory, time, job, monkeypatch):
    monkeypatch.setattr(reap_nodes, "BATCH_COUNT", 2)
    dead = await Place(memory, "dead").start()
    for number in range(5):
        await dead.identified(f"user{number}")
    await die(dead, time)
    await job.run()
    assert job.sessions_count == 5
    assert [presence async for presence in memory_store(memory).leases.noted("dead")] == []
