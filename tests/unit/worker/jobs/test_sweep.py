"""Finding what nothing else finds, in memory."""

from dataclasses import dataclass, field

import pytest

from exchange.core.model import Envelope, Kind, Link, NodeInfo, Presence, Profile
from exchange.ports import Store
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.breaking import ERRORS, break_everywhere
from tests.harness.world import LEASE_MS, Time
from worker.halves import Halves
from worker.jobs.sweep import OVERDUE_MS, Sweep
from worker.metrics import WorkerMetrics

ANN = Presence("sid-ann", "uid-ann", "ann", "node1", "magi", "192.0.2.1")
TTL_MS = 1000


@dataclass
class World:
    """Ann is on the only node."""

    time: Time
    memory: Memory
    store: Store
    metrics: WorkerMetrics = field(default_factory=WorkerMetrics)

    async def mail(self, uid: str) -> None:
        envelope = Envelope(Kind.EXPIRED, "uid-sender", "", 0, self.time(), b"", "m1")
        await self.store.mailboxes.post(uid, envelope, self.time() + TTL_MS)

    def found(self, kind: str) -> float:
        return self.metrics.sweep_found.value(kind)

    def sweep(self, store: Store | None = None) -> Sweep:
        store = store or self.store
        return Sweep(
            store,
            Halves(store, grace_ms=5000, again_ms=0),
            self.metrics,
            again_seconds=0,
            pause_seconds=0,
        )


async def begin() -> World:
    time = Time()
    memory = Memory(time)
    world = World(time, memory, memory_store(memory))
    await world.store.leases.renew(NodeInfo("node1", "0", time()), ttl_ms=LEASE_MS * 100, draining=False)
    await world.store.leases.note(ANN)
    await world.store.users.open(ANN, Profile("ann", "Ann"))
    return world


@pytest.fixture
async def world() -> World:
    return await begin()


async def test_an_orderly_store_has_no_finds(world):
    await world.mail("uid-bob")
    await world.sweep().run()
    assert (world.found("due"), world.found("half_link")) == (0, 0)


async def test_mail_that_nobody_was_to_look_at_is_looked_at_when_it_expires(world):
    await world.mail("uid-bob")
    await world.sweep().run()
    assert world.memory.dues == {"uid-bob": world.time() + TTL_MS}


async def test_an_earlier_look_stays(world):
    await world.mail("uid-bob")
    await world.store.dues.note("uid-bob", 1)
    await world.sweep().run()
    assert world.memory.dues == {"uid-bob": 1}


async def test_mail_that_is_long_past_its_time_is_a_find(world):
    await world.mail("uid-bob")
    world.time.ms += TTL_MS + OVERDUE_MS + 1
    await world.sweep().run()
    assert world.found("due") == 1
    assert world.memory.dues["uid-bob"] < world.time()


async def test_mail_of_somebody_who_is_here_is_none(world):
    await world.mail(ANN.uid)
    world.time.ms += TTL_MS + OVERDUE_MS + 1
    await world.sweep().run()
    assert world.found("due") == 0


async def test_a_link_whose_other_end_is_lost_is_found_and_ended(world):
    await world.store.links.put(ANN.uid, Link("uid-bob", "c1", "bob", "Bob", persist=True))
    sweep = world.sweep()
    sweep._halves = Halves(world.store, grace_ms=5000, again_ms=10)
    await sweep.run()
    assert world.found("half_link") == 0, "it may be under way"
    world.time.ms += 10
    await sweep.run()
    assert world.found("half_link") == 1
    assert (await world.store.links.table(ANN.uid))[1] == ()


async def test_one_run_looks_twice(world, monkeypatch):
    await world.store.links.put(ANN.uid, Link("uid-bob", "c1", "bob", "Bob", persist=True))
    sweep, looks = world.sweep(), []

    async def look(uid):
        looks.append(uid)
        return (0, 1) if len(looks) == 1 else (1, 0)

    monkeypatch.setattr(sweep._halves, "look", look)
    await sweep.run()
    assert looks == [ANN.uid, ANN.uid]
    assert world.found("half_link") == 1


@pytest.mark.parametrize("how", ERRORS)
async def test_a_run_that_broke_off_anywhere_is_finished_by_the_next(how):
    async def start():
        world = await begin()
        await world.mail("uid-bob")
        await world.store.links.put(ANN.uid, Link("uid-bob", "c1", "bob", "Bob", persist=True))
        return world

    async def run(world, breaking):
        await world.sweep(breaking(world.store)).run()

    async def finish(world):
        await world.sweep().run()
        assert "uid-bob" in world.memory.dues
        assert (await world.store.links.table(ANN.uid))[1] == ()

    assert await break_everywhere(how, start, run, finish) >= 7


async def test_who_holds_a_slot_of_a_pair_is_no_user_and_not_looked_at(world: World) -> None:
    await world.store.leases.note(Presence("sid-phone", "p1", "", "node1", "coralmux", "", role="phone"))
    looked: list[str] = []

    class Watched(Halves):
        async def look(self, uid: str) -> tuple[int, int]:
            looked.append(uid)
            return await super().look(uid)

    halves = Watched(world.store, grace_ms=5000, again_ms=0)
    await Sweep(world.store, halves, world.metrics, again_seconds=0, pause_seconds=0).run()
    assert looked == [ANN.uid]
