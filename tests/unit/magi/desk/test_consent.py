"""Twin of ``magi/desk/consent.py``."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magi.client.model import Kind, Origin
from magi.desk.consent import (
    RIGHTS,
    RULES,
    SPOKEN,
    THREAD_MS,
    Act,
    Approval,
    Grant,
    Move,
    Reason,
    Standing,
    Verdict,
    changing,
    grant,
    may,
    pausing,
    reviewed,
    sees,
    speaker,
    standing,
    verdict,
)
from magi.desk.ports import Mode


def every(*choices):
    return list(product(*choices))


YES_NO = (False, True)
EVERYTHING = every(SPOKEN, Mode, Origin, YES_NO, YES_NO, YES_NO)
MACHINES = (Origin.MODEL, Origin.AUTO)
GENEROSITY = {Move.REFUSE: 0, Move.HOLD: 1, Move.SEND: 2}
HEIGHTS = [Mode.MUTE, Mode.ASK, Mode.AUTO]


def decided(kind=Kind.ANSWER, mode=Mode.ASK, origin=Origin.MODEL, *, allowed=False, paused=False, leaks=False):
    return verdict(kind, mode, origin, allowed=allowed, paused=paused, leaks=leaks)


def test_there_is_a_rule_for_everything_that_can_be_said():
    assert set(RULES) == set(product((Kind.ANSWER, Kind.DECLINE, Kind.ASK, Kind.NOTE), Standing, Origin))


def test_there_is_a_right_for_every_act():
    assert set(RIGHTS) == set(Act)


@pytest.mark.parametrize(("kind", "mode", "origin", "allowed", "paused", "leaks"), EVERYTHING)
def test_every_verdict_is_for_the_audit_or_has_a_reason(kind, mode, origin, allowed, paused, leaks):
    found = decided(kind, mode, origin, allowed=allowed, paused=paused, leaks=leaks)
    assert (found.reason is None) == (found.move is Move.SEND) == bool(found.by and found.how)


@pytest.mark.parametrize(
    ("mode", "model", "responder"),
    [
        (Mode.ASK, Verdict(Move.HOLD, Reason.MODE), Verdict(Move.HOLD, Reason.MODE)),
        (Mode.AUTO, Verdict(Move.SEND, by="mode", how="auto"), Verdict(Move.SEND, by="responder", how="auto")),
        (Mode.MUTE, Verdict(Move.REFUSE, Reason.MODE), Verdict(Move.REFUSE, Reason.MODE)),
    ],
)
@pytest.mark.parametrize("kind", [Kind.ANSWER, Kind.DECLINE])
def test_modes_do_what_cli_33_says(kind, mode, model, responder):
    assert decided(kind, mode) == model
    assert decided(kind, mode, Origin.AUTO) == responder


@pytest.mark.parametrize(("kind", "mode", "paused"), every(SPOKEN, Mode, YES_NO))
def test_the_owner_may_say_anything_to_anybody(kind, mode, paused):
    assert decided(kind, mode, Origin.HUMAN, paused=paused) == Verdict(Move.SEND, by="owner", how="typed")


@pytest.mark.parametrize(("kind", "mode", "origin", "allowed", "paused"), every(SPOKEN, Mode, Origin, YES_NO, YES_NO))
def test_nothing_with_a_secret_in_it_leaves_whoever_says_it(kind, mode, origin, allowed, paused):
    found = decided(kind, mode, origin, allowed=allowed, paused=paused, leaks=True)
    assert found.move is not Move.SEND
    assert found.reason is Reason.SCAN or found.move is Move.REFUSE


@pytest.mark.parametrize(
    ("kind", "mode", "origin", "allowed"), every((Kind.ANSWER, Kind.DECLINE), Mode, MACHINES, YES_NO)
)
def test_during_a_pause_no_machine_answers_by_itself(kind, mode, origin, allowed):
    assert decided(kind, mode, origin, allowed=allowed, paused=True).move is not Move.SEND


@pytest.mark.parametrize(("kind", "mode", "origin", "allowed", "leaks"), every(SPOKEN, Mode, Origin, YES_NO, YES_NO))
def test_a_pause_never_gives_a_right(kind, mode, origin, allowed, leaks):
    before = decided(kind, mode, origin, allowed=allowed, leaks=leaks)
    after = decided(kind, mode, origin, allowed=allowed, leaks=leaks, paused=True)
    assert GENEROSITY[after.move] <= GENEROSITY[before.move]


def test_what_a_pause_holds_says_so():
    assert decided(mode=Mode.AUTO, paused=True) == Verdict(Move.HOLD, Reason.PAUSED)
    assert decided(Kind.ASK, paused=True) == Verdict(Move.HOLD, Reason.PAUSED)


def test_an_approval_lets_answers_leave_and_the_audit_says_so():
    assert decided(allowed=True) == Verdict(Move.SEND, by="mode", how="approval")
    assert decided(origin=Origin.AUTO, allowed=True) == Verdict(Move.SEND, by="responder", how="approval")


@pytest.mark.parametrize(("origin", "paused"), every(Origin, YES_NO))
def test_an_approval_does_not_reach_a_muted_friend(origin, paused):
    assert standing(Mode.MUTE, allowed=True, paused=paused) is Standing.MUTE


@pytest.mark.parametrize(("kind", "mode", "allowed"), every((Kind.ASK, Kind.NOTE), Mode, YES_NO))
def test_the_responder_never_asks_anything(kind, mode, allowed):
    assert decided(kind, mode, Origin.AUTO, allowed=allowed).move is Move.REFUSE


@pytest.mark.parametrize("kind", [Kind.ASK, Kind.NOTE])
def test_an_assistant_may_ask_a_friend_but_not_a_muted_one(kind):
    assert decided(kind) == Verdict(Move.SEND, by="mode", how="ask")
    assert decided(kind, Mode.MUTE).move is Move.REFUSE


def test_a_review_sends_and_only_an_override_sends_a_secret():
    assert reviewed(leaks=False, override=False) == Verdict(Move.SEND, by="owner", how="review")
    assert reviewed(leaks=True, override=False) == Verdict(Move.HOLD, Reason.SCAN)
    assert reviewed(leaks=True, override=True) == Verdict(Move.SEND, by="owner", how="override")
    assert reviewed(leaks=False, override=True).how == "review"


@pytest.mark.parametrize(("mode", "origin"), every(Mode, Origin))
def test_words_of_a_muted_friend_are_shown_to_the_owner_only(mode, origin):
    assert sees(mode, origin) is (mode is not Mode.MUTE or origin is Origin.HUMAN)


# --- approvals -------------------------------------------------------------------------------------------------------

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=2)))


def test_an_approval_of_one_answer_leaves_nothing_behind():
    assert grant(Approval.ONCE, thread="t", now=NOON) is None


def test_an_approval_of_a_thread_covers_that_thread_only():
    assert grant(Approval.THREAD, thread="t", now=NOON) == Grant(
        until_ms=int(NOON.timestamp() * 1000) + THREAD_MS, thread="t"
    )


def test_an_approval_of_no_thread_does_not_cover_everything():
    assert grant(Approval.THREAD, thread="", now=NOON) is None


def test_an_approval_for_today_ends_at_the_owners_midnight():
    assert grant(Approval.TODAY, thread="t", now=NOON) == Grant(
        until_ms=int(datetime(2026, 11, 21, 22, tzinfo=UTC).timestamp() * 1000)
    )


@given(st.datetimes(timezones=st.just(UTC), max_value=datetime(9000, 1, 1)))
def test_an_approval_for_today_ends_after_now_and_within_a_day(now):
    until_ms = grant(Approval.TODAY, thread="", now=now).until_ms
    assert 0 < until_ms - int(now.timestamp() * 1000) <= 24 * 3600 * 1000 + 1


def test_an_approval_for_good_is_the_mode_auto():
    assert grant(Approval.ALWAYS, thread="t", now=NOON) == Grant(mode=Mode.AUTO)


# --- everything else -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act", [Act.REVIEW, Act.RAISE_MODE, Act.VERIFY, Act.SET_RESPONDER, Act.RESUME, Act.UNBLOCK, Act.RENAME]
)
def test_what_gives_rights_is_the_owners(act):
    assert may(act, Origin.HUMAN)
    assert not any(may(act, machine) for machine in MACHINES)


@pytest.mark.parametrize("act", [Act.LOWER_MODE, Act.PAUSE, Act.BLOCK, Act.UNFRIEND])
def test_an_assistant_may_take_rights_away(act):
    assert may(act, Origin.MODEL)


@pytest.mark.parametrize("act", Act)
def test_the_owner_may_do_everything_and_the_responder_nothing(act):
    assert may(act, Origin.HUMAN)
    assert not may(act, Origin.AUTO)


@pytest.mark.parametrize("face", ["mcp", "hook", "listen", "", "CLI", "cli "])
@pytest.mark.parametrize("origin", ["human", "model", "auto", "owner", ""])
def test_no_face_of_an_assistant_speaks_for_the_owner(face, origin):
    assert speaker(face, origin) is Origin.MODEL


def test_a_person_at_the_command_line_is_the_owner_and_nobody_is_the_responder():
    assert speaker("cli", "human") is Origin.HUMAN
    assert speaker("cli", "model") is Origin.MODEL
    assert speaker("cli", "auto") is Origin.MODEL


@pytest.mark.parametrize(("old", "new"), every(Mode, Mode))
def test_an_assistant_never_ends_with_a_higher_mode(old, new):
    assert may(changing(old, new), Origin.MODEL) is (HEIGHTS.index(new) <= HEIGHTS.index(old))


@pytest.mark.parametrize(
    ("until_ms", "paused", "act"),
    [
        (5, False, Act.PAUSE),
        (-1, False, Act.PAUSE),
        (0, False, Act.RESUME),
        (0, True, Act.RESUME),
        (5, True, Act.RESUME),
    ],
)
def test_a_pause_that_could_end_another_one_counts_as_resuming(until_ms, paused, act):
    assert pausing(until_ms, paused=paused) is act
