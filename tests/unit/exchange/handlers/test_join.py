"""Writing both ends of a friendship while other things happen, on two nodes with one store in memory."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.model import Link
from exchange.handlers.exchange import Policy
from tests.harness.waiting import eventually
from tests.harness.world import LEASE_MS, PERSISTENT, STORING, Peer, Place, befriend

NOT_HERE = "Ann is not connected"


def uid_of(peer: Peer) -> str:
    return peer.connection.session.identified().uid


async def invite(peer: Peer) -> str:
    return (await peer.ask("create_invite"))["code"]


async def table(place: Place, peer: Peer) -> tuple[Link, ...]:
    return (await place.store.links.table(uid_of(peer)))[1]


async def pair(here: Place, there: Place, *, inviter_first: bool, features=()) -> tuple[Peer, Peer]:
    """Return an inviter ("ann") and a redeemer ("bob"); says whose uid is smaller, so whose table is written first."""
    while True:
        ann, bob = await here.identified("ann", features=features), await there.identified("bob", features=features)
        if (uid_of(ann) < uid_of(bob)) is inviter_first:
            return ann, bob
        # Without a token the name is had afresh; from another address also the uid.
        await here.forgets(ann)
        await there.forgets(bob)
        here.memory.names.clear()


BOTH_ORDERS = pytest.mark.parametrize("inviter_first", [True, False], ids=["inviter first", "redeemer first"])


@pytest.mark.parametrize("features", [(), PERSISTENT], ids=["plain", "persistent"])
async def test_two_who_redeem_each_others_invitations_at_once_have_one_connection(here, there, features):
    ann, bob = await here.identified("ann", features=features), await there.identified("bob", features=features)
    of_ann, of_bob = await invite(ann), await invite(bob)
    ann.say("connect", code=of_bob)
    bob.say("connect", code=of_ann)
    replies = [await peer.hears("connected_to_friend") for peer in (ann, bob)]
    told = [await peer.hears("friend_connected") for peer in (ann, bob)]
    (mine,), (theirs,) = await table(here, ann), await table(here, bob)
    assert {mine.connection} == {theirs.connection, *(one["connectionId"] for one in (*replies, *told))}
    assert (await ann.ask("ask", content="hello", to="bob"))["type"] == "question_sent"
    assert (await bob.hears("question"))["content"] == "hello"


@BOTH_ORDERS
async def test_the_table_of_the_smaller_uid_is_written_first(here, there, monkeypatch, inviter_first):
    ann, bob = await pair(here, there, inviter_first=inviter_first)
    put, owners = there.store.links.put, []

    async def noting(uid, *words, **more):
        owners.append(uid)
        return await put(uid, *words, **more)

    monkeypatch.setattr(there.store.links, "put", noting)
    assert (await bob.ask("connect", code=await invite(ann)))["type"] == "connected_to_friend"
    assert owners[:2] == sorted([uid_of(ann), uid_of(bob)])


@BOTH_ORDERS
async def test_what_is_left_of_an_older_friendship_does_not_stay_beside_the_new_one(here, there, inviter_first):
    ann, bob = await pair(here, there, inviter_first=inviter_first, features=PERSISTENT)
    await befriend(ann, bob)
    code = await invite(ann)
    # Both are ending it at this moment: the first table has no more of it, the second one still has.
    first, second = sorted([uid_of(ann), uid_of(bob)])
    (old,) = await table(here, ann)
    await here.store.links.end(first, second, old.connection)
    bob.say("connect", code=code)
    await eventually(lambda: bob.types.count("connected_to_friend") == 2)
    reply = [message for message in bob.heard if message["type"] == "connected_to_friend"][-1]
    (mine,), (theirs,) = await table(here, ann), await table(here, bob)
    assert mine.connection == theirs.connection == reply["connectionId"] != old.connection


@BOTH_ORDERS
@pytest.mark.parametrize("broken_put", [1, 2])
async def test_whatever_put_fails_no_half_of_a_friendship_is_left(here, there, monkeypatch, inviter_first, broken_put):
    ann, bob = await pair(here, there, inviter_first=inviter_first)
    code, put, count = await invite(ann), there.store.links.put, []

    async def failing(*words, **more):
        count.append(1)
        done = await put(*words, **more)
        if len(count) == broken_put:
            raise StorageUnavailable  # written, and nobody heard of it
        return done

    with monkeypatch.context() as patch:
        patch.setattr(there.store.links, "put", failing)
        assert (await bob.ask("connect", code=code))["message"].startswith("Service temporarily unavailable")
        await there.exchange.settled(10)
    for peer in (ann, bob):
        assert await table(here, peer) == ()
    assert (await bob.ask("connect", code=code))["type"] == "connected_to_friend"


@BOTH_ORDERS
@pytest.mark.parametrize("inviter_blocks", [True, False])
async def test_a_block_in_the_middle_of_a_redeem_holds(here, there, monkeypatch, inviter_first, inviter_blocks):
    ann, bob = await pair(here, there, inviter_first=inviter_first, features=PERSISTENT)
    code, claim = await invite(ann), there.store.invites.claim

    async def overtaken(*words, **more):
        blocker, name = (ann, "bob") if inviter_blocks else (bob, "ann")
        await here.store.links.block(uid_of(blocker), name, (), most=9)
        return await claim(*words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(there.store.invites, "claim", overtaken)
        reply = await bob.ask("connect", code=code)
    expected = NOT_HERE if inviter_blocks else "You have blocked ann. Unblock first."
    assert reply["message"] == expected
    await there.exchange.settled(10)
    for peer in (ann, bob):
        assert await table(here, peer) == ()
    cat = await there.identified("cat")
    assert (await cat.ask("connect", code=code))["type"] == "connected_to_friend", "the code is not used up"


@BOTH_ORDERS
async def test_a_block_in_the_middle_of_a_redeem_ends_an_older_friendship_too(here, there, monkeypatch, inviter_first):
    ann, bob = await pair(here, there, inviter_first=inviter_first, features=PERSISTENT)
    await befriend(ann, bob)
    code, claim = await invite(ann), there.store.invites.claim

    async def overtaken(*words, **more):
        await here.store.links.block(uid_of(ann), "bob", (), most=9)
        return await claim(*words, **more)

    monkeypatch.setattr(there.store.invites, "claim", overtaken)
    bob.say("connect", code=code)
    await bob.hears("error")
    await there.exchange.settled(10)
    for peer in (ann, bob):
        assert await table(here, peer) == ()


async def test_the_name_of_an_inviter_who_is_joined_while_away_waits_for_it_without_end(here, there, memory):
    ann, bob = await here.identified("ann", features=STORING), await there.identified("bob", features=STORING)
    code = await invite(ann)
    await here.forgets(ann)
    assert (await bob.ask("connect", code=code))["type"] == "connected_to_friend"
    memory.now_ms.ms += 2 * Policy().resume_ms
    await there.store.leases.renew(there.info, ttl_ms=LEASE_MS, draining=False)
    await bob.ask("ask", content="hello", to="ann")
    back = await here.identified("ann", features=STORING, token=ann.token)
    await eventually(lambda: "question" in back.types)


@BOTH_ORDERS
@pytest.mark.parametrize("broken_put", [1, 2])
async def test_a_friendship_that_could_not_be_made_to_last_is_plain_on_both_sides(
    here, there, monkeypatch, inviter_first, broken_put
):
    ann, bob = await pair(here, there, inviter_first=inviter_first)
    await befriend(ann, bob)
    for peer, name in ((ann, "ann"), (bob, "bob")):
        await peer.ask("identify", username=name, features=list(PERSISTENT))
    code, put, count = await invite(ann), there.store.links.put, []

    async def failing(*words, **more):
        count.append(1)
        done = await put(*words, **more)
        if len(count) == broken_put:
            raise StorageUnavailable
        return done

    with monkeypatch.context() as patch:
        patch.setattr(there.store.links, "put", failing)
        assert (await bob.ask("connect", code=code))["message"].startswith("Service temporarily unavailable")
        await there.exchange.settled(10)
    for peer in (ann, bob):
        assert [link.persist for link in await table(here, peer)] == [False]
        assert [link.persist for link in peer.connection.session.identified().links] == [False]


@BOTH_ORDERS
async def test_an_inviter_who_takes_another_name_meanwhile_is_known_by_that(here, there, monkeypatch, inviter_first):
    ann, bob = await pair(here, there, inviter_first=inviter_first)
    code, claim = await invite(ann), there.store.invites.claim

    async def overtaken(*words, **more):
        assert (await ann.ask("identify", username="anna"))["type"] == "identified"
        return await claim(*words, **more)

    monkeypatch.setattr(there.store.invites, "claim", overtaken)
    assert (await bob.ask("connect", code=code))["friend"]["username"] == "anna"
    assert [link.name for link in await table(here, bob)] == ["anna"]
    assert [link.name for link in bob.connection.session.identified().links] == ["anna"]
