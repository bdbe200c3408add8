"""Having nothing to do with somebody, on two nodes with one store in memory."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.handlers import block
from tests.harness.world import PERSISTENT, Peer, befriend

OFFLINE = (*PERSISTENT, "offline")


@pytest.fixture
async def friends(here, there) -> tuple[Peer, Peer]:
    ann, bob = await here.identified("ann", features=OFFLINE), await there.identified("bob", features=OFFLINE)
    await befriend(ann, bob)
    return ann, bob


async def redeem(inviter: Peer, redeemer: Peer) -> dict[str, object]:
    code = (await inviter.ask("create_invite"))["code"]
    return await redeemer.ask("connect", code=code)


async def test_blocking_a_friend_ends_the_friendship_and_says_no_more(friends):
    ann, bob = friends
    assert await ann.ask("block", username="bob") == {"type": "blocked", "username": "bob"}
    assert (await bob.hears("friend_disconnected"))["friend"]["username"] == "ann"
    for peer in friends:
        assert (await peer.ask("friends"))["friends"] == []
    assert "friend_disconnected" not in ann.types


async def test_what_a_blocked_friend_has_written_is_not_delivered_any_more(here, there, friends):
    ann, bob = friends
    cat = await there.identified("cat", features=OFFLINE)
    await befriend(ann, cat)
    await here.forgets(ann)
    await bob.ask("ask", content="from bob", to="ann")
    await cat.ask("ask", content="from cat", to="ann")
    ann = await here.identified("ann", features=PERSISTENT, token=ann.token)
    await ann.ask("block", username="bob")
    await ann.ask("identify", username="ann", features=list(OFFLINE))
    assert (await ann.hears("question"))["content"] == "from cat"
    assert ann.types.count("question") == 1


async def test_mail_of_a_blocked_friend_is_removed_even_if_the_store_goes_away_meanwhile(here, friends, monkeypatch):
    ann, bob = friends
    uid = ann.connection.session.identified().uid
    purge, senders = here.store.mailboxes.purge, []

    async def failing(owner, sender):
        senders.append(sender)
        if len(senders) == 1:
            raise StorageUnavailable
        return await purge(owner, sender)

    monkeypatch.setattr(here.store.mailboxes, "purge", failing)
    assert (await ann.ask("block", username="bob"))["type"] == "blocked"
    assert senders == [bob.connection.session.identified().uid] * 2
    assert (await here.store.links.table(uid))[1] == ()


async def test_whom_i_have_blocked_i_cannot_join_until_i_allow_it_again(friends):
    ann, bob = friends
    await ann.ask("block", username="bob")
    code = (await bob.ask("create_invite"))["code"]
    assert (await ann.ask("connect", code=code))["code"] == "blocked_by_you"
    assert await ann.ask("unblock", username="bob") == {"type": "unblocked", "username": "bob"}
    assert (await ann.ask("connect", code=code))["type"] == "connected_to_friend"


async def test_who_is_blocked_finds_nobody_there_and_uses_nothing_up(there, friends):
    ann, bob = friends
    await ann.ask("block", username="bob")
    code = (await ann.ask("create_invite"))["code"]
    assert (await bob.ask("connect", code=code))["message"] == "Ann is not connected"
    cat = await there.identified("cat")
    assert (await cat.ask("connect", code=code))["type"] == "connected_to_friend"


async def test_a_name_nobody_has_can_be_blocked_before_it_comes(here, there):
    ann = await here.identified("ann", features=PERSISTENT)
    assert (await ann.ask("block", username="mallory"))["type"] == "blocked"
    mallory = await there.identified("mallory")
    assert (await redeem(ann, mallory))["message"] == "Ann is not connected"


async def test_who_is_blocked_stays_blocked_under_another_name(friends):
    ann, bob = friends
    await ann.ask("block", username="bob")
    await bob.hears("friend_disconnected")
    assert (await bob.ask("identify", username="robert"))["type"] == "identified"
    assert (await redeem(ann, bob))["message"] == "Ann is not connected"
    reply = await redeem(bob, ann)
    assert reply["message"] == "You have blocked bob. Unblock first.", "under the name that lifts it"
    await ann.ask("unblock", username="bob")
    assert (await redeem(ann, bob))["type"] == "connected_to_friend"


async def test_somebody_here_who_is_no_friend_is_blocked_under_every_name(here, there):
    ann, eve = await here.identified("ann", features=PERSISTENT), await there.identified("eve")
    await ann.ask("block", username="eve")
    await eve.ask("identify", username="evelyn")
    assert (await redeem(ann, eve))["message"] == "Ann is not connected"


async def test_what_somebody_wrote_who_is_no_friend_any_more_is_removed_too(here, friends):
    ann, bob = friends
    await here.forgets(ann)
    assert (await bob.ask("ask", content="from bob", to="ann"))["type"] == "question_sent"
    ann = await here.identified("ann", features=PERSISTENT, token=ann.token)
    uid = ann.connection.session.identified().uid
    await ann.ask("unfriend", username="bob")
    assert (await here.store.mailboxes.state(uid))[0].waiting_count == 1
    await ann.ask("block", username="bob")
    assert (await here.store.mailboxes.state(uid))[0].waiting_count == 0


async def test_a_friendship_that_came_meanwhile_ends_too(here, there, monkeypatch):
    ann, bob = await here.identified("ann", features=OFFLINE), await there.identified("bob", features=OFFLINE)
    code, enter = (await ann.ask("create_invite"))["code"], here.store.links.block

    async def overtaken(*words, **more):
        if "connected_to_friend" not in bob.types:
            # It does not wait for us, and this node has not worked off the wake when the block goes on.
            assert (await bob.ask("connect", code=code))["type"] == "connected_to_friend"
            ann.connection.session.identified().links.drop(bob.connection.session.identified().uid)
        return await enter(*words, **more)

    monkeypatch.setattr(here.store.links, "block", overtaken)
    ann.say("block", username="bob")
    await ann.hears("blocked")
    for peer in (ann, bob):
        assert (await here.store.links.table(peer.connection.session.identified().uid))[1] == ()


async def test_only_so_many_can_be_blocked(friends, monkeypatch):
    monkeypatch.setattr(block, "BLOCKED_MOST", 2)
    ann, bob = friends
    for name in ("eve", "mallory", "eve"):
        assert (await ann.ask("block", username=name))["type"] == "blocked"
    assert (await ann.ask("block", username="bob"))["code"] == "unusable"
    assert len((await bob.ask("friends"))["friends"]) == 1, "nothing was done"
    await ann.ask("unblock", username="eve")
    assert (await ann.ask("block", username="bob"))["type"] == "blocked"


async def test_repeats_are_harmless(friends):
    ann, _ = friends
    for request, reply in (
        ("block", "blocked"),
        ("block", "blocked"),
        ("unblock", "unblocked"),
        ("unblock", "unblocked"),
    ):
        assert (await ann.ask(request, username="bob"))["type"] == reply


@pytest.mark.parametrize("request_type", ["block", "unblock"])
async def test_a_name_must_be_usable(friends, request_type):
    assert (await friends[0].ask(request_type, username=""))["type"] == "error"
