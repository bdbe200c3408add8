"""One's own friendships, on two nodes with one store in memory."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.model import Kind, Record
from tests.harness.waiting import eventually
from tests.harness.world import PERSISTENT, Peer, Place, befriend


@pytest.fixture
async def friends(here, there) -> tuple[Peer, Peer]:
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    await befriend(ann, bob)
    return ann, bob


async def names(peer: Peer) -> list[str]:
    return [friend["username"] for friend in (await peer.ask("friends"))["friends"]]


async def table(place: Place, peer: Peer) -> tuple[object, ...]:
    return (await place.store.links.table(peer.connection.session.identified().uid))[1]


async def test_friends_are_listed_by_age_with_who_is_here(here, there, friends):
    ann, bob = friends
    cat = await there.identified("cat")
    await befriend(ann, cat)
    await there.forgets(bob)
    await ann.hears("friend_disconnected")
    assert (await ann.ask("friends"))["friends"] == [
        {
            "username": "bob",
            "nickname": "Bob",
            "connectionId": bob.heard[-1]["connectionId"],
            "online": False,
            "features": sorted(PERSISTENT),
        },
        {
            "username": "cat",
            "nickname": "Cat",
            "connectionId": cat.heard[-1]["connectionId"],
            "online": True,
            "features": [],
        },
    ]


async def test_a_plain_client_has_no_such_request(here):
    ann = await here.identified("ann")
    assert (await ann.ask("friends"))["message"] == "Unknown message type: friends"
    assert (await ann.ask("unfriend", username="bob"))["message"] == "Unknown message type: unfriend"


async def test_who_ends_a_friendship_has_its_reply_and_the_friend_is_told(here, there, friends):
    ann, bob = friends
    count = len(ann.heard)
    assert await ann.ask("unfriend", username="bob") == {"type": "unfriended", "username": "bob"}
    assert (await bob.hears("friend_disconnected"))["friend"]["username"] == "ann"
    assert (await ann.ask("ask", content="hello", to="bob"))["type"] == "error"
    assert len(ann.heard) == count + 2
    assert [await names(peer) for peer in friends] == [[], []]
    assert [await table(here, peer) for peer in friends] == [(), ()]


async def test_the_friendship_with_who_is_away_can_be_ended_and_it_finds_nobody_on_return(here, there, friends):
    ann, bob = friends
    await there.forgets(bob)
    assert (await ann.ask("unfriend", username="bob"))["type"] == "unfriended"
    bob = await there.identified("bob", features=PERSISTENT, token=bob.token)
    assert await names(bob) == []


async def test_the_history_of_a_friendship_ends_with_it_on_both_sides(here, friends):
    connection = friends[1].heard[-1]["connectionId"]
    uids = [peer.connection.session.identified().uid for peer in friends]
    record = Record(1, "", True, int(Kind.QUESTION), "m1", "", b'"hello"')
    for uid in uids:
        await here.store.histories.add(uid, connection, record, keep_ms=1000)
    await friends[0].ask("unfriend", username="bob")
    assert [await here.store.histories.read(uid, connection, "", count=9) for uid in uids] == [((), False)] * 2


@pytest.mark.parametrize("name", ["cat", "BOB", "Bob", "ann"])
async def test_who_is_no_friend_by_exactly_this_name_is_unknown(friends, name):
    assert (await friends[0].ask("unfriend", username=name))["code"] == "friend_unknown"
    assert await names(friends[0]) == ["bob"]


async def test_a_repeat_with_the_same_id_gets_the_same_reply(friends):
    first = await friends[0].ask("unfriend", username="bob", id="m1")
    assert await friends[0].ask("unfriend", username="bob", id="m1") == first
    assert (await friends[0].ask("unfriend", username="bob", id="m2"))["type"] == "error"


@pytest.mark.parametrize("broken_step", range(1, 6))
async def test_whatever_fails_the_caller_can_try_again_until_the_friendship_is_gone(
    memory, here, friends, monkeypatch, broken_step
):
    ann, bob = friends
    steps, reach = [], memory.reach

    async def breaking() -> None:
        steps.append(1)
        if len(steps) == broken_step:
            raise StorageUnavailable
        await reach()

    with monkeypatch.context() as patch:
        patch.setattr(memory, "reach", breaking)
        outcome = await ann.ask("unfriend", username="bob")
    if outcome["type"] == "error":
        assert (await ann.ask("unfriend", username="bob"))["type"] == "unfriended"
    await eventually(lambda: ann.connection.session.identified().held == 0)
    await bob.hears("friend_disconnected")
    assert "friend_disconnected" not in ann.types
    assert bob.types.count("friend_disconnected") == 1
    assert [await names(peer) for peer in friends] == [[], []]
    code = (await ann.ask("create_invite"))["code"]
    assert (await bob.ask("connect", code=code))["type"] == "connected_to_friend"
    await eventually(lambda: ann.types[-1] == "friend_connected")
    assert [await names(peer) for peer in friends] == [["bob"], ["ann"]]
