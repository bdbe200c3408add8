"""Sessions coming and coming back, on two nodes with one store in memory."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.farewell import say_farewell
from exchange.handlers.exchange import Policy
from tests.harness.waiting import eventually
from tests.harness.world import LEASE_MS, PERSISTENT, WATCHING, Peer, befriend

OFFLINE = (*WATCHING, "offline")
RESUME_MS = Policy().resume_ms


def uid(peer: Peer) -> str:
    return peer.connection.session.identified().uid


@pytest.fixture
async def friends(here, there) -> tuple[Peer, Peer]:
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    await befriend(ann, bob)
    return ann, bob


@pytest.mark.parametrize("same_node", [False, True])
async def test_whoever_comes_back_with_its_token_takes_over_and_friends_hear_nothing(here, there, friends, same_node):
    ann, bob = friends
    count = len(bob.heard)
    again = await (here if same_node else there).identified("ann", features=PERSISTENT, token=ann.token)
    await eventually(lambda: ann.closed)
    assert ann.closed[0] == 1000
    for place in (here, there):
        assert await place.exchange.settled(10) == 0
    assert uid(again) == uid(ann)
    assert (await again.ask("ask", content="hello"))["type"] == "question_sent"
    assert (await bob.hears("question"))["content"] == "hello"
    assert (await bob.ask("answer", content="hi"))["type"] == "answer_sent"
    assert (await again.hears("answer"))["content"] == "hi"
    assert [message["type"] for message in bob.heard[count:]] == ["question", "answer_sent"]
    assert "answer" not in ann.types


@pytest.mark.parametrize("same_node", [False, True])
async def test_a_session_that_was_taken_over_leaves_no_trace(here, there, friends, same_node):
    ann, _ = friends
    place = here if same_node else there
    again = await place.identified("ann", features=PERSISTENT, token=ann.token)
    await eventually(lambda: ann.closed)
    assert await here.exchange.settled(10) == 0
    noted = [presence.sid async for presence in here.store.leases.noted("here")]
    assert noted == ([again.connection.session.sid] if same_node else [])
    assert (await here.store.users.standing(uid(again))).sessions_count == 1
    assert await here.store.names.find("ann", "magi") == uid(again)


async def test_plain_friends_stay_in_a_takeover_and_see_the_new_nickname(here, there):
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob")
    await befriend(ann, bob)
    again = await here.identified("ann", nick="Anna", features=PERSISTENT, token=ann.token)
    await eventually(lambda: ann.closed)
    assert (await again.ask("ask", content="hello"))["type"] == "question_sent"
    assert (await bob.hears("question"))["fromNickname"] == "Anna"
    assert "friend_disconnected" not in bob.types


async def test_a_persistent_friend_goes_and_comes_back(here, there, friends):
    ann, bob = friends
    await here.forgets(ann)
    assert (await bob.hears("friend_disconnected"))["friend"]["username"] == "ann"
    assert (await bob.ask("ask", content="there?"))["message"] == "Ann is not connected"
    again = await here.identified("ann", features=PERSISTENT, token=ann.token)
    await eventually(lambda: bob.types[-1] == "friend_connected")
    assert again.types == ["connected", "identified"], "who comes back knows its friends"
    assert (await bob.ask("ask", content="there?"))["type"] == "question_sent"


async def test_persistent_friends_who_were_both_away_find_each_other_again(here, there, friends):
    ann, bob = friends
    await here.forgets(ann)
    await there.forgets(bob)
    ann = await here.identified("ann", features=WATCHING, token=ann.token)
    assert (await ann.ask("ask", content="too early"))["type"] == "error"
    bob = await there.identified("bob", features=PERSISTENT, token=bob.token)
    heard = await ann.hears("friend_presence")
    assert (heard["friend"]["username"], heard["online"]) == ("bob", True)
    assert (await bob.ask("ask", content="hello"))["type"] == "question_sent"


async def test_a_persistent_friend_survives_the_death_of_its_node(here, there, friends, memory):
    ann, bob = friends
    memory.now_ms.ms += LEASE_MS
    await there.start()
    async for presence in there.store.leases.noted("here"):
        await say_farewell(there.store, presence, grace_ms=0, resume_ms=RESUME_MS)
    await bob.hears("friend_disconnected")
    again = await there.identified("ann", features=PERSISTENT, token=ann.token)
    assert uid(again) == uid(ann)
    await eventually(lambda: bob.types[-1] == "friend_connected")


async def test_whoever_comes_back_before_its_dead_node_was_cleared_is_not_cleared_along_with_it(
    here, there, friends, memory
):
    ann, bob = friends
    memory.now_ms.ms += LEASE_MS
    await there.start()
    again = await there.identified("ann", features=PERSISTENT, token=ann.token)
    async for presence in there.store.leases.noted("here"):
        await say_farewell(there.store, presence, grace_ms=0, resume_ms=RESUME_MS)
    assert (await again.ask("ask", content="hello"))["type"] == "question_sent"
    assert "friend_disconnected" not in bob.types


async def test_a_plain_friend_of_a_persistent_user_is_gone_when_it_goes(here, there):
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob")
    await befriend(ann, bob)
    await there.forgets(bob)
    await ann.hears("friend_disconnected")
    assert (await ann.ask("friends"))["friends"] == []


async def test_whoever_was_away_gets_its_mail_after_the_reply_and_before_anything_newer(here, there):
    ann = await here.identified("ann", features=OFFLINE)
    bob = await there.identified("bob", features=OFFLINE)
    await befriend(ann, bob)
    await here.forgets(ann)
    for number in range(3):
        assert (await bob.ask("ask", content=number, to="ann"))["status"] == "queued"
    again = here.connect()
    again.say("identify", username="ann", features=list(OFFLINE), token=ann.token)
    await eventually(lambda: again.types.count("question") == 3)
    assert again.types[:2] == ["connected", "identified"]
    assert [message["content"] for message in again.heard if message["type"] == "question"] == [0, 1, 2]


async def test_mail_that_cannot_be_read_does_not_hold_the_session_up(here, there, monkeypatch):
    ann = await here.identified("ann", features=OFFLINE)
    bob = await there.identified("bob", features=OFFLINE)
    await befriend(ann, bob)
    await here.forgets(ann)
    await bob.ask("ask", content="hello", to="ann")

    async def unreadable(*_words, **_more):
        raise StorageUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(here.store.mailboxes, "read", unreadable)
        again = await here.identified("ann", features=OFFLINE, token=ann.token)
        assert (await again.ask("friends"))["friends"][0]["username"] == "bob"
    assert again.connection.session.identified().held == 0
    here.hub.go_on()
    assert (await again.hears("question"))["content"] == "hello"


@pytest.mark.parametrize("broken_step", range(1, 11))
async def test_a_takeover_that_failed_half_way_can_be_tried_again_with_the_same_token(
    memory, here, there, friends, monkeypatch, broken_step
):
    ann, bob = friends
    steps, reach = [], memory.reach

    async def breaking() -> None:
        steps.append(1)
        if len(steps) == broken_step:
            raise StorageUnavailable
        await reach()

    peer = there.connect()
    with monkeypatch.context() as patch:
        patch.setattr(memory, "reach", breaking)
        await peer.ask("identify", username="ann", features=list(PERSISTENT), token=ann.token)
        for place in (here, there):
            assert await place.exchange.settled(10) == 0
    if peer.types[-1] != "identified":
        again = await peer.ask("identify", username="ann", features=list(PERSISTENT), token=ann.token)
        assert again["type"] == "identified", again
    assert uid(peer) == uid(ann)
    assert (await peer.ask("friends"))["friends"][0]["username"] == "bob"
    assert (await bob.ask("ask", content="there?"))["type"] == "question_sent"


async def test_the_undoing_of_a_failed_attach_does_not_touch_the_next_try(here, memory, monkeypatch):
    peer = here.connect()
    opens, failures = here.store.users.open, iter([True])

    async def failing(*words, **more):
        if next(failures, False):
            memory.down = True
            raise StorageUnavailable
        return await opens(*words, **more)

    monkeypatch.setattr(here.store.users, "open", failing)
    assert (await peer.ask("identify", username="ann"))["type"] == "error"
    memory.down = False
    assert (await peer.ask("identify", username="ann"))["type"] == "identified"
    assert await here.exchange.settled(10) == 0
    assert await here.store.names.find("ann", "magi") == uid(peer)
    assert (await here.store.users.standing(uid(peer))).sessions_count == 1
    assert [presence.sid async for presence in here.store.leases.noted("here")] == [peer.connection.session.sid]
