"""Asking, looking and answering, as MCP-1 and MCP-3 say."""

import asyncio

import msgspec
import pytest

from magi.bridge.offer import offered
from magi.bridge.tool import Unusable
from magi.client.errors import NotFriends
from magi.daemon.port import AskView, Inbox, Item, Waiting
from tests.unit.magi.bridge.fake import ANSWERED, MODEL, OPEN, FakeDesk, call_on


async def run(name: str, desk: FakeDesk, /, **given: object):
    """Call a tool as a client does."""
    tool = offered()[name]
    return await tool.run(call_on(desk), tool.read(given))


# --- asking -----------------------------------------------------------------------------------------------------------


async def test_an_answer_in_time_is_the_result():
    desk = FakeDesk(wait=ANSWERED)
    reply = await run("magi_ask", desk, to="bob", question="Why?", thread="t", expires_minutes=2)
    (given,) = desk.given("ask")
    assert given == {
        "who": "bob",
        "text": "Why?",
        "caller": MODEL,
        "thread": "t",
        "wants_answer": True,
        "expires_seconds": 120.0,
    }
    assert reply.data == {"ask_id": "a1", "state": "answered", "answer": {"from": "bob", "untrusted_text": "Because."}}
    assert not reply.is_error


async def test_no_answer_in_time_is_a_result_with_the_id_and_how_to_look():
    desk = FakeDesk()
    reply = await run("magi_ask", desk, to="bob", question="Why?")
    assert reply.data == {"ask_id": "a1", "state": "queued"}
    assert reply.text == (
        'Still open. Kept by the exchange for bob. Id: a1\nLook later: magi_inbox, ask_id "a1". Do not ask again.'
    )
    assert not reply.is_error


async def test_a_desk_that_does_not_return_does_not_hold_the_call():
    desk = FakeDesk(wait=asyncio.Event())
    reply = await run("magi_ask", desk, to="bob", question="Why?", wait_seconds=3_600)
    assert reply.data["state"] == "queued"
    assert desk.given("wait")[0]["seconds"] < 1  # the test's own patience
    await asyncio.sleep(0)
    assert desk.cancelled == ["wait"]


async def test_what_waits_for_the_owner_is_not_waited_for():
    held = msgspec.structs.replace(OPEN, state="held_here", detail="a token in line 1")
    desk = FakeDesk(ask=held)
    reply = await run("magi_ask", desk, to="bob", question="Why?")
    assert desk.given("wait") == []
    assert "Held for your owner" in reply.text
    assert "a token in line 1" in reply.text
    assert reply.data["state"] == "held_here"


async def test_a_note_waits_for_its_receipt_only():
    desk = FakeDesk()
    reply = await run("magi_ask", desk, to="bob", question="Done.", no_reply=True)
    assert desk.given("ask")[0]["wants_answer"] is False
    assert "do not send it again" in reply.text


async def test_several_friends_are_asked_at_once_and_one_refusal_hides_no_answer():
    def ask(who: str, **_: object) -> object:
        return (
            NotFriends("No active connection", "not_linked")
            if who == "dave"
            else msgspec.structs.replace(OPEN, who=who)
        )

    def wait(**_: object) -> AskView:
        return ANSWERED

    desk = FakeDesk(ask=ask, wait=wait)
    reply = await run("magi_ask", desk, to=["bob", "dave", "bob"], question="Why?")
    first, second = reply.data["asks"]
    assert (first["to"], first["state"]) == ("bob", "answered")
    assert second["to"] == "dave"
    assert "No active connection" in second["error"]
    assert not reply.is_error
    assert (await run("magi_ask", desk, to=["dave"], question="Why?")).is_error


# --- inbox ------------------------------------------------------------------------------------------------------------


async def test_looking_claims_for_this_session_unless_it_peeks():
    desk = FakeDesk()
    reply = await run("magi_inbox", desk, limit=3)
    assert [item["ask_id"] for item in reply.data["items"]] == ["q1"]
    await run("magi_inbox", desk, peek=True)
    first, second = desk.given("inbox")
    assert first == {"caller": MODEL, "limit": 3, "wait_seconds": 0.0, "peek": False, "ask_id": ""}
    assert second["peek"] is True


async def test_an_empty_inbox_is_a_result():
    reply = await run("magi_inbox", FakeDesk(inbox=Inbox((), Waiting())), wait_seconds=50)
    assert (reply.text, reply.data, reply.is_error) == ("Nothing new.", {"items": []}, False)


async def test_looking_for_an_open_question_says_how_it_stands():
    reply = await run("magi_inbox", FakeDesk(inbox=Inbox((), Waiting())), ask_id="a1")
    assert reply.data == {"items": [], "ask_id": "a1", "state": "queued"}
    assert reply.text.startswith("Still open.")


async def test_an_answer_asked_for_by_name_needs_no_ack():
    came = Item(id="r9", who="bob", kind="answer", text="Because.", received_ms=9, reply_to="a1")
    reply = await run("magi_inbox", FakeDesk(inbox=Inbox((came,), Waiting())), ask_id="a1")
    assert reply.text.startswith('Answer to your question "a1".\n')
    assert "magi_answer" not in reply.text


@pytest.mark.parametrize(
    ("way", "call", "state"),
    [
        ({"answer": "8.4"}, ("answer", {"item_id": "q1", "text": "8.4", "caller": MODEL}), "queued"),
        ({"decline": "no idea"}, ("decline", {"item_id": "q1", "reason": "no idea", "caller": MODEL}), "queued"),
        ({"defer_minutes": 5}, ("defer", {"item_id": "q1", "seconds": 300.0, "caller": MODEL}), "deferred"),
        ({"ack": True}, ("ack", {"item_id": "q1", "caller": MODEL}), "acknowledged"),
    ],
)
async def test_an_item_is_settled_in_one_of_four_ways(way, call, state):
    desk = FakeDesk()
    assert (await run("magi_answer", desk, ask_id="q1", **way)).data == {"state": state}
    assert desk.calls == [call]


@pytest.mark.parametrize("ways", [{}, {"answer": "8.4", "ack": True}, {"ack": False}])
async def test_not_exactly_one_way_is_refused_before_anything_happens(ways):
    desk = FakeDesk()
    with pytest.raises(Unusable, match="exactly one"):
        await run("magi_answer", desk, ask_id="q1", **ways)
    assert desk.calls == []


async def test_an_answer_that_is_held_says_so():
    held = AskView(id="r1", who="bob", state="held_here", said="waiting for you: magi review")
    reply = await run("magi_answer", FakeDesk(answer=held), ask_id="q1", answer="8.4")
    assert reply.data == {"state": "held_here"}
    assert reply.text.startswith("Held for your owner")
