"""What friends see of a user, on two nodes with one store in memory."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.model import Link
from exchange.handlers.spread import AT_ONCE_COUNT, announce, spread
from tests.harness.waiting import eventually
from tests.harness.world import PERSISTENT, Peer, Place, befriend


@pytest.fixture
async def friends(here, there) -> tuple[Peer, Peer]:
    ann, bob = await here.identified("ann", features=PERSISTENT), await there.identified("bob", features=PERSISTENT)
    await befriend(ann, bob)
    return ann, bob


async def seen(place: Place, by: Peer) -> Link:
    """Return how a user's only friend is described in the store."""
    (link,) = (await place.store.links.table(by.connection.session.identified().uid))[1]
    return link


async def test_friends_and_whoever_looks_see_what_has_changed(here, friends):
    ann, bob = friends
    user = ann.connection.session.identified()
    user.nick, user.status, user.capabilities = "Zoe", "working", ("read",)
    await spread(here.exchange, user)
    link = await seen(here, bob)
    assert (link.nick, link.status, link.capabilities, link.persist) == ("Zoe", "working", ("read",), True)
    assert (await here.store.users.standing(user.uid)).nick == "Zoe"


async def test_what_is_said_last_is_what_friends_see_even_if_the_store_was_away(here, friends, monkeypatch):
    ann, bob = friends
    user = ann.connection.session.identified()
    put, count = here.store.links.put, []

    async def failing(*words, **more):
        count.append(1)
        if len(count) == 1:
            user.nick = "Later"
            raise StorageUnavailable
        return await put(*words, **more)

    monkeypatch.setattr(here.store.links, "put", failing)
    user.nick = "Sooner"
    await spread(here.exchange, user)
    assert (await seen(here, bob)).nick == "Later"


async def test_a_friend_who_took_us_for_gone_is_told_and_one_who_did_not_is_not(here, there, friends):
    ann, bob = friends
    user, friend = ann.connection.session.identified(), bob.connection.session.identified()
    user.generation += 2
    await announce(here.exchange, user, user.links)
    await eventually(lambda: friend.links.get(user.uid).stamp == user.generation)
    assert bob.types.count("friend_connected") == 0
    user.generation += 2
    await here.store.links.mark_away(friend.uid, user.uid, friend.links.get(user.uid).connection, user.generation - 1)
    await bob.hears("friend_disconnected")
    await announce(here.exchange, user, user.links)
    await bob.hears("friend_connected")


async def test_an_older_session_describes_nobody_any_more(here, friends):
    ann, bob = friends
    user = ann.connection.session.identified()
    await spread(here.exchange, user)
    user.generation -= 1
    user.nick = "Ghost"
    await announce(here.exchange, user, user.links)
    assert (await seen(here, bob)).nick == "Ann"


async def test_many_friends_are_told_in_batches(here, friends, monkeypatch):
    user = friends[0].connection.session.identified()
    at_once, most, told = 0, 0, set()
    put = here.store.links.put

    async def counted(uid, *words, **more):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        told.add(uid)
        try:
            return await put(uid, *words, **more)
        finally:
            at_once -= 1

    monkeypatch.setattr(here.store.links, "put", counted)
    many = [Link(f"uid{number}", f"k{number}", f"name{number}", "", persist=True) for number in range(250)]
    await announce(here.exchange, user, many)
    assert most == AT_ONCE_COUNT
    assert told == {link.peer for link in many}
