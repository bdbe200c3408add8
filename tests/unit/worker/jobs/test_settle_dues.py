"""Looking after users who are due, in memory."""

import asyncio
from dataclasses import dataclass

import pytest

from exchange import fates
from exchange.core.ids import NOWHERE
from exchange.core.model import Envelope, Kind, Letter, Link, Presence, Profile
from exchange.ports import Caps, Store
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.breaking import ERRORS, break_everywhere
from tests.harness.world import Time
from worker import parallel
from worker.halves import AGAIN_MS, Halves
from worker.jobs import settle_dues
from worker.jobs.settle_dues import PUT_OFF_MS, SettleDues

TTL_MS = 604_800_000
SOON_MS = 1000
ANN = Presence("sid-ann", "uid-ann", "ann", "node1", "magi", "192.0.2.1")
BOB = Presence("sid-bob", "uid-bob", "bob", "node2", "magi", "192.0.2.2")


def job_on(store: Store) -> SettleDues:
    return SettleDues(store, Halves(store, grace_ms=5000), ttl_ms=TTL_MS)


@dataclass
class World:
    """Ann has left, and Bob, who is here, has written to her."""

    time: Time
    memory: Memory
    store: Store

    async def mail(self, id_: str, ttl_ms: int, *, note: bool = True) -> None:
        until_ms = self.time() + ttl_ms
        envelope = Envelope(Kind.QUESTION, BOB.uid, "c1", 0, self.time(), b'"?"', id_, name="bob")
        await self.store.mailboxes.post(ANN.uid, envelope, until_ms)
        if note:
            await self.store.dues.note(ANN.uid, until_ms)

    async def letters(self, uid: str) -> list[Letter]:
        return list((await self.store.mailboxes.read(uid, NOWHERE, count=100, bytes_=1 << 30)).letters)

    async def told(self) -> list[str]:
        return sorted(letter.envelope.reply_to for letter in await self.letters(BOB.uid))

    async def acknowledge(self) -> None:
        state, _ = await self.store.mailboxes.state(BOB.uid)
        await self.store.mailboxes.ack(BOB.uid, state.last, state.epoch)

    async def run(self) -> None:
        await job_on(self.store).run()


async def begin(caps: Caps = Caps()) -> World:
    time = Time()
    memory = Memory(time)
    store = memory_store(memory, caps)
    for presence in (ANN, BOB):
        await store.users.open(presence, Profile(presence.name, presence.name.title()))
    await store.links.put(ANN.uid, Link(BOB.uid, "c1", "bob", "Bob", persist=True))
    await store.links.put(BOB.uid, Link(ANN.uid, "c1", "ann", "Ann", persist=True))
    await store.users.close(ANN.uid, ANN.sid, grace_ms=0)
    return World(time, memory, store)


@pytest.fixture
async def world() -> World:
    return await begin()


async def test_mail_that_is_past_its_time_ends_and_its_sender_is_told(world):
    await world.mail("m1", SOON_MS)
    world.time.ms += SOON_MS
    await world.run()
    assert await world.letters(ANN.uid) == []
    assert await world.told() == ["m1"]
    assert ANN.uid not in world.memory.dues


async def test_mail_that_has_time_stays_and_is_looked_at_then(world):
    await world.mail("m1", SOON_MS)
    await world.mail("m2", TTL_MS)
    until_ms = world.time() + TTL_MS
    world.time.ms += SOON_MS
    await world.run()
    assert [letter.envelope.id for letter in await world.letters(ANN.uid)] == ["m2"]
    assert world.memory.dues[ANN.uid] == until_ms


async def test_nobody_is_looked_at_before_the_time(world):
    await world.mail("m1", SOON_MS)
    world.time.ms += SOON_MS - 1
    await world.run()
    assert len(await world.letters(ANN.uid)) == 1


async def test_mail_of_somebody_who_is_here_is_left_to_the_session(world):
    await world.mail("m1", SOON_MS)
    await world.store.users.open(ANN, Profile("ann", "Ann"))
    world.time.ms += SOON_MS
    await world.run()
    assert len(await world.letters(ANN.uid)) == 1
    assert world.memory.dues[ANN.uid] > world.time()


async def test_somebody_who_is_here_and_has_no_mail_is_not_looked_at_again(world):
    await world.store.dues.note(BOB.uid, world.time())
    await world.run()
    assert world.memory.dues == {}


async def test_whoever_could_not_be_told_is_told_later():
    world = await begin(Caps(count=2, share_percent=50))
    await world.mail("m1", SOON_MS)
    world.time.ms += SOON_MS
    await world.run()
    await world.mail("m2", SOON_MS)
    world.time.ms += SOON_MS
    await world.run()
    assert await world.told() == ["m1"], "there was room for one notice"
    assert world.memory.dues[ANN.uid] == world.time() + fates.AGAIN_MS
    await world.acknowledge()
    world.time.ms += fates.AGAIN_MS
    await world.run()
    assert await world.told() == ["m2"]


async def test_a_half_made_link_is_ended_at_the_second_look(world):
    await world.store.links.end(BOB.uid, ANN.uid, "c1")
    await world.store.dues.note(ANN.uid, world.time())
    job = job_on(world.store)
    await job.run()
    assert len((await world.store.links.table(ANN.uid))[1]) == 1
    world.time.ms += AGAIN_MS
    await job.run()
    assert (await world.store.links.table(ANN.uid))[1] == ()
    assert world.memory.dues == {}


async def test_everybody_who_is_due_is_looked_after_in_one_run(world, monkeypatch):
    for module in (parallel, settle_dues):
        monkeypatch.setattr(module, "WIDTH_COUNT", 2)
    for number in range(5):
        await world.store.dues.note(f"uid-{number}", world.time())
    await world.run()
    assert world.memory.dues == {}


async def test_one_riddle_does_not_hold_up_the_others(world, monkeypatch):
    await world.store.dues.note("uid-riddle", world.time() - 1)
    await world.mail("m1", SOON_MS)
    world.time.ms += SOON_MS
    job = job_on(world.store)
    look = job._halves.look

    async def puzzled(uid):
        if uid == "uid-riddle":
            raise ValueError("a record nobody understands")
        return await look(uid)

    monkeypatch.setattr(job._halves, "look", puzzled)
    await job.run()
    assert await world.told() == ["m1"]
    assert world.memory.dues["uid-riddle"] == world.time() + PUT_OFF_MS


async def test_mail_that_comes_during_the_look_is_not_forgotten(world, monkeypatch):
    await world.mail("m1", SOON_MS)
    world.time.ms += SOON_MS
    job = job_on(world.store)
    look = job._halves.look

    async def interrupted(uid):
        await world.mail("m2", SOON_MS)
        return await look(uid)

    monkeypatch.setattr(job._halves, "look", interrupted)
    await job.run()
    assert ANN.uid in world.memory.dues


@pytest.mark.parametrize("how", ERRORS)
async def test_ended_and_told_once_wherever_a_run_broke_off(how):
    async def start():
        world = await begin()
        await world.mail("m1", SOON_MS)
        await world.mail("m2", SOON_MS)
        await world.mail("m3", TTL_MS)
        world.time.ms += SOON_MS
        return world

    async def run(world, breaking):
        await job_on(breaking(world.store)).run()

    async def finish(world):
        # Whoever comes next knows nothing of the first: it may be another worker.
        world.time.ms += AGAIN_MS
        await world.run()
        assert [letter.envelope.id for letter in await world.letters(ANN.uid)] == ["m3"]
        assert await world.told() == ["m1", "m2"]
        assert await world.store.mailboxes.ended(ANN.uid) == ()
        assert world.memory.dues[ANN.uid] > world.time()

    assert await break_everywhere(how, start, run, finish) >= 15


async def test_ended_and_told_once_if_two_workers_believe_to_hold_the_job(world):
    await world.mail("m1", SOON_MS)
    await world.mail("m2", SOON_MS)
    world.time.ms += SOON_MS
    await asyncio.gather(*(job_on(memory_store(world.memory)).run() for _ in range(3)))
    assert await world.told() == ["m1", "m2"]
    assert ANN.uid not in world.memory.dues


@pytest.mark.parametrize("steps", range(12))
async def test_mail_is_delivered_or_expired_but_never_both(steps):
    """Ann comes back while a worker ends her mail (T14)."""
    world = await begin()
    await world.mail("m1", SOON_MS)
    world.time.ms += SOON_MS
    task = asyncio.create_task(world.run())
    for _ in range(steps):
        await asyncio.sleep(0)
    await world.store.users.open(ANN, Profile("ann", "Ann"))
    given = [letter.envelope.id for letter in await world.letters(ANN.uid)]
    await task
    assert sorted(given + await world.told()) == ["m1"]
