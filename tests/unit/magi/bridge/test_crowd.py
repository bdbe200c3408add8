"""Friends in the place of agents: arguments, keys and forms of the crowd wire (CROWD-33, CROWD-34)."""

import json

import msgspec
import pytest

from magi.bridge.crowd import CROWD, LISTED_MOST, refusal
from magi.daemon.port import DeskError, Inbox, Waiting
from tests.unit.magi.bridge.fake import BOB, CAROL, NOTE, OPEN, QUESTION, FakeDesk, call_on

TOOLS = {tool.name: tool for tool in CROWD}
ARGUMENTS = {
    "discover_agents": {"status", "capability"},
    "send_to_agent": {"targetAgentId", "message", "priority"},
    "broadcast_message": {"message"},
    "get_my_messages": {"unreadOnly", "limit", "since", "markAsRead"},
    "update_my_status": {"status", "capabilities"},
}


async def run(name: str, desk: FakeDesk, /, **given: object):
    """Call a tool and read its text, which is JSON in the form of the wire."""
    reply = await TOOLS[name].run(call_on(desk), TOOLS[name].read(given))
    said = json.loads(reply.text)
    assert reply.text == json.dumps(said, indent=2, ensure_ascii=False)
    assert reply.data == said
    return said


def test_the_family_has_these_tools_and_arguments():
    assert {tool.name: set(tool.schema["properties"]) for tool in CROWD} == ARGUMENTS


def test_a_failure_is_compact_and_marked():
    assert refusal("no").text == '{"success":false,"error":"no"}'
    assert refusal("no").is_error
    assert all(tool.refused is refusal for tool in CROWD)


async def test_agents_are_friends():
    said = await run("discover_agents", FakeDesk(friends=(BOB, msgspec.structs.replace(CAROL, status="working"))))
    assert list(said) == ["success", "agents", "count"]
    assert said["agents"][0] == {"id": "bob", "status": "idle", "online": True, "capabilities": ["x"]}
    assert said["count"] == 2
    desk = FakeDesk(friends=(BOB, msgspec.structs.replace(CAROL, status="working")))
    assert (await run("discover_agents", desk, status="working"))["agents"][0]["id"] == "carol"
    assert (await run("discover_agents", desk, capability="x"))["count"] == 1


async def test_a_message_to_an_agent_is_a_note():
    desk = FakeDesk()
    said = await run("send_to_agent", desk, targetAgentId="bob@example.com", message="Hi.", priority="high")
    assert said == {"success": True, "messageId": "a1", "timestamp": OPEN.made_ms}
    (given,) = desk.given("ask")
    assert (given["who"], given["text"], given["wants_answer"]) == ("bob", "Hi.", False)


async def test_an_unknown_agent_is_refused_in_the_words_of_the_wire():
    desk = FakeDesk()
    with pytest.raises(DeskError, match=r"^Recipient dave not found$"):
        await run("send_to_agent", desk, targetAgentId="dave", message="Hi.")
    assert desk.given("ask") == []


async def test_a_broadcast_goes_to_everybody_who_is_not_muted():
    dave = msgspec.structs.replace(BOB, petname="dave")
    desk = FakeDesk(friends=(BOB, CAROL, dave))
    said = await run("broadcast_message", desk, message="Hi.")
    assert list(said) == ["success", "messageId", "recipientCount"]
    assert said["recipientCount"] == 2
    assert [given["who"] for given in desk.given("ask")] == ["bob", "dave"]
    assert {given["thread"] for given in desk.given("ask")} == {said["messageId"]}


async def test_a_broadcast_that_one_friend_cannot_get_reaches_the_others():
    def ask(who: str, **_: object) -> object:
        return DeskError("Too many open questions.") if who == "bob" else OPEN

    dave = msgspec.structs.replace(BOB, petname="dave")
    assert (await run("broadcast_message", FakeDesk(friends=(BOB, dave), ask=ask), message="Hi."))[
        "recipientCount"
    ] == 1
    with pytest.raises(DeskError, match="Too many"):
        await run("broadcast_message", FakeDesk(friends=(BOB,), ask=ask), message="Hi.")


async def test_a_broadcast_to_nobody_is_refused():
    with pytest.raises(DeskError, match=r"^No recipients for broadcast"):
        await run("broadcast_message", FakeDesk(friends=(CAROL,)), message="Hi.")


async def test_messages_are_listed_in_order_and_marked():
    old = msgspec.structs.replace(NOTE, id="n0", received_ms=1)
    desk = FakeDesk(inbox=Inbox((QUESTION, NOTE), Waiting()), history=(old, OPEN, QUESTION, NOTE))
    said = await run("get_my_messages", desk)
    assert list(said) == ["success", "messages", "count", "unreadCount"]
    assert [(one["id"], one["read"]) for one in said["messages"]] == [("n0", True), ("q1", False), ("n1", False)]
    assert (said["count"], said["unreadCount"]) == (3, 2)
    assert set(said["messages"][0]) == {"id", "from", "content", "timestamp", "priority", "read"}
    assert desk.given("ack") == [{"item_id": "n1", "caller": desk.given("ack")[0]["caller"]}]


async def test_reading_does_not_settle_a_question():
    desk = FakeDesk(inbox=Inbox((QUESTION,), Waiting()), history=())
    call = call_on(desk)
    tool = TOOLS["get_my_messages"]
    first = (await tool.run(call, tool.read({"unreadOnly": True}))).data
    second = (await tool.run(call, tool.read({"unreadOnly": True}))).data
    assert (first["count"], second["count"]) == (1, 0)
    assert desk.given("ack") == []
    everything = (await tool.run(call, tool.read({}))).data["messages"]
    assert 'magi_answer, ask_id "q1"' in everything[0]["content"]
    assert everything[0]["read"] is True


async def test_looking_without_marking_leaves_everything_unread():
    desk = FakeDesk(inbox=Inbox((NOTE,), Waiting()), history=())
    assert (await run("get_my_messages", desk, markAsRead=False))["unreadCount"] == 1
    assert desk.given("ack") == []


async def test_since_is_inclusive_and_the_limit_comes_last():
    many = tuple(msgspec.structs.replace(NOTE, id=f"n{number:03}", received_ms=number) for number in range(100))
    desk = FakeDesk(inbox=Inbox(many, Waiting()), history=())
    said = await run("get_my_messages", desk, since=7, limit=2, markAsRead=False)
    assert [one["id"] for one in said["messages"]] == ["n007", "n008"]
    assert said["unreadCount"] == 100
    newest = await run("get_my_messages", desk, markAsRead=False)
    assert [one["id"] for one in newest["messages"]] == [f"n{number:03}" for number in range(100 - LISTED_MOST, 100)]


async def test_a_status_is_told():
    desk = FakeDesk()
    assert await run("update_my_status", desk, status="blocked", capabilities=["redis"]) == {"success": True}
    assert desk.given("announce") == [{"status": "blocked", "capabilities": ("redis",)}]
