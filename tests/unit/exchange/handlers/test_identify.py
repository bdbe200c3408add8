"""Saying who one is, on two nodes with one store in memory."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.handlers.exchange import Policy
from exchange.storage.memory.state import Memory
from tests.harness.waiting import eventually
from tests.harness.world import LEASE_MS, Peer, Place, Time, befriend

GRACE_MS = Policy().grace_ms


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def memory(time) -> Memory:
    return Memory(time)


@pytest.fixture
async def here(memory) -> Place:
    return await Place(memory, "here").start()


@pytest.fixture
async def there(memory) -> Place:
    return await Place(memory, "there").start()


async def identify(peer: Peer, name: str) -> str:
    reply = await peer.ask("identify", username=name)
    return reply.get("message", reply["type"])


async def gone(place: Place, peer: Peer) -> None:
    peer.leave()
    assert await place.exchange.settled(10) == 0


@pytest.mark.parametrize("name", [None, "", "\u200b", 7, "a" * 255])
async def test_a_name_must_be_usable(here, name):
    assert (await here.connect().ask("identify", username=name))["message"] == "Username is required"


async def test_a_name_has_one_holder_in_the_cluster(here, there):
    await here.identified("ann")
    assert await identify(there.connect(), "ann") == "Username already taken"
    assert await identify(here.connect(), "ann") == "Username already taken"


async def test_whoever_was_refused_can_be_somebody_else_and_leaves_no_trace(here, there):
    await here.identified("ann")
    peer = there.connect()
    await identify(peer, "ann")
    assert await identify(peer, "bob") == "identified"
    noted = [presence.name async for presence in there.store.leases.noted("there")]
    assert noted == ["bob"]


async def test_the_name_of_a_node_that_died_is_free_at_once(here, there, time):
    await here.identified("ann")
    time.ms += LEASE_MS
    await there.start()
    assert await identify(there.connect(), "ann") == "identified"


async def test_after_an_outage_of_the_store_nobody_counts_as_dead(memory, here, time):
    await here.identified("ann")
    time.ms += LEASE_MS
    fresh = await Place(memory, "fresh", Policy(store_up_seconds=12.0)).start()
    peer = fresh.connect()
    assert (await identify(peer, "ann")).startswith("Service temporarily unavailable")
    await fresh.exchange.settled(10)
    time.ms += 12_000
    await fresh.start()
    assert await identify(peer, "ann") == "identified"


async def test_the_name_of_who_left_waits_for_the_same_address(here, time):
    ann = await here.identified("ann")
    uid = ann.connection.session.identified().uid
    await gone(here, ann)
    back = await here.identified("ann")
    assert back.connection.session.identified().uid == uid
    await gone(here, back)
    other = await here.identified("ann", address="198.51.100.4")
    assert other.connection.session.identified().uid != uid


async def test_friends_come_back_with_a_quick_reconnect_and_are_told(here, there):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    await befriend(ann, bob)
    await gone(here, ann)
    await bob.hears("friend_disconnected")
    back = await there.identified("ann")
    await eventually(lambda: bob.types[-1] == "friend_connected")
    assert back.types == ["connected", "identified"], "who comes back knows its friends"
    assert (await back.ask("ask", content="hello"))["type"] == "question_sent"


async def test_friends_do_not_come_back_after_the_grace(here, there, time):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    await befriend(ann, bob)
    await gone(here, ann)
    time.ms += GRACE_MS
    back = await here.identified("ann")
    assert (await back.ask("ask", content="hello"))["type"] == "error"
    assert "friend_connected" not in bob.types


async def test_two_friends_who_both_left_find_each_other_again(here, there):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    await befriend(ann, bob)
    await gone(here, ann)
    await gone(there, bob)
    ann = await here.identified("ann")
    assert (await ann.ask("ask", content="too early"))["type"] == "error"
    bob = await there.identified("bob")
    await ann.hears("friend_connected")
    assert (await bob.ask("ask", content="hello"))["type"] == "question_sent"
    assert (await ann.hears("question"))["content"] == "hello"


async def test_a_new_nickname_reaches_friends_quietly(here, there):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    await befriend(ann, bob)
    count = len(bob.heard)
    assert (await ann.ask("identify", username="ann", nickname="Zoe"))["nickname"] == "Zoe"
    await ann.ask("ask", content="hello")
    assert (await bob.hears("question"))["fromNickname"] == "Zoe"
    assert len(bob.heard) == count + 1


async def test_a_new_name_takes_friends_and_invitations_along_and_frees_the_old_one(here, there):
    ann, bob = await here.identified("ann"), await there.identified("bob")
    await befriend(ann, bob)
    uid = ann.connection.session.identified().uid
    invitation = await ann.ask("create_invite")
    assert await identify(ann, "anna") == "identified"
    assert ann.connection.session.identified().uid == uid
    await ann.ask("ask", content="hello")
    assert (await bob.hears("question"))["from"] == "anna"
    assert (await bob.ask("answer", content="hi", to="anna"))["type"] == "answer_sent"
    cat = await there.identified("cat")
    assert (await cat.ask("connect", code=invitation["code"]))["friend"]["username"] == "anna"
    assert await identify(there.connect(), "ann") == "identified"


async def test_a_name_that_is_taken_leaves_the_session_who_it_was(here, there):
    ann = await here.identified("ann")
    await there.identified("bob")
    assert await identify(ann, "bob") == "Username already taken"
    assert ann.connection.session.identified().name == "ann"
    assert (await ann.ask("create_invite"))["type"] == "invite_created"


@pytest.mark.parametrize("broken_step", range(1, 5))
async def test_an_identify_that_failed_half_way_is_undone(memory, here, monkeypatch, broken_step):
    steps, reach = [], memory.reach

    async def breaking() -> None:
        steps.append(1)
        if len(steps) == broken_step:
            raise StorageUnavailable
        await reach()

    peer = here.connect()
    with monkeypatch.context() as patch:
        patch.setattr(memory, "reach", breaking)
        assert (await identify(peer, "ann")).startswith("Service temporarily unavailable")
        assert await here.exchange.settled(10) == 0
    assert [presence async for presence in here.store.leases.noted("here")] == []
    assert len(here.hub) == 0
    assert not memory.listeners
    assert await identify(peer, "ann") == "identified"
