"""The end of a session in the store, in memory."""

import asyncio

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.model import Link, Presence
from exchange.core.wakes import Unlinked, Wake
from exchange.farewell import say_farewell
from exchange.ports import ClaimWord, Store
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.waiting import eventually
from tests.harness.world import Time

GRACE_MS = 5000
ANN = Presence("sid-ann", "uid-ann", "ann", "node1", "magi", "192.0.2.1")
BOB = Presence("sid-bob", "uid-bob", "bob", "node2", "magi", "192.0.2.2")


class Ear:
    def __init__(self) -> None:
        self.wakes: list[Wake] = []

    def woken(self, uid: str, wake: Wake, size_bytes: int) -> None:
        self.wakes.append(wake)

    def gap(self) -> None:
        raise AssertionError("memory has no gaps")


class Rig:
    """Ann and Bob are friends; the test is Bob's node."""

    def __init__(self) -> None:
        self.memory = Memory(Time())
        self.store: Store = memory_store(self.memory)
        self.ear = Ear()
        self.store.wakes.attend(self.ear)

    async def start(self) -> "Rig":
        for presence in (ANN, BOB):
            await self.store.leases.note(presence)
            await self.store.names.claim(presence.name, presence)
            await self.store.users.open(presence, presence.name.title())
        await self.store.links.put(ANN.uid, Link(BOB.uid, "c1", "bob", "Bob"))
        await self.store.links.put(BOB.uid, Link(ANN.uid, "c1", "ann", "Ann"))
        await self.store.wakes.listen(BOB.uid)
        return self

    async def noted(self) -> list[str]:
        return [presence.sid async for presence in self.store.leases.noted("node1")]


@pytest.fixture
async def rig() -> Rig:
    return await Rig().start()


async def test_everything_of_the_session_is_gone_and_the_friend_is_told(rig):
    await say_farewell(rig.store, ANN, grace_ms=0)
    assert (await rig.store.users.standing(ANN.uid)).sessions_count == 0
    assert (await rig.store.links.table(ANN.uid))[1] == ()
    assert (await rig.store.links.table(BOB.uid))[1] == ()
    assert await rig.store.names.find("ann", "magi") is None
    assert await rig.noted() == []
    await eventually(lambda: rig.ear.wakes)
    (wake,) = rig.ear.wakes
    assert isinstance(wake, Unlinked)
    assert (wake.peer, wake.connection) == (ANN.uid, "c1")


async def test_within_the_grace_name_and_friends_come_back(rig):
    await say_farewell(rig.store, ANN, grace_ms=GRACE_MS)
    back = Presence("sid-new", "uid-new", "ann", "node3", "magi", ANN.address)
    claim = await rig.store.names.claim("ann", back)
    assert (claim.word, claim.uid) == (ClaimWord.GRACE, ANN.uid)
    opened = await rig.store.users.open(Presence("sid-new", claim.uid, "ann", "node3", "magi", ""), "Ann")
    assert opened.restored == {BOB.uid}


async def test_two_who_see_to_it_at_the_same_time_tell_the_friend_once(rig):
    await asyncio.gather(*(say_farewell(rig.store, ANN, grace_ms=GRACE_MS) for _ in range(3)))
    await eventually(lambda: rig.ear.wakes)
    await rig.memory.reach()
    assert len(rig.ear.wakes) == 1


@pytest.mark.parametrize("broken_step", range(1, 5))
async def test_a_farewell_that_broke_off_can_be_repeated(rig, monkeypatch, broken_step):
    steps, reach = [], rig.memory.reach

    async def breaking() -> None:
        steps.append(1)
        rig.memory.down = len(steps) == broken_step
        await reach()

    monkeypatch.setattr(rig.memory, "reach", breaking)
    with pytest.raises(StorageUnavailable):
        await say_farewell(rig.store, ANN, grace_ms=0)
    assert await rig.noted() == [ANN.sid], "whoever finds the index entry finishes"
    rig.memory.down = False
    await say_farewell(rig.store, ANN, grace_ms=0)
    assert await rig.noted() == []
    assert await rig.store.names.find("ann", "magi") is None
    await eventually(lambda: rig.ear.wakes)
    assert len(rig.ear.wakes) == 1


async def test_a_later_holder_of_the_name_keeps_it(rig):
    heir = Presence("sid-heir", "uid-heir", "ann", "node3", "magi", "192.0.2.3")
    assert (await rig.store.names.claim("ann", heir, evict=ANN.sid)).word is ClaimWord.FRESH
    await say_farewell(rig.store, ANN, grace_ms=GRACE_MS)
    assert await rig.store.names.find("ann", "magi") == heir.uid
