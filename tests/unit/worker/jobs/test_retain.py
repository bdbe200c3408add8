"""Forgetting what is kept for a limited time, in memory."""

from dataclasses import dataclass

import pytest

from exchange.core.ids import NOWHERE
from exchange.core.model import Envelope, Kind, Record
from exchange.ports import Store
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.breaking import ERRORS, break_everywhere
from tests.harness.world import Time
from worker.jobs.retain import Retain

HISTORY_MS = 5000
PARKED_MS = 9000


@dataclass
class World:
    time: Time
    memory: Memory
    store: Store

    async def say(self, text: bytes) -> None:
        record = Record(self.time(), "", True, int(Kind.QUESTION), "m1", "", text)
        for uid in ("uid-ann", "uid-bob"):
            await self.store.histories.add(uid, "c1", record, keep_ms=60_000)

    async def park(self, uid: str) -> None:
        envelope = Envelope(Kind.EXPIRED, "uid-sender", "", 0, self.time(), b"", f"m{self.time()}")
        await self.store.mailboxes.post(uid, envelope, self.time() + 60_000)
        page = await self.store.mailboxes.read(uid, NOWHERE, count=1, bytes_=1)
        await self.store.mailboxes.attempt(uid, page.letters[0].offset, most=0)

    async def said(self, uid: str) -> list[bytes]:
        records, _ = await self.store.histories.read(uid, "c1", "", count=10)
        return [record.body for record in records]

    def parked(self) -> list[int]:
        return [len(box.parked) for box in self.memory.boxes.values()]

    async def run(self, history_ms: int = HISTORY_MS) -> None:
        await Retain(self.store, history_ms=history_ms, parked_ms=PARKED_MS).run()


async def begin() -> World:
    time = Time()
    memory = Memory(time)
    world = World(time, memory, memory_store(memory))
    await world.say(b"old")
    await world.park("uid-ann")
    await world.park("uid-bob")
    return world


async def test_what_is_young_is_kept():
    world = await begin()
    world.time.ms += HISTORY_MS
    await world.run()
    assert await world.said("uid-ann") == [b"old"]
    assert world.parked() == [1, 1]


async def test_what_is_too_old_is_removed():
    world = await begin()
    world.time.ms += HISTORY_MS + 1
    await world.say(b"new")
    await world.run()
    assert await world.said("uid-ann") == [b"new"]
    assert world.parked() == [1, 1]
    world.time.ms = world.time() - HISTORY_MS + PARKED_MS
    await world.run()
    assert world.parked() == [0, 0]


async def test_no_retention_keeps_no_history():
    world = await begin()
    world.time.ms += 1
    await world.run(history_ms=0)
    assert await world.said("uid-ann") == await world.said("uid-bob") == []


@pytest.mark.parametrize("how", ERRORS)
async def test_a_run_that_broke_off_anywhere_is_finished_by_the_next(how):
    async def run(world, breaking):
        world.time.ms += PARKED_MS + 1
        await Retain(breaking(world.store), history_ms=HISTORY_MS, parked_ms=PARKED_MS).run()

    async def finish(world):
        await world.run()
        assert await world.said("uid-ann") == await world.said("uid-bob") == []
        assert world.parked() == [0, 0]

    assert await break_everywhere(how, begin, run, finish) >= 4
