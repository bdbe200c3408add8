"""A node that was declared dead attaches its sessions again: two nodes on one store in memory."""

import pytest

from exchange.farewell import say_farewell
from exchange.node.reattach import attach_all
from exchange.storage.memory.state import Memory
from tests.harness.waiting import eventually
from tests.harness.world import Place, Time, befriend

GRACE_MS = 5000


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def places(time) -> tuple[Place, Place]:
    memory = Memory(time)
    return await Place(memory, "fenced").start(), await Place(memory, "other").start()


async def fence(place: Place, *, grace_ms: int = GRACE_MS) -> None:
    """End the sessions of a node as a worker does, and give it a new id."""
    async for presence in place.store.leases.noted(place.info.id):
        await say_farewell(place.store, presence, grace_ms=grace_ms)
    place.exchange.node = "fenced again"
    await attach_all(place.exchange, place.roster)


async def test_friends_on_both_nodes_go_on_without_their_clients_noticing(places):
    here, there = places
    ann, bob = await here.identified("ann"), await there.identified("bob")
    await befriend(ann, bob)
    count = len(ann.heard)
    sid = ann.connection.session.sid
    await fence(here)
    await bob.hears("friend_disconnected")
    await eventually(lambda: bob.types[-1] == "friend_connected")
    assert len(ann.heard) == count
    assert ann.connection.session.sid != sid, "the old session was ended by somebody else"
    assert (await ann.ask("ask", content="still there?"))["type"] == "question_sent"
    assert (await bob.hears("question"))["content"] == "still there?"
    assert (await bob.ask("answer", content="yes"))["type"] == "answer_sent"
    assert (await ann.hears("answer"))["content"] == "yes"


async def test_a_friend_who_left_meanwhile_is_told_as_gone(places):
    here, there = places
    ann, bob = await here.identified("ann"), await there.identified("bob")
    await befriend(ann, bob)
    async for presence in here.store.leases.noted(here.info.id):
        await say_farewell(here.store, presence, grace_ms=GRACE_MS)
    here.store.wakes.forget(ann.connection.session.identified().uid)
    bob.leave()
    await there.exchange.settled(10)
    await attach_all(here.exchange, here.roster)
    assert (await ann.hears("friend_disconnected"))["friend"]["username"] == "bob"
    assert (await ann.ask("ask", content="there?"))["type"] == "error"


async def test_after_the_grace_all_friends_are_told_as_gone_but_the_name_is_kept(places):
    here, there = places
    ann, bob = await here.identified("ann"), await there.identified("bob")
    await befriend(ann, bob)
    await fence(here, grace_ms=0)
    assert ann.types[-1] == "friend_disconnected"
    assert ann.closed is None
    assert (await ann.ask("create_invite"))["type"] == "invite_created"


async def test_a_client_whose_name_was_taken_meanwhile_is_sent_away_to_come_back(places):
    here, there = places
    ann = await here.identified("ann")
    async for presence in here.store.leases.noted(here.info.id):
        await say_farewell(here.store, presence, grace_ms=0)
    await there.identified("ann", address="198.51.100.9")
    await attach_all(here.exchange, here.roster)
    assert ann.closed == (1013, "")
    await here.exchange.settled(10)
    assert (await there.store.names.find("ann", "magi")) is not None, "the new holder keeps the name"


async def test_connections_that_never_said_who_they_are_are_left_alone(places):
    here, _ = places
    peer = here.connect()
    await attach_all(here.exchange, here.roster)
    assert peer.closed is None
    assert peer.types == ["connected"]


async def test_a_client_that_breaks_off_while_it_is_attached_again_leaves_nothing_behind(places, monkeypatch):
    here, _ = places
    ann = await here.identified("ann")
    open_session = here.store.users.open

    async def broken_off(*words):
        opened = await open_session(*words)
        ann.leave()
        return opened

    monkeypatch.setattr(here.store.users, "open", broken_off)
    await fence(here)
    assert await here.exchange.settled(10) == 0
    assert len(here.hub) == 0
    assert await here.store.names.find("ann", "magi") is None
    assert [presence async for presence in here.store.leases.noted("fenced again")] == []
