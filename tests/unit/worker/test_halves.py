"""Links that stand in one table only, in memory."""

from dataclasses import dataclass, replace

import pytest

from exchange.core.model import Link, Presence, Profile
from exchange.core.wakes import Unlinked, Wake
from exchange.ports import Store
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.breaking import ERRORS, break_everywhere
from tests.harness.world import Time
from worker.halves import AGAIN_MS, Halves

GRACE_MS = 5000
ANN = Presence("sid-ann", "uid-ann", "ann", "node1", "magi", "192.0.2.1")
BOB = Presence("sid-bob", "uid-bob", "bob", "node2", "magi", "192.0.2.2")
HERS = Link(BOB.uid, "c1", "bob", "Bob", persist=True)
HIS = Link(ANN.uid, "c1", "ann", "Ann", persist=True)


@dataclass
class World:
    time: Time
    memory: Memory
    store: Store
    halves: Halves
    wakes: list[Wake]

    def woken(self, uid: str, wake: Wake, size_bytes: int) -> None:
        self.wakes.append(wake)

    def gap(self) -> None:
        raise AssertionError("memory has no gaps")

    async def links(self, uid: str) -> tuple[Link, ...]:
        return (await self.store.links.table(uid))[1]


async def begin() -> World:
    time = Time()
    memory = Memory(time)
    store = memory_store(memory)
    world = World(time, memory, store, Halves(store, grace_ms=GRACE_MS), [])
    store.wakes.attend(world)
    for presence in (ANN, BOB):
        await store.users.open(presence, Profile(presence.name, presence.name.title()))
    await store.wakes.listen(ANN.uid)
    return world


@pytest.fixture
async def world() -> World:
    return await begin()


async def test_a_half_is_ended_at_the_second_look_and_its_owner_told(world):
    await world.store.links.put(ANN.uid, HERS)
    assert await world.halves.look(ANN.uid) == (0, 1)
    assert await world.links(ANN.uid) != ()
    world.time.ms += AGAIN_MS
    assert await world.halves.look(ANN.uid) == (1, 0)
    assert await world.links(ANN.uid) == ()
    assert [type(wake) for wake in world.wakes] == [Unlinked]
    assert await world.halves.look(ANN.uid) == (0, 0)


async def test_a_half_that_is_completed_meanwhile_stays(world):
    await world.store.links.put(ANN.uid, HERS)
    await world.halves.look(ANN.uid)
    await world.store.links.put(BOB.uid, HIS)
    world.time.ms += AGAIN_MS
    assert await world.halves.look(ANN.uid) == (0, 0)
    assert await world.links(ANN.uid) != ()


async def test_what_was_a_half_once_is_looked_at_twice_again(world):
    await world.store.links.put(ANN.uid, HERS)
    await world.halves.look(ANN.uid)
    await world.store.links.put(BOB.uid, HIS)
    await world.halves.look(ANN.uid)
    await world.store.links.end(BOB.uid, ANN.uid, "c1")
    world.time.ms += AGAIN_MS
    assert await world.halves.look(ANN.uid) == (0, 1)


async def test_a_friendship_of_two_halves_that_do_not_fit_is_none(world):
    await world.store.links.put(ANN.uid, HERS)
    await world.store.links.put(BOB.uid, replace(HIS, connection="c2"))
    for uid in (ANN.uid, BOB.uid):
        await world.halves.look(uid)
    world.time.ms += AGAIN_MS
    for uid in (ANN.uid, BOB.uid):
        assert await world.halves.look(uid) == (1, 0)
        assert await world.links(uid) == ()


async def test_a_link_with_somebody_unknown_is_ended(world):
    await world.store.links.put(ANN.uid, replace(HERS, peer="uid-nobody"))
    await world.halves.look(ANN.uid)
    world.time.ms += AGAIN_MS
    assert await world.halves.look(ANN.uid) == (1, 0)


async def test_a_plain_link_with_somebody_who_has_left_is_ended(world):
    await world.store.links.put(ANN.uid, replace(HERS, persist=False))
    await world.store.users.close(BOB.uid, BOB.sid, grace_ms=GRACE_MS)
    await world.halves.look(ANN.uid)
    world.time.ms += AGAIN_MS
    assert await world.halves.look(ANN.uid) == (1, 0)


async def test_an_inviter_in_its_grace_may_still_come_back(world):
    await world.store.users.close(BOB.uid, BOB.sid, grace_ms=GRACE_MS)
    await world.store.links.put(ANN.uid, replace(HERS, persist=False, waiting=True))
    await world.store.links.set_aside(BOB.uid, replace(HIS, persist=False), keep_ms=GRACE_MS)
    assert await world.halves.look(ANN.uid) == (0, 0)
    world.time.ms += GRACE_MS + AGAIN_MS
    assert await world.halves.look(ANN.uid) == (0, 1)
    world.time.ms += AGAIN_MS
    assert await world.halves.look(ANN.uid) == (1, 0)
    opened = await world.store.users.open(replace(BOB, sid="sid-back"), Profile("bob", "Bob"))
    assert opened.links == ()


@pytest.mark.parametrize("how", ERRORS)
async def test_the_half_is_gone_wherever_its_end_broke_off(how):
    async def start():
        world = await begin()
        await world.store.links.put(ANN.uid, HERS)
        await world.halves.look(ANN.uid)
        world.time.ms += AGAIN_MS
        return world

    async def run(world, breaking):
        world.halves._store = breaking(world.store)
        await world.halves.look(ANN.uid)

    async def finish(world):
        other = Halves(world.store, grace_ms=GRACE_MS)
        await other.look(ANN.uid)
        world.time.ms += AGAIN_MS
        await other.look(ANN.uid)
        assert await world.links(ANN.uid) == ()
        assert [type(wake) for wake in world.wakes] == [Unlinked]

    assert await break_everywhere(how, start, run, finish) >= 4
