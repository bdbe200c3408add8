"""Saying who one is, on two nodes with one store in memory."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.handlers.exchange import Policy
from exchange.storage.memory.state import Memory
from tests.harness.waiting import eventually
from tests.harness.world import LEASE_MS, PERSISTENT, WATCHING, Peer, Place, Time, befriend

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


# --- features and tokens (MAGI-45, MAGI-46) ---------------------------------------------------------------------------


async def say(peer: Peer, name: str, **fields: object) -> str:
    """Identify and return what came of it."""
    reply = await peer.ask("identify", username=name, **fields)
    return reply.get("code", reply["type"])


async def test_what_is_available_and_complete_is_granted(memory):
    place = await Place(memory, "here", Policy(available=frozenset({"ids", "persist", "offline", "resume"}))).start()
    wanted = ["ids", "offline", "persist", "presence", "nonsense", 7]
    reply = await place.connect().ask("identify", username="ann", features=wanted)
    assert reply["features"] == ["ids"], "nothing lasts without a way to come back"
    reply = await place.connect().ask("identify", username="bob", features=[*wanted, "resume"])
    assert reply["features"] == ["ids", "offline", "persist", "resume"]


async def test_features_stay_until_a_list_replaces_them(here):
    ann = await here.identified("ann", features=PERSISTENT)
    reply = await ann.ask("identify", username="ann", nickname="Zoe")
    assert "features" not in reply
    assert "token" not in reply
    assert (await ann.ask("friends"))["type"] == "friends"
    assert (await ann.ask("identify", username="ann", features=["ids"]))["features"] == ["ids"]
    assert (await ann.ask("friends"))["type"] == "error"


async def test_friends_see_what_a_friend_understands_now(here, there):
    ann, bob = await here.identified("ann"), await there.identified("bob", features=(*WATCHING, "objects"))
    await befriend(ann, bob)
    await ann.ask("identify", username="ann", features=["ids"])
    friends = bob.connection.session.identified().links
    await eventually(lambda: friends.named("ann").features == {"ids"})


async def test_only_who_wants_to_come_back_gets_a_token(here):
    assert "token" not in await here.connect().ask("identify", username="ann", features=["ids"])
    assert "token" in await here.connect().ask("identify", username="bob", features=["resume"])


async def test_a_token_is_given_as_soon_as_it_is_wanted(here, there):
    ann = await here.identified("ann", features=["ids"])
    token = (await ann.ask("identify", username="ann", features=["ids", "resume"]))["token"]
    assert "token" not in await ann.ask("identify", username="ann", features=["ids", "resume"])
    await there.identified("ann", token=token)


async def test_a_name_with_a_token_is_not_given_back_to_an_address(here):
    ann = await here.identified("ann", features=["resume"])
    uid = ann.connection.session.identified().uid
    await gone(here, ann)
    assert (await here.identified("ann")).connection.session.identified().uid != uid


async def test_a_name_with_friends_waits_for_its_token_however_long_that_takes(here, there, time):
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    await befriend(ann, bob)
    await gone(here, ann)
    time.ms += 10 * Policy().resume_ms
    assert await identify(there.connect(), "ann") == "Username already taken"
    await there.identified("ann", features=PERSISTENT, token=ann.token)


async def test_a_token_whose_successor_was_never_received_is_still_good(here, there):
    ann = await here.identified("ann", features=PERSISTENT)
    lost = await there.identified("ann", features=PERSISTENT, token=ann.token)
    found = await here.identified("ann", features=PERSISTENT, token=ann.token)
    assert await say(there.connect(), "ann", features=["ids"], token=lost.token) == "token_invalid"
    assert await say(there.connect(), "ann", token=found.token) == "identified"


async def test_a_token_that_was_used_is_refused_once_its_successor_was(here, there):
    first = await here.identified("ann", features=PERSISTENT)
    second = await there.identified("ann", features=PERSISTENT, token=first.token)
    third = await here.identified("ann", features=PERSISTENT, token=second.token)
    peer = there.connect()
    assert await say(peer, "ann", features=["ids"], token=first.token) == "token_invalid"
    assert third.closed is None
    assert await identify(peer, "bob") == "identified", "whoever was refused can be somebody else"


async def test_the_token_of_another_name_is_refused_and_nobody_is_anybody_new(here, there):
    ann = await here.identified("ann", features=PERSISTENT)
    await here.identified("bob", features=PERSISTENT)
    for name in ("bob", "nobody"):
        peer = there.connect()
        assert await say(peer, name, features=["ids"], token=ann.token) == "token_invalid"
        assert (await peer.ask("create_invite"))["message"].startswith("Please identify yourself first")


async def test_a_token_proves_who_it_is_also_for_who_wants_no_other(here, there):
    ann = await here.identified("ann", features=PERSISTENT)
    uid = ann.connection.session.identified().uid
    for place in (there, here):
        again = await place.identified("ann", token=ann.token)
        assert again.connection.session.identified().uid == uid
        assert "token" not in again.heard[-1]
    await gone(here, again)
    assert (await there.identified("ann", token=ann.token)).connection.session.identified().uid == uid


async def test_a_wrong_token_changes_nothing_of_who_is_somebody(here, there):
    ann = await here.identified("ann", features=PERSISTENT)
    bob = await there.identified("bob", features=PERSISTENT)
    for name in ("bob", "ann", "cat"):
        assert await say(bob, name, nickname="Changed", token="t" * 52) == "token_invalid"
        assert await say(bob, name, nickname="Changed", token=ann.token) == "token_invalid"
    user = bob.connection.session.identified()
    assert (user.name, user.nick) == ("bob", "Bob")
    assert ann.closed is None


async def test_the_own_token_is_good_for_another_name_and_nickname(here, there):
    ann = await here.identified("ann", features=PERSISTENT)
    assert await say(ann, "ann", nickname="Zoe", token=ann.token) == "identified"
    assert await say(ann, "anna", token=ann.token) == "identified"
    again = await there.identified("anna", token=ann.token)
    assert again.connection.session.identified().uid == ann.connection.session.identified().uid


async def test_mail_begins_when_a_running_session_asks_for_it(here, there):
    offline = (*PERSISTENT, "offline")
    ann, bob = await here.identified("ann", features=offline), await there.identified("bob", features=offline)
    await befriend(ann, bob)
    await gone(here, ann)
    assert (await bob.ask("ask", content="hello", to="ann"))["status"] == "queued"
    again = await here.identified("ann", features=PERSISTENT, token=ann.token)
    assert (await again.ask("friends"))["type"] == "friends"
    assert "question" not in again.types
    await again.ask("identify", username="ann", features=list(offline))
    assert (await again.hears("question"))["content"] == "hello"
    assert again.connection.session.identified().held == 0


async def test_a_redeem_can_come_back_with_a_token_first(here, there):
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    invitation = await ann.ask("create_invite")
    again = here.connect()
    again.say("connect", code=invitation["code"], username="bob", features=list(PERSISTENT), token=bob.token)
    await again.hears("connected_to_friend")
    assert again.types == ["connected", "identified", "connected_to_friend"]
    await eventually(lambda: bob.closed)
