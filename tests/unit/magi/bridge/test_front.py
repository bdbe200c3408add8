"""Every call ends in a result that also says what waits; whatever goes wrong is a sentence (MCP-4, MCP-5)."""

import asyncio
import contextlib

import msgspec
import pytest

from magi.bridge import front as fronts
from magi.bridge.door import Door
from magi.bridge.front import FAULT, LATE, Front
from magi.bridge.offer import offered
from magi.bridge.tool import Session
from magi.bridge.waiting import Patience
from magi.client.errors import FriendAway, ProfileError
from magi.daemon.port import DaemonAway, DeskError, Waiting
from tests.unit.magi.bridge.fake import MODEL, NASTY, QUICK, STATUS, FakeDesk, harmless, opening

TOOLS = offered(brainxchange=True, crowd=True)
SOME = Waiting(questions=("bob", "carol"), answers=1, held=1)
LINE = "magi: 2 questions (bob, carol), 1 answer, 1 held for your owner"
BUSY = msgspec.structs.replace(STATUS, waiting=SOME)
GIVEN = {
    "magi_connect": {"code": "AB12CD"},
    "magi_ask": {"to": "bob", "question": "Why?"},
    "magi_answer": {"ask_id": "q1", "ack": True},
    "magi_leave": {"friend": "bob", "action": "mute"},
    "brainxchange_command": {"command": "magi friends"},
    "send_to_agent": {"targetAgentId": "bob", "message": "Hi."},
    "broadcast_message": {"message": "Hi."},
}


async def call(name: str, desk: object, given: dict[str, object] | None = None):
    """Call a tool of a front with this desk behind its door."""
    door = Door(opening(desk))
    try:
        return await Front(door, Session(MODEL), QUICK).call(
            TOOLS[name], GIVEN.get(name, {}) if given is None else given
        )
    finally:
        await door.close()


@pytest.mark.parametrize("name", TOOLS)
async def test_every_result_of_every_tool_ends_with_the_line(name):
    said = await call(name, FakeDesk(status=BUSY))
    assert not said.is_error, said.texts
    assert said.texts[-1].splitlines()[-1] == LINE
    assert said.data["waiting"] == {"questions": ["bob", "carol"], "answers": 1, "held": 1, "notices": 0}


@pytest.mark.parametrize("name", TOOLS)
async def test_when_nothing_waits_nothing_is_said(name):
    said = await call(name, FakeDesk())
    assert not any(line.startswith("magi: ") for text in said.texts for line in text.splitlines())


async def test_results_for_programs_keep_the_line_apart():
    first, line = (await call("discover_agents", FakeDesk(status=BUSY))).texts
    assert first.startswith("{")
    assert line == LINE


async def test_a_refusal_is_a_result_with_a_sentence_and_the_line():
    desk = FakeDesk(ask=FriendAway("Bob is not connected", "not_connected"), status=BUSY)
    said = await call("magi_ask", desk)
    assert said.is_error
    expected = 'The exchange says: "Bob is not connected". Nothing was sent. Try again later.'
    assert said.texts[0].splitlines() == [expected, "", LINE]


@pytest.mark.parametrize(
    ("name", "text"), [("magi_ask", "No friend."), ("send_to_agent", '{"success":false,"error":"No friend."}')]
)
async def test_a_tool_refuses_in_the_form_of_its_family(name, text):
    said = await call(name, FakeDesk(ask=DeskError("No friend.")))
    assert (said.is_error, list(said.texts)) == (True, [text])


async def test_arguments_that_break_the_schema_are_a_result_and_touch_no_desk():
    desk = FakeDesk()
    said = await call("magi_ask", desk, {"to": "bob"})
    assert said.is_error
    assert said.texts[0].startswith("Invalid arguments for magi_ask: ")
    assert (await call("magi_answer", desk, {"ask_id": "q1"})).is_error
    assert [name for name, _ in desk.calls] == ["status"]


@pytest.mark.parametrize("name", TOOLS)
async def test_without_a_profile_every_tool_says_how_to_set_up(name):
    said = await call(name, ProfileError("The profile default is not set up. Run: magi register -u NAME"))
    assert said.is_error
    assert "magi register -u NAME" in said.texts[0]


async def test_a_daemon_that_goes_away_is_a_result():
    said = await call("magi_friends", FakeDesk(friends=DaemonAway(), status=DaemonAway()))
    assert said.is_error
    assert said.texts[0].startswith("The magi daemon is not running.")


async def test_a_fault_of_ours_is_a_result_without_its_inner_life(caplog):
    said = await call("magi_friends", FakeDesk(friends=KeyError("secret")))
    assert (said.is_error, said.texts[0]) == (True, FAULT)
    assert "magi_friends failed" in caplog.text


async def test_a_daemon_that_hangs_ends_as_a_result():
    door = Door(opening(FakeDesk(ask=asyncio.Event())))
    front = Front(door, Session(MODEL), Patience(most_seconds=0.05, margin_seconds=0.05, grace_seconds=0.01))
    said = await front.call(TOOLS["magi_ask"], GIVEN["magi_ask"])
    await door.close()
    assert (said.is_error, said.texts[0]) == (True, LATE)


async def test_time_spent_on_the_way_to_the_desk_is_not_waited_again():
    @contextlib.asynccontextmanager
    async def open_desk():
        while asyncio.get_running_loop().time() < start + 0.02:
            await asyncio.sleep(0.001)
        yield desk

    desk = FakeDesk()
    start = asyncio.get_running_loop().time()
    door = Door(open_desk)
    await Front(door, Session(MODEL), Patience(most_seconds=5, margin_seconds=4)).call(
        TOOLS["magi_ask"], {**GIVEN["magi_ask"], "wait_seconds": 50}
    )
    await door.close()
    assert desk.given("wait")[0]["seconds"] <= 1 - 0.02


async def test_a_desk_that_does_not_say_what_waits_does_not_hold_the_result(monkeypatch):
    monkeypatch.setattr(fronts, "NOTICE_SECONDS", 0.01)
    said = await call("magi_friends", FakeDesk(status=asyncio.Event()))
    assert not said.is_error


async def test_a_nickname_in_an_error_does_nothing():
    said = await call("magi_ask", FakeDesk(ask=FriendAway(f"{NASTY} is not connected")))
    assert harmless(said.texts[0])


async def test_a_page_says_what_is_wrong_with_the_desk():
    door = Door(opening(ProfileError("The profile default is not set up. Run: magi register -u NAME")))
    assert "magi register" in await Front(door, Session(MODEL)).page("magi://inbox")
    assert "magi_invite" in await Front(door, Session(MODEL)).page("magi://help")
    await door.close()
