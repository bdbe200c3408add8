"""The end of a session in the store, in memory."""

import asyncio

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.model import Envelope, Kind, Link, Presence, Profile
from exchange.core.pairs import PeerDown, PeerUp, Role
from exchange.core.wakes import Linked, Unlinked, Wake
from exchange.farewell import AT_ONCE_COUNT, say_farewell, say_farewell_to_slot
from exchange.ports import ClaimWord, Store
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness import ends
from tests.harness.waiting import eventually
from tests.harness.world import Time

GRACE_MS = 5000
RESUME_MS = 60_000
ANN = Presence("sid-ann", "uid-ann", "ann", "node1", "magi", "192.0.2.1")
ANN_AGAIN = Presence("sid-again", "uid-ann", "ann", "node1", "magi", "192.0.2.1")
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
            await self.store.users.open(presence, Profile(presence.name, presence.name.title()))
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
    await say_farewell(rig.store, ANN, grace_ms=0, resume_ms=RESUME_MS)
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
    await say_farewell(rig.store, ANN, grace_ms=GRACE_MS, resume_ms=RESUME_MS)
    back = Presence("sid-new", "uid-new", "ann", "node3", "magi", ANN.address)
    claim = await rig.store.names.claim("ann", back)
    assert (claim.word, claim.uid) == (ClaimWord.GRACE, ANN.uid)
    opened = await rig.store.users.open(
        Presence("sid-new", claim.uid, "ann", "node3", "magi", ""), Profile("ann", "Ann")
    )
    assert opened.restored == {BOB.uid}


async def test_two_who_see_to_it_at_the_same_time_tell_the_friend_once(rig):
    await asyncio.gather(*(say_farewell(rig.store, ANN, grace_ms=GRACE_MS, resume_ms=RESUME_MS) for _ in range(3)))
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
        await say_farewell(rig.store, ANN, grace_ms=0, resume_ms=RESUME_MS)
    assert await rig.noted() == [ANN.sid], "whoever finds the index entry finishes"
    rig.memory.down = False
    await say_farewell(rig.store, ANN, grace_ms=0, resume_ms=RESUME_MS)
    assert await rig.noted() == []
    assert await rig.store.names.find("ann", "magi") is None
    await eventually(lambda: rig.ear.wakes)
    assert len(rig.ear.wakes) == 1


async def test_a_later_holder_of_the_name_keeps_it(rig):
    heir = Presence("sid-heir", "uid-heir", "ann", "node3", "magi", "192.0.2.3")
    assert (await rig.store.names.claim("ann", heir, evict=ANN.sid)).word is ClaimWord.FRESH
    await say_farewell(rig.store, ANN, grace_ms=GRACE_MS, resume_ms=RESUME_MS)
    assert await rig.store.names.find("ann", "magi") == heir.uid


@pytest.fixture
async def persistent(rig) -> Rig:
    """Ann, whose friendship with Bob is to last, came with a token."""
    for uid, peer in ((ANN.uid, BOB), (BOB.uid, ANN)):
        await rig.store.links.put(uid, Link(peer.uid, "c1", peer.name, peer.name.title(), persist=True))
    await rig.store.names.claim("ann", ANN, token="token")
    return rig


async def back(rig: Rig, token: str = "token") -> ClaimWord:
    """Let Ann come back."""
    return (await rig.store.names.claim("ann", ANN_AGAIN, proof=token)).word


async def test_a_persistent_friend_is_told_that_it_is_away_and_the_friendship_stands(persistent):
    await say_farewell(persistent.store, ANN, grace_ms=0, resume_ms=RESUME_MS)
    await eventually(lambda: persistent.ear.wakes)
    (wake,) = persistent.ear.wakes
    assert isinstance(wake, Linked)
    assert (wake.peer, wake.waiting) == (ANN.uid, True)
    for uid in (ANN.uid, BOB.uid):
        assert len((await persistent.store.links.table(uid))[1]) == 1


async def test_a_repeated_farewell_tells_a_persistent_friend_once(persistent):
    for _ in range(2):
        await say_farewell(persistent.store, ANN, grace_ms=0, resume_ms=RESUME_MS)
    await persistent.memory.reach()
    assert len(persistent.ear.wakes) == 1


async def test_the_name_of_who_has_persistent_friends_waits_without_end(persistent):
    await say_farewell(persistent.store, ANN, grace_ms=0, resume_ms=RESUME_MS)
    persistent.memory.now_ms.ms += 1000 * RESUME_MS
    assert await back(persistent) is ClaimWord.RESUMED


async def test_the_name_of_who_would_come_back_to_nothing_else_waits_for_its_time(rig):
    await rig.store.names.claim("ann", ANN, token="token")
    await say_farewell(rig.store, ANN, grace_ms=0, resume_ms=RESUME_MS)
    rig.memory.now_ms.ms += RESUME_MS - 1
    assert (await rig.store.names.claim("ann", ANN_AGAIN)).word is ClaimWord.GUARDED
    rig.memory.now_ms.ms += 1
    assert (await rig.store.names.claim("ann", ANN_AGAIN)).word is ClaimWord.FRESH


async def test_a_session_that_broke_off_before_it_was_entered_leaves_an_old_user_its_name(persistent):
    await say_farewell(persistent.store, ANN, grace_ms=0, resume_ms=RESUME_MS)
    assert await back(persistent) is ClaimWord.RESUMED
    await say_farewell(persistent.store, ANN_AGAIN, grace_ms=0, resume_ms=RESUME_MS)
    persistent.memory.now_ms.ms += 2 * RESUME_MS
    assert await back(persistent) is ClaimWord.RESUMED


async def test_the_late_farewell_of_a_session_that_was_taken_over_changes_nothing_but_its_index_entry(persistent):
    assert await back(persistent) is ClaimWord.RESUMED
    await persistent.store.users.open(ANN_AGAIN, Profile("ann", "Ann"), takeover=True)
    before = [await persistent.store.links.table(uid) for uid in (ANN.uid, BOB.uid)]
    await say_farewell(persistent.store, ANN, grace_ms=0, resume_ms=RESUME_MS)
    assert [await persistent.store.links.table(uid) for uid in (ANN.uid, BOB.uid)] == before
    assert persistent.ear.wakes == []
    assert await persistent.store.names.find("ann", "magi") == ANN.uid
    assert await persistent.noted() == []


async def test_a_worker_is_asked_to_look_at_mail_when_it_runs_out(persistent):
    until_ms = persistent.memory.now_ms() + 1000
    letter = Envelope(int(Kind.QUESTION), BOB.uid, "c1", 0, 0, b"1", "m1")
    await persistent.store.mailboxes.post(ANN.uid, letter, until_ms)
    await say_farewell(persistent.store, ANN, grace_ms=0, resume_ms=RESUME_MS)
    persistent.memory.now_ms.ms += 1000
    assert await persistent.store.dues.due(count=9) == ((ANN.uid, until_ms),)


async def test_many_friends_are_told_in_batches(rig, monkeypatch):
    friends = [Link(f"uid{number}", f"k{number}", f"name{number}", "") for number in range(250)]
    for link in friends:
        await rig.store.links.put(ANN.uid, link)
        await rig.store.links.put(link.peer, Link(ANN.uid, link.connection, "ann", "Ann"))
    at_once, most = 0, 0
    end = rig.store.links.end

    async def counted(*words, **more):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            return await end(*words, **more)
        finally:
            at_once -= 1

    monkeypatch.setattr(rig.store.links, "end", counted)
    await say_farewell(rig.store, ANN, grace_ms=0, resume_ms=RESUME_MS)
    assert most == AT_ONCE_COUNT
    assert [(await rig.store.links.table(link.peer))[1] for link in friends] == [()] * len(friends)


class Relay:
    """A phone on a node that ends, and an agent on that of the test."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.store = rig, rig.store
        self.ear = ends.Ear(self.store)

    async def start(self) -> "Relay":
        self.pair = await self.store.pairs.create("token")
        self.agent = await ends.enter(self.store, self.pair, Role.AGENT)
        self.phone = await self.enter("sid-phone")
        await self.ear.told(self.pair, Role.AGENT)
        return self

    async def enter(self, sid: str) -> Presence:
        presence = Presence(sid, self.pair, "", "node1", "coralmux", "", role=Role.PHONE)
        await self.store.leases.note(presence)
        await ends.enter(self.store, self.pair, Role.PHONE, sid)
        return presence


@pytest.fixture
async def relay() -> Relay:
    return await Relay(Rig()).start()


async def test_a_slot_is_free_and_the_peer_is_told_once(relay):
    # CORAL-14
    await asyncio.gather(*(say_farewell_to_slot(relay.store, relay.phone) for _ in range(3)))
    assert await relay.store.pairs.connected(relay.pair) == {Role.AGENT}
    assert await relay.ear.told(relay.pair, Role.AGENT) == [PeerDown(relay.agent.number)]
    assert await relay.rig.noted() == []


async def test_the_farewell_of_who_was_replaced_changes_nothing_but_the_index(relay):
    # CORAL-24
    await relay.enter("sid-newer")
    await say_farewell_to_slot(relay.store, relay.phone)
    assert await relay.store.pairs.connected(relay.pair) == {Role.PHONE, Role.AGENT}
    assert await relay.ear.told(relay.pair, Role.AGENT) == [PeerUp(relay.agent.number)]
    assert await relay.rig.noted() == ["sid-newer"]


@pytest.mark.parametrize("broken_step", [1, 2])
async def test_the_farewell_to_a_slot_that_broke_off_can_be_repeated(relay, monkeypatch, broken_step):
    memory = relay.rig.memory
    steps, reach = [], memory.reach

    async def breaking() -> None:
        steps.append(1)
        memory.down = len(steps) == broken_step
        await reach()

    monkeypatch.setattr(memory, "reach", breaking)
    with pytest.raises(StorageUnavailable):
        await say_farewell_to_slot(relay.store, relay.phone)
    assert await relay.rig.noted() == ["sid-phone"], "whoever finds the index entry finishes"
    memory.down = False
    await say_farewell_to_slot(relay.store, relay.phone)
    assert await relay.rig.noted() == []
    assert await relay.ear.told(relay.pair, Role.AGENT) == [PeerDown(relay.agent.number)]
