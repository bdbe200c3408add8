"""Twin of ``magi/client/circle.py``."""

from dataclasses import replace

import pytest

from magi.client.circle import Circle
from magi.client.memory import MemoryStore
from magi.client.model import Friend
from magi.wire import magi1_frames as f

BOB = Friend("bob@example.com", "Bob", "k1", online=True, features=frozenset({"ids"}))
CAROL = Friend("carol", "Carol", "k2")


@pytest.fixture
def told():
    return []


@pytest.fixture
async def circle(told):
    store = MemoryStore()
    circle = Circle(store, told.append)
    for friend in (BOB, CAROL):
        await circle._keep(friend)
    circle.store = store
    return circle


async def test_nobody_is_online_before_the_exchange_has_said_so(circle):
    again = Circle(circle.store, print)
    await again.load()
    assert again.all() == [replace(BOB, online=False), CAROL]


@pytest.mark.parametrize(
    ("to", "username"),
    [
        ("bob@example.com", "bob@example.com"),
        ("BOB@example.com", "bob@example.com"),
        ("@bob", "bob@example.com"),
        ("Bob", "bob@example.com"),
        ("carol", "carol"),
        ("anyone", "bob@example.com"),
        ("Friend", "bob@example.com"),
        ("", "bob@example.com"),
        ("dave", "dave"),
    ],
)
async def test_a_name_leads_where_the_exchange_would_send_it(circle, to, username):
    assert circle.resolve(to) == username


async def test_of_two_that_fit_nobody_does_but_an_exact_name_comes_first(circle):
    await circle._keep(Friend("bob@other.com", "Robert"))
    assert circle.resolve("bob") == "bob"
    await circle._keep(Friend("bob", "Bob"))
    assert circle.resolve("bob") == "bob"
    assert circle.resolve("Robert") == "bob@other.com"


async def test_anyone_is_the_newest_who_is_online_else_the_newest(circle):
    await circle._keep(Friend("dave", "Dave", online=True))
    assert circle.resolve("anyone") == "dave"
    for friend in circle.all():
        await circle._keep(replace(friend, online=False))
    assert circle.resolve("anyone") == "dave"
    assert Circle(MemoryStore(), print).resolve("anyone") == "anyone"


async def test_a_list_replaces_all_but_what_friends_said_of_themselves(circle):
    presence = f.FriendPresence(f.Friend("bob@example.com", "Bob"), True, "working", ("python",))
    await circle.changed(presence)
    await circle.listed([f.Friendship("bob@example.com", "Bobby", "k9", False, ["objects"])])
    expected = Friend("bob@example.com", "Bobby", "k9", False, frozenset({"objects"}), "working", ("python",))
    assert circle.all() == [expected]
    assert await circle.store.friends() == [expected]


async def test_a_friend_who_joins_is_online_unless_it_is_said_otherwise(circle, told):
    friend = await circle.joined(f.FriendConnected("k3", f.Friend("dave", "Dave")))
    assert friend == Friend("dave", "Dave", "k3", online=True)
    away = await circle.joined(f.ConnectedToFriend("k4", f.Friend("eve", "Eve", False, ["ids"])))
    assert away == Friend("eve", "Eve", "k4", features=frozenset({"ids"}))
    assert [(event.kind, event.friend.username) for event in told] == [("friend_connected", "dave")]


async def test_who_left_stays_a_friend_unless_for_good(circle, told):
    await circle.left(f.FriendDisconnected(f.Friend("bob@example.com", "Bob")), for_good=False)
    assert circle.get("bob@example.com") == replace(BOB, online=False)
    await circle.left(f.FriendDisconnected(f.Friend("bob@example.com", "Bob")), for_good=True)
    assert circle.get("bob@example.com") is None
    assert [friend.username for friend in await circle.store.friends()] == ["carol"]
    assert [event.kind for event in told] == ["friend_disconnected"] * 2


async def test_presence_keeps_what_it_does_not_speak_of(circle, told):
    await circle.changed(f.FriendPresence(f.Friend("bob@example.com", "Bob"), False))
    assert circle.get("bob@example.com") == replace(BOB, online=False)
    assert [event.kind for event in told] == ["friend_presence"]
