"""A node that was declared dead attaches its sessions again: two nodes on one store in memory."""

import pytest

from exchange.farewell import say_farewell
from exchange.node import reattach
from exchange.node.reattach import attach_all
from exchange.ports import Notice
from exchange.storage.memory.state import Memory
from tests.harness.waiting import eventually
from tests.harness.world import PERSISTENT, WATCHING, Place, Time, befriend

GRACE_MS = 5000
RESUME_MS = 60_000


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
        await say_farewell(place.store, presence, grace_ms=grace_ms, resume_ms=RESUME_MS)
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
        await say_farewell(here.store, presence, grace_ms=GRACE_MS, resume_ms=RESUME_MS)
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
        await say_farewell(here.store, presence, grace_ms=0, resume_ms=RESUME_MS)
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

    async def broken_off(*words, **more):
        opened = await open_session(*words, **more)
        ann.leave()
        return opened

    monkeypatch.setattr(here.store.users, "open", broken_off)
    await fence(here)
    assert await here.exchange.settled(10) == 0
    assert len(here.hub) == 0
    assert await here.store.names.find("ann", "magi") is None
    assert [presence async for presence in here.store.leases.noted("fenced again")] == []


# --- sessions with tokens (MAGI-46, MAGI-47) --------------------------------------------------------------------------


async def rehouse(place: Place) -> None:
    """Give a node a new id and attach its sessions again, whatever has become of the old ones."""
    place.exchange.node = "fenced again"
    await attach_all(place.exchange, place.roster)


async def test_persistent_friends_go_on_with_the_same_uid_and_the_same_token(places):
    here, there = places
    ann, bob = await here.identified("ann", features=WATCHING), await there.identified("bob", features=PERSISTENT)
    await befriend(ann, bob)
    await ann.ask("presence", status="working")
    uid, count = ann.connection.session.identified().uid, len(ann.heard)
    await fence(here, grace_ms=0)
    await bob.hears("friend_disconnected")
    await eventually(lambda: bob.types[-1] == "friend_connected")
    assert len(ann.heard) == count
    assert ann.connection.session.identified().uid == uid
    assert bob.connection.session.identified().links.get(uid).status == "working"
    assert (await ann.ask("ask", content="still there?"))["type"] == "question_sent"
    await there.identified("ann", features=PERSISTENT, token=ann.token)


async def test_friends_hear_nothing_if_the_old_session_was_not_ended_yet(places):
    here, there = places
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    cat, dan = await here.identified("cat"), await there.identified("dan")
    await befriend(ann, bob)
    await befriend(cat, dan)
    await rehouse(here)
    async for presence in here.store.leases.noted("fenced"):
        await say_farewell(here.store, presence, grace_ms=0, resume_ms=RESUME_MS)
    for one, friend in ((ann, bob), (cat, dan)):
        assert "friend_disconnected" not in one.types + friend.types
        assert (await one.ask("ask", content="still there?"))["type"] == "question_sent"
        assert (await friend.hears("question"))["content"] == "still there?"


async def test_a_persistent_friend_who_left_meanwhile_is_told_as_away(places):
    here, there = places
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    await befriend(ann, bob)
    async for presence in here.store.leases.noted(here.info.id):
        await say_farewell(here.store, presence, grace_ms=0, resume_ms=RESUME_MS)
    here.store.wakes.forget(ann.connection.session.identified().uid)
    await there.forgets(bob)
    await rehouse(here)
    assert (await ann.hears("friend_disconnected"))["friend"]["username"] == "bob"
    assert (await ann.ask("friends"))["friends"][0]["online"] is False


async def test_mail_goes_on_where_it_was(places):
    here, there = places
    offline = (*PERSISTENT, "offline")
    ann, bob = await here.identified("ann", features=offline), await there.identified("bob", features=offline)
    await befriend(ann, bob)
    async for presence in here.store.leases.noted(here.info.id):
        await say_farewell(here.store, presence, grace_ms=0, resume_ms=RESUME_MS)
    here.store.wakes.forget(ann.connection.session.identified().uid)
    assert (await bob.ask("ask", content="hello", to="ann"))["status"] == "queued"
    await rehouse(here)
    assert (await ann.hears("question"))["content"] == "hello"


async def test_a_session_that_was_taken_over_meanwhile_is_sent_away_for_good(places):
    here, there = places
    ann = await here.identified("ann", features=PERSISTENT)
    here.store.wakes.forget(ann.connection.session.identified().uid)  # it does not hear of it
    again = await there.identified("ann", features=PERSISTENT, token=ann.token)
    await rehouse(here)
    assert ann.closed[0] == 1000
    await here.exchange.settled(10)
    assert again.closed is None
    assert await there.store.names.find("ann", "magi") == again.connection.session.identified().uid


async def test_a_session_whose_successor_is_on_the_same_node_does_not_deafen_it(places, monkeypatch):
    here, there = places
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    await befriend(ann, bob)
    ann.close = lambda *_words, **_how: None  # its socket takes its time
    again = await here.identified("ann", features=PERSISTENT, token=ann.token)
    monkeypatch.setattr(reattach, "AT_ONCE_COUNT", 1)
    await attach_all(here.exchange, [again.connection, ann.connection])
    assert (await bob.ask("ask", content="there?"))["type"] == "question_sent"
    assert (await again.hears("question"))["content"] == "there?"


async def test_a_session_that_proved_who_it_is_and_wants_no_token_can_be_attached_again(places):
    here, there = places
    ann = await here.identified("ann", features=PERSISTENT)
    again = await there.identified("ann", token=ann.token)
    async for presence in there.store.leases.noted("other"):
        await say_farewell(there.store, presence, grace_ms=0, resume_ms=RESUME_MS)
    await rehouse(there)
    assert again.closed is None
    assert (await again.ask("create_invite"))["type"] == "invite_created"


async def test_after_the_store_lost_everything_sessions_go_on_and_their_friends_are_gone(places):
    here, there = places
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    await befriend(ann, bob)
    uid, memory = ann.connection.session.identified().uid, here.memory
    for table in (memory.names, memory.users, memory.noted):
        table.clear()
    await rehouse(here)
    assert ann.types[-1] == "friend_disconnected"
    assert ann.connection.session.identified().uid == uid
    await there.identified("ann", features=PERSISTENT, token=ann.token)


async def test_a_friend_the_client_had_not_heard_of_is_announced_after_the_fence(places):
    here, there = places
    ann = await here.identified("ann", features=PERSISTENT)
    bob = await there.identified("bob", features=PERSISTENT)
    user = ann.connection.session.identified()
    link = bob.connection.session.identified().end_of("c-new", persist=True)
    # The first half of a redeem: the table knows, and the announcement is still to come.
    await here.store.links.put(user.uid, link, notice=Notice.QUIET)
    await eventually(lambda: user.links.get(link.peer))
    assert "friend_connected" not in ann.types
    await fence(here)
    assert (await ann.hears("friend_connected"))["friend"]["username"] == "bob"


async def test_a_going_that_was_not_told_yet_is_told_after_the_fence(places):
    here, there = places
    ann = await here.identified("ann", features=WATCHING)
    bob = await there.identified("bob", features=PERSISTENT)
    await befriend(ann, bob)
    bob.leave()
    await there.exchange.settled(10)
    user = ann.connection.session.identified()
    await eventually(lambda: next(iter(user.links)).waiting)
    assert "friend_presence" not in ann.types, "goings are told after a while"
    await fence(here)
    assert (await ann.hears("friend_presence"))["online"] is False
