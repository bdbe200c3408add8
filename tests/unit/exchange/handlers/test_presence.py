"""What users say of themselves, on two nodes with one store in memory."""

import pytest

from exchange.core.commands import SetPresence
from exchange.core.errors import Unusable
from exchange.handlers.presence import set_presence
from tests.harness.waiting import eventually
from tests.harness.world import WATCHING, Peer, befriend


@pytest.fixture
async def friends(here, there) -> tuple[Peer, Peer]:
    ann, bob = await here.identified("ann", features=WATCHING), await there.identified("bob", features=WATCHING)
    await befriend(ann, bob)
    return ann, bob


async def test_a_friend_who_watches_sees_a_new_status(friends):
    ann, bob = friends
    reply = await ann.ask("presence", status="working", capabilities=["read", "write"])
    assert reply == {"type": "presence_updated", "status": "working", "capabilities": ["read", "write"]}
    heard = await bob.hears("friend_presence")
    assert (heard["friend"]["username"], heard["online"], heard["status"]) == ("ann", True, "working")
    assert heard["capabilities"] == ["read", "write"]


async def test_what_is_not_mentioned_stays(friends):
    ann, _ = friends
    await ann.ask("presence", status="idle", capabilities=["read"])
    assert (await ann.ask("presence", status="blocked"))["capabilities"] == ["read"]
    reply = await ann.ask("presence", capabilities=[])
    assert (reply["status"], reply["capabilities"]) == ("blocked", [])


async def test_saying_the_same_again_tells_nobody(here, friends):
    ann, _ = friends
    uid = friends[1].connection.session.identified().uid
    await ann.ask("presence", status="idle")
    before = await here.store.links.table(uid)
    assert (await ann.ask("presence", status="idle"))["type"] == "presence_updated"
    assert await here.store.links.table(uid) == before


async def test_a_plain_friend_hears_nothing_of_it(here, there):
    ann, bob = await here.identified("ann", features=WATCHING), await there.identified("bob")
    await befriend(ann, bob)
    count = len(bob.heard)
    await ann.ask("presence", status="working")
    friend = bob.connection.session.identified().links
    await eventually(lambda: friend.named("ann").status == "working")
    assert len(bob.heard) == count


async def test_a_status_lasts_as_long_as_the_session(here, friends):
    ann, bob = friends
    await ann.ask("presence", status="working")
    await bob.hears("friend_presence")
    await here.identified("ann", features=WATCHING, token=ann.token)
    await eventually(lambda: bob.types.count("friend_presence") == 2)
    assert "status" not in bob.heard[-1]


async def test_there_are_only_these_statuses(here, friends):
    with pytest.raises(Unusable):
        await set_presence(here.exchange, friends[0].connection.session, SetPresence(status="dancing"))
    assert friends[0].connection.session.identified().status == ""
