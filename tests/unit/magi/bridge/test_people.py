"""Friends are made, found and left, and our side is told, as MCP-1 says."""

import pytest

from magi.bridge.offer import offered
from tests.unit.magi.bridge.fake import FakeDesk, call_on


async def run(name: str, desk: FakeDesk, /, **given: object):
    """Call a tool as a client does."""
    tool = offered()[name]
    return await tool.run(call_on(desk), tool.read(given))


async def test_an_invitation_comes_with_the_sentence_to_pass_on():
    reply = await run("magi_invite", FakeDesk(), note="It is me, Alice.")
    say = "Tell your assistant: magi connect AB12CD It is me, Alice."
    assert reply.data == {"code": "AB12CD", "expires_at_ms": 9_000, "say": say}
    assert say in reply.text


async def test_connecting_gives_the_friend_a_name():
    desk = FakeDesk()
    reply = await run("magi_connect", desk, code="ab12cd", call_them="bobby")
    assert desk.given("connect") == [{"code": "ab12cd", "petname": "bobby"}]
    assert reply.data == {"friend": "bob", "trust": "plain", "state": "connected"}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["bob", "carol"]),
        ({"name": "CARO"}, ["carol"]),
        ({"online": True}, ["bob"]),
        ({"capability": "x"}, ["bob"]),
    ],
)
async def test_friends_are_found_by_name_presence_and_capability(wanted, found):
    reply = await run("magi_friends", FakeDesk(), **wanted)
    assert [friend["petname"] for friend in reply.data["friends"]] == found


@pytest.mark.parametrize(
    ("action", "call"),
    [
        ("mute", ("mode", {"who": "bob", "mode": "mute"})),
        ("block", ("block", {"who": "bob"})),
        ("unfriend", ("unfriend", {"who": "bob"})),
    ],
)
async def test_leaving_reduces_what_a_friend_may_do(action, call):
    desk = FakeDesk()
    assert (await run("magi_leave", desk, friend="bob", action=action)).data == {"done": action}
    assert desk.calls == [call]


async def test_status_tells_only_what_was_given_and_returns_how_it_stands():
    desk = FakeDesk()
    reply = await run("magi_status", desk)
    assert desk.given("announce") == []
    assert (reply.data["username"], reply.data["connection"], reply.data["level"]) == ("alice", "connected", "C")
    assert "does not offer: objects" in reply.text
    reply = await run("magi_status", desk, status="working", capabilities=["redis"])
    assert desk.given("announce") == [{"status": "working", "note": "", "capabilities": ("redis",)}]
    assert reply.data["status"] == "working"
