"""``review``, ``mode``, ``pause``."""

from datetime import datetime

import pytest
import typer
from msgspec.structs import replace

from magi.cli.consent import RANK, Mode, end_of
from magi.desk.ports import Mode as DeskMode
from tests.harness.fake_desk import ASK, CAROL

NOON = datetime(2026, 11, 20, 12, 0).astimezone()


def test_the_modes_are_those_of_the_desk_and_each_has_a_rank():
    assert {one.value for one in Mode} == {one.value for one in DeskMode} == set(RANK)


def test_without_a_wanted_one_the_mode_is_shown(magi, desk):
    assert magi("mode", "bob") == (0, "bob: ask\n", "")
    assert desk.names() == ["friends"]


def test_lowering_a_mode_takes_nobody(magi, desk):
    assert magi("mode", "bob", "mute")[0] == 0
    assert desk.called("mode")[0] == ("bob@example.com", "mute")


@pytest.mark.parametrize("who", ["bob", "carol"])
def test_raising_a_mode_takes_a_terminal(magi, desk, who):
    status, _, err = magi("mode", who, "auto")
    assert status == 1
    assert "takes a terminal: magi asks the owner back. Nothing was changed." in err
    assert "mode" not in desk.names()


@pytest.mark.usefixtures("person")
def test_the_owner_raises_a_mode_at_a_terminal(magi, desk):
    desk.says["mode"] = replace(CAROL, mode="ask")
    status, out, _ = magi("mode", "carol", "ask")
    assert (status, out) == (0, "carol: ask\n")


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize("argv", [("review",), ("mode", "bob", "auto"), ("pause", "--off"), ("unblock", "bob")])
def test_no_right_is_raised_from_the_shell_of_an_agent_client(magi, desk, monkeypatch, argv):
    monkeypatch.setenv("CLAUDE_CODE_CHILD_SESSION", "1")
    status, _, err = magi(*argv)
    assert status == 1
    assert "is up to your owner, in a terminal of their own" in err
    assert not {"review", "held", "mode", "pause", "block"}.intersection(desk.names())


def test_anybody_may_pause(magi, desk):
    assert magi("pause")[0] == 0
    assert desk.called("pause")[0] == (-1,)


def test_a_pause_ends_at_a_terminal_only(magi, desk):
    assert magi("pause", "--off")[0] == 1
    assert desk.names() == []


@pytest.mark.usefixtures("person")
def test_the_owner_ends_a_pause(magi, desk):
    assert magi("pause", "--off")[0] == 0
    assert desk.called("pause")[0] == (0,)


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("18:00", datetime(2026, 11, 20, 18, 0)),
        ("12:00", datetime(2026, 11, 21, 12, 0)),
        ("07:30", datetime(2026, 11, 21, 7, 30)),
        ("30m", datetime(2026, 11, 20, 12, 30)),
        ("2h", datetime(2026, 11, 20, 14, 0)),
    ],
)
def test_the_end_of_a_pause_is_the_next_one_of_its_kind(said, end):
    assert end_of(said, NOON) == end.astimezone().timestamp() * 1000


@pytest.mark.parametrize("said", ["soon", "25:00", "h", "-1h"])
def test_a_pause_ends_at_a_time(said):
    with pytest.raises(typer.BadParameter):
        end_of(said, NOON)


def test_a_review_shows_question_draft_and_why_it_waits(magi, desk, person):
    person += ["a"]
    status, out, _ = magi("review")
    assert status == 0
    assert "to bob" in out
    assert "you approve what leaves" in out
    assert "  | Which Redis?" in out
    assert "  | 8.4" in out
    assert desk.called("review") == (
        ("h1aaaaaabbbb",),
        {"approve": True, "text": "", "override": False, "scope": "once"},
    )


def test_a_draft_can_be_edited_before_it_leaves(magi, desk, person, monkeypatch):
    async def edited(text):
        return f"{text}, I think"

    monkeypatch.setattr("magi.cli.consent.edited", edited)
    person += ["e", "e", "a"]
    magi("review")
    assert desk.called("review")[1]["text"] == "8.4, I think, I think"


def test_a_draft_can_be_dropped_or_left(magi, desk, person):
    (draft,) = desk.says["held"]
    desk.says["held"] = (draft, replace(draft, id="h2"), replace(draft, id="h3"))
    person += ["d", "s", "what?", "q"]
    assert magi("review")[0] == 0
    assert desk.called("review") == (("h1aaaaaabbbb",), {"approve": False})


def test_a_draft_with_a_secret_takes_the_owner_once_more(magi, desk, person, monkeypatch):
    asked = []

    async def confirm(what):
        asked.append(what)

    monkeypatch.setattr("magi.cli.owner.confirm", confirm)
    (draft,) = desk.says["held"]
    desk.says["held"] = (replace(draft, reason="scan"),)
    person += ["a"]
    magi("review")
    assert asked == ["review what waits", "send it although it may hold a secret"]
    assert desk.called("review")[1]["override"] is True


@pytest.mark.usefixtures("person")
def test_nothing_to_review_is_said(magi, desk):
    desk.says["held"] = ()
    assert magi("review") == (0, "", "magi: Nothing waits for you.\n")


@pytest.mark.usefixtures("person")
def test_a_review_for_programs_lists_and_sends_nothing(magi, desk):
    _, out, _ = magi("review", "--json")
    assert '"type": "held"' in out
    assert "review" not in desk.names()
    assert ASK.id not in out
