"""The table of MCP-1: eight tools and two families, none of which gives rights away or lets a friend's text act."""

import msgspec
import pytest

from magi.bridge.offer import TOOLS, offered
from magi.bridge.talk import asked_text
from magi.bridge.tool import Unusable
from magi.daemon.port import AskView, Inbox, Item, Waiting
from magi.daemon.protocol import METHODS
from tests.unit.magi.bridge.fake import ANSWERED, BOB, NASTY, OPEN, FakeDesk, call_on, harmless

HINTS = {
    "magi_invite": (False, False, False, True),
    "magi_connect": (False, False, True, True),
    "magi_friends": (True, False, True, False),
    "magi_ask": (False, False, False, True),
    "magi_inbox": (False, False, False, False),
    "magi_answer": (False, False, True, True),
    "magi_status": (False, False, True, False),
    "magi_leave": (False, True, True, False),
}
ARGUMENTS = {
    "magi_invite": {"note"},
    "magi_connect": {"code", "call_them"},
    "magi_friends": {"name", "online", "capability"},
    "magi_ask": {"to", "question", "thread", "expires_minutes", "no_reply", "wait_seconds"},
    "magi_inbox": {"wait_seconds", "limit", "ask_id", "peek"},
    "magi_answer": {"ask_id", "answer", "decline", "defer_minutes", "ack"},
    "magi_status": {"status", "note", "capabilities"},
    "magi_leave": {"friend", "action"},
}


def test_there_are_eight_tools_with_these_arguments_and_hints():
    assert {tool.name: set(tool.schema["properties"]) for tool in TOOLS} == ARGUMENTS
    assert {one.name: (one.read_only, one.destructive, one.idempotent, one.open_world) for one in TOOLS} == HINTS
    assert [tool.name for tool in TOOLS if tool.always_load] == ["magi_ask", "magi_inbox"]


def test_switches_choose_the_families():
    assert len(offered()) == 9
    assert len(offered(brainxchange=False)) == 8
    assert len(offered(crowd=True)) == 14


# --- rights -----------------------------------------------------------------------------------------------------------

RIGHTS = ("review", "pause", "held", "rename")
"""What only the owner does (CLI-35)."""
EVERY = {
    "answer": "yes",
    "ask_id": "q1",
    "call_them": "bob",
    "code": "AB12CD",
    "command": "magi approve q1",
    "friend": "bob",
    "message": "x",
    "name": "bob",
    "question": "x",
    "targetAgentId": "bob",
    "to": "bob",
}


@pytest.mark.parametrize("tool", offered(brainxchange=True, crowd=True).values(), ids=lambda tool: tool.name)
async def test_no_tool_approves_raises_a_mode_verifies_or_sets_a_responder(tool):
    words = " ".join([tool.name, *tool.schema["properties"]]).lower()
    assert not any(
        word in words for word in ("approve", "review", "mode", "verify", "responder", "pause", "auto", "trust")
    )
    properties = tool.schema["properties"]
    for action in properties.get("action", {}).get("enum", [None]):
        desk = FakeDesk(wait=ANSWERED)
        given = {name: EVERY[name] for name in properties if name in EVERY} | ({"action": action} if action else {})
        await tool.run(call_on(desk), tool.read(given))
        assert desk.calls or tool.name == "brainxchange_command"
        assert not {name for name, _ in desk.calls}.intersection(RIGHTS)
        assert all(one["mode"] == "mute" for one in desk.given("mode"))
        assert all(one.get("blocked", True) for one in desk.given("block"))


def test_what_only_the_owner_does_is_in_the_port_under_these_names():
    assert set(RIGHTS) < set(METHODS)


@pytest.mark.parametrize("action", ["auto", "ask", "unblock", "unmute"])
def test_leaving_takes_no_word_that_gives_rights_back(action):
    with pytest.raises(Unusable):
        offered()["magi_leave"].read({"friend": "bob", "action": action})


# --- a hostile friend -------------------------------------------------------------------------------------------------


async def test_nothing_a_friend_writes_acts_in_any_result():
    huge = NASTY + "A" * (1 << 20)
    kinds = ("ask", "note", "answer", "decline", "notice", "foreign", NASTY)
    items = tuple(Item(NASTY, NASTY, kind, huge, 1, origin=NASTY, thread=NASTY, reply_to=NASTY) for kind in kinds)
    friend = msgspec.structs.replace(
        BOB, petname=NASTY, username=NASTY, nickname=NASTY, status=NASTY, capabilities=(NASTY,)
    )
    answered = AskView(id=NASTY, who=NASTY, state="answered", said=NASTY, answer=huge, detail=huge)
    desk = FakeDesk(
        inbox=Inbox(items, Waiting(questions=(NASTY,))),
        friends=(friend, msgspec.structs.replace(friend, petname="bob")),
        connect=friend,
        wait=answered,
        history=items,
        answer=msgspec.structs.replace(answered, state="failed"),
    )
    for tool in offered(brainxchange=True, crowd=True).values():
        given = {name: EVERY[name] for name in tool.schema["properties"] if name in EVERY}
        given |= {"action": "mute"} if tool.name == "magi_leave" else {}
        given |= {"command": "magi ask bob why"} if tool.name == "brainxchange_command" else {}
        reply = await tool.run(call_on(desk), tool.read(given))
        assert harmless(reply.text), tool.name
        assert harmless(str(reply.data)), tool.name


def test_the_fuzz_would_notice():
    assert not harmless("<system-reminder>")
    assert not harmless("\x1b[2J")
    assert not harmless(asked_text(OPEN) + "\u202e")
