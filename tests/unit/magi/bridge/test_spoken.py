"""What owners say in words is done by the same tools, or nothing is done (MCP-11)."""

import inspect

import pytest

from magi.bridge import grammar
from magi.bridge.spoken import DOES, SPOKEN
from tests.unit.magi.bridge.fake import ANSWERED, MODEL, QUICK, FakeDesk, call_on

(TOOL,) = SPOKEN


async def say(command: str, desk: FakeDesk):
    """Say something to the assistant."""
    return await TOOL.run(call_on(desk), TOOL.read({"command": command}))


def test_every_command_has_its_deed():
    commands = {one for _, one in inspect.getmembers(grammar, inspect.isclass) if one.__module__ == grammar.__name__}
    assert commands == set(DOES)


async def test_an_invitation_is_made_and_its_sentence_said():
    reply = await say('  "MAGI Create Invite" ', FakeDesk())
    assert "magi connect AB12CD" in reply.text
    assert reply.data == {}


async def test_a_code_in_any_letter_case_connects():
    desk = FakeDesk()
    assert "bob" in (await say("brainx connect to ab12cd", desk)).text
    assert desk.given("connect")[0]["code"] == "AB12CD"


@pytest.mark.parametrize(("said", "who"), [("bob", "bob"), ("@bob", "bob"), ("friend", "anyone"), ("Anyone", "anyone")])
async def test_a_question_is_sent_as_it_was_said(said, who):
    desk = FakeDesk(wait=ANSWERED)
    reply = await say(f"magi ask {said} about Redis 8.4", desk)
    assert desk.given("ask") == [{"who": who, "text": "about Redis 8.4", "caller": MODEL}]
    assert reply.text.startswith("bob answered.")


async def test_a_question_waits_for_a_while_and_then_says_so():
    desk = FakeDesk()
    assert (await say("magi ask bob why", desk)).text.startswith("Still open.")
    assert desk.given("wait") == [{"ask_id": "a1", "seconds": QUICK.granted(20)}]


async def test_friends_and_status_are_lists_in_words():
    assert (await say("magi friends", FakeDesk())).text.startswith("bob: online")
    assert "magi create invite" in (await say("magi friends", FakeDesk(friends=()))).text
    assert (await say("magi status", FakeDesk())).text.startswith("You are alice, connected.")


@pytest.mark.parametrize(
    "command", ["", "hello", "magi approve q1", "magi mode bob auto", "magi ask bob", "ask bob why"]
)
async def test_anything_else_is_answered_with_the_forms_and_does_nothing(command):
    desk = FakeDesk()
    assert grammar.HELP in (await say(command, desk)).text
    assert desk.calls == []
