"""Twin of ``magi/desk/loops.py``."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magi.client.model import Kind, Origin, Trace
from magi.desk.loops import MARKS_MOST, STARTING, TURNS_MOST, Loop, extended, incoming, mark, outgoing

ALICE, BOB, CAROL = b"a" * 32, b"b" * 32, b"c" * 32
MACHINES = pytest.mark.parametrize("origin", [Origin.MODEL, Origin.AUTO])


def asked(parent, secret, origin=Origin.MODEL, fresh_id="fresh"):
    """Return the trace of an ask that is sent, or why it is not."""
    trace = extended(parent, origin, secret=secret, fresh_id=fresh_id)
    return outgoing(trace, secret=secret) or trace


def test_only_asks_start_anything():
    assert set(Kind) - STARTING >= {Kind.ANSWER, Kind.DECLINE, Kind.NOTE, Kind.STATE, Kind.NOTICE, Kind.FOREIGN}
    assert Kind.ASK in STARTING


def test_a_mark_is_eight_bytes_and_differs_by_daemon_and_by_trace():
    marks = {mark(secret, id_) for secret in (ALICE, BOB) for id_ in ("t", "u")}
    assert len(marks) == 4
    assert all(len(bytes.fromhex(one)) == 8 for one in marks)


@given(st.text())
def test_any_trace_id_of_a_friend_can_be_marked(trace_id):
    assert mark(ALICE, trace_id) == mark(ALICE, trace_id)


def test_half_of_a_surrogate_pair_as_trace_id_can_be_marked():
    assert len(mark(ALICE, "\ud800")) == 16


def test_a_person_begins_a_trace_without_a_turn():
    assert asked(None, ALICE, Origin.HUMAN, "t") == Trace("t", (mark(ALICE, "t"),), 0)


@MACHINES
def test_a_machine_that_asks_of_nothing_begins_a_trace_with_one_turn(origin):
    assert asked(None, ALICE, origin, "t") == Trace("t", (mark(ALICE, "t"),), 1)


def test_a_question_that_comes_back_is_refused():
    first = asked(None, ALICE, Origin.HUMAN, "t")
    second = asked(first, BOB)
    third = asked(second, CAROL)
    assert third == Trace("t", tuple(mark(one, "t") for one in (ALICE, BOB, CAROL)), 2)
    assert incoming(second, secret=CAROL) is None
    assert incoming(third, secret=ALICE) is Loop.RETURNED
    assert incoming(third, secret=BOB) is Loop.RETURNED


def test_a_question_that_came_back_unseen_is_refused_on_sending():
    back = asked(asked(None, ALICE, Origin.HUMAN, "t"), BOB)
    assert asked(back, ALICE) is Loop.RETURNED


def test_a_person_ends_a_loop():
    back = asked(asked(None, ALICE, Origin.HUMAN, "t"), BOB)
    assert asked(back, ALICE, Origin.HUMAN, "new") == Trace("new", (mark(ALICE, "new"),), 0)


def test_two_asks_that_come_of_one_question_are_both_sent():
    question = asked(None, ALICE, Origin.HUMAN, "t")
    assert isinstance(asked(question, BOB), Trace)
    assert asked(question, BOB) == asked(question, BOB)


def test_a_dialogue_goes_on_until_the_turns_are_used_up():
    trace = asked(None, ALICE, Origin.HUMAN, "t")
    for turn in range(1, TURNS_MOST + 1):
        trace = asked(trace, ALICE)
        assert trace == Trace("t", (mark(ALICE, "t"),), turn)
        assert incoming(trace, secret=BOB) is None
    assert asked(trace, ALICE) is Loop.LONG


def test_a_question_goes_through_four_assistants_and_no_fifth():
    trace = None
    for number in range(MARKS_MOST):
        trace = asked(trace, bytes([number]) * 32)
        assert incoming(trace, secret=CAROL) is None
    assert asked(trace, CAROL) is Loop.FAR


@pytest.mark.parametrize(
    ("trace", "loop"),
    [
        (Trace("t", ("m",) * (MARKS_MOST + 1), 0), Loop.FAR),
        (Trace("t", (), TURNS_MOST + 1), Loop.LONG),
        (Trace("t", (), -1), Loop.LONG),
        (Trace("t", ("m",) * MARKS_MOST, TURNS_MOST), None),
        (Trace(), None),
    ],
)
def test_what_comes_is_judged_by_marks_and_turns(trace, loop):
    assert incoming(trace, secret=ALICE) is loop


def test_a_question_of_a_plain_friend_starts_a_trace_here():
    assert asked(Trace(), BOB, fresh_id="t") == Trace("t", (mark(BOB, "t"),), 1)


@MACHINES
@given(turn=st.integers(-5, 20))
def test_no_count_of_a_friend_gives_a_machine_a_turn_of_its_own(origin, turn):
    trace = extended(Trace("t", ("m",), turn), origin, secret=ALICE, fresh_id="fresh")
    assert trace.turn == max(turn, 0) + 1


@given(st.text(), st.lists(st.text(), max_size=8), st.integers(-2, 12), st.sampled_from(Origin))
def test_what_is_sent_carries_our_mark_last_and_only_once(trace_id, marks, turn, origin):
    trace = extended(Trace(trace_id, tuple(marks), turn), origin, secret=ALICE, fresh_id="fresh")
    ours = mark(ALICE, trace.id)
    assert trace.id
    assert trace.marks[-1] == ours
    if outgoing(trace, secret=ALICE) is None:
        assert trace.marks.count(ours) == 1
        assert incoming(trace, secret=ALICE) is Loop.RETURNED
        assert incoming(trace, secret=BOB) is None
