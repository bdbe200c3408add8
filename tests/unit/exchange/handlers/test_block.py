"""Having nothing to do with somebody, on two nodes with one store in memory."""

import pytest

from exchange.core.errors import StorageUnavailable
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
