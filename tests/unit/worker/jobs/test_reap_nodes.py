"""Clearing up after dead nodes: nodes and a worker on one store in memory."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.model import NodeInfo, Presence
from exchange.core.pairs import PeerDown, Role
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness import ends
from tests.harness.breaking import ERRORS, break_everywhere
from tests.harness.waiting import eventually
from tests.harness.world import LEASE_MS, Place, Time, befriend
from worker import parallel
from worker.halves import AGAIN_MS, Halves
from worker.jobs.reap_nodes import ReapNodes
from worker.jobs.settle_dues import SettleDues
from worker.metrics import WorkerMetrics

GRACE_MS = 5000
RESUME_MS = 60_000


class Job(ReapNodes):
    """The job, and what it counted."""

    def __init__(self, memory: Memory) -> None:
        self.metrics = WorkerMetrics()
        super().__init__(
            memory_store(memory), self.metrics, grace_ms=GRACE_MS, resume_ms=RESUME_MS, store_up_seconds=12.0
        )

    @property
    def nodes_count(self) -> float:
        return self.metrics.reaped.value("node")

    @property
    def sessions_count(self) -> float:
        return self.metrics.reaped.value("session")


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def memory(time) -> Memory:
    return Memory(time)


@pytest.fixture
def job(memory) -> Job:
    return Job(memory)


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


async def test_a_slot_of_a_dead_node_is_free_and_its_peer_is_told(memory, time, job):
    # CORAL-14, WIRE-10
    dead, here = memory_store(memory), memory_store(memory)
    ear = ends.Ear(here)
    pair = await here.pairs.create("token")
    agent = await ends.enter(here, pair, Role.AGENT)
    await dead.leases.renew(NodeInfo("dead", "0", time()), ttl_ms=LEASE_MS, draining=False)
    await dead.leases.note(Presence("sid-phone", pair, "", "dead", "coralmux", "", role=Role.PHONE))
    await ends.enter(dead, pair, Role.PHONE, "sid-phone")
    await ear.told(pair, Role.AGENT)
    time.ms += LEASE_MS
    await job.run()
    assert await ear.told(pair, Role.AGENT) == [PeerDown(agent.number)]
    assert await here.pairs.connected(pair) == {Role.AGENT}
    assert (job.nodes_count, job.sessions_count) == (1, 1)
    assert [presence async for presence in here.leases.noted("dead")] == []
    assert memory.dues == {}, "a pair has no mail to look at"


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
    job = Job(memory)
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
    monkeypatch.setattr(parallel, "WIDTH_COUNT", 2)
    dead = await Place(memory, "dead").start()
    for number in range(5):
        await dead.identified(f"user{number}")
    await die(dead, time)
    await job.run()
    assert job.sessions_count == 5
    assert [presence async for presence in memory_store(memory).leases.noted("dead")] == []


KILLED = [how for how in ERRORS if how.startswith("killed")]
PERSISTENT = ("ids", "resume", "persist")


class Meeting:
    """Ann, on a node that lives, has invited Bob, on one that is about to die."""

    def __init__(self) -> None:
        self.time = Time()
        self.memory = Memory(self.time)
        self.here, self.dead = Place(self.memory, "here"), Place(self.memory, "dead")
        self.job, self.other_job = Job(self.memory), Job(self.memory)

    async def start(self) -> "Meeting":
        self.ann = await (await self.here.start()).identified("ann", features=PERSISTENT)
        self.bob = await (await self.dead.start()).identified("bob", features=PERSISTENT)
        self.code = (await self.ann.ask("create_invite"))["code"]
        return self

    async def connect(self) -> None:
        self.bob.say("connect", code=self.code)
        await eventually(lambda: not self.dead.exchange._tasks)

    async def links(self) -> list[tuple[str, str]]:
        tables = [(await self.here.store.links.table(uid))[1] for uid in self.memory.users]
        return sorted((link.peer, link.connection) for table in tables for link in table)

    async def clear_up(self) -> None:
        await die(self.dead, self.time)
        await self.here.start()
        await self.job.run()
        store = memory_store(self.memory)
        settle = SettleDues(store, Halves(store, grace_ms=GRACE_MS), ttl_ms=1000)
        await settle.run()
        self.time.ms += AGAIN_MS
        await settle.run()


@pytest.mark.parametrize("inviter_first", [True, False], ids=["inviter first", "redeemer first"])
@pytest.mark.parametrize("how", KILLED)
async def test_no_friendship_is_left_half_made_wherever_a_node_died(how, inviter_first):
    seen = set()

    async def begin():
        # The table of the smaller uid is written first.
        while True:
            meeting = await Meeting().start()
            inviter, redeemer = (peer.connection.session.identified().uid for peer in (meeting.ann, meeting.bob))
            if (inviter < redeemer) is inviter_first:
                return meeting

    async def run(meeting, breaking):
        meeting.dead.exchange.store = breaking(meeting.dead.exchange.store)
        await meeting.connect()

    async def finish(meeting):
        seen.add(len(await meeting.links()))
        await meeting.clear_up()
        links = await meeting.links()
        assert len(links) in {0, 2}
        assert len({connection for _, connection in links}) <= 1

    await break_everywhere(how, begin, run, finish)
    assert seen == {0, 1, 2}, "it died before, between and after the two ends"


@pytest.mark.parametrize("how", KILLED)
async def test_no_friendship_is_left_half_ended_wherever_a_node_died(how):
    async def begin():
        meeting = await Meeting().start()
        await meeting.connect()
        return meeting

    async def run(meeting, breaking):
        meeting.dead.exchange.store = breaking(meeting.dead.exchange.store)
        meeting.bob.say("unfriend", username="ann")
        await eventually(lambda: not meeting.dead.exchange._tasks)

    async def finish(meeting):
        await meeting.clear_up()
        assert len(await meeting.links()) in {0, 2}

    await break_everywhere(how, begin, run, finish)


@pytest.mark.parametrize("how", ERRORS)
async def test_a_reaping_that_broke_off_anywhere_tells_friends_once(how):
    async def begin():
        meeting = await Meeting().start()
        meeting.bob = await meeting.dead.identified("bea")
        await befriend(meeting.ann, meeting.bob)
        await die(meeting.dead, meeting.time)
        await meeting.here.start()
        return meeting

    async def run(meeting, breaking):
        meeting.job._store = breaking(meeting.job._store)
        await meeting.job.run()

    async def finish(meeting):
        await meeting.other_job.run()
        await meeting.ann.hears("friend_disconnected")
        await meeting.memory.reach()
        assert meeting.ann.types.count("friend_disconnected") == 1
        assert await meeting.here.store.names.find("bea", "magi") is None
        assert not [presence async for presence in meeting.here.store.leases.noted("dead")]
        assert meeting.memory.dues, "somebody looks for what was left half made"

    assert await break_everywhere(how, begin, run, finish) >= 10
