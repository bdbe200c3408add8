"""Twin of ``magi/desk/limits.py``."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magi.desk.limits import (
    ANSWER_BYTES,
    CUT_MARK,
    OPEN_ASKS_MOST,
    RESPONDER_A_DAY_PER_FRIEND,
    AskLimit,
    Turn,
    ask_limit,
    cut_answer,
    responder_turn,
)


def turn(*, tries=0, running=0, running_for_friend=0, answered_in_a_day=0):
    return responder_turn(
        tries=tries, running=running, running_for_friend=running_for_friend, answered_in_a_day=answered_in_a_day
    )


@pytest.mark.parametrize(
    ("open_count", "said_before", "limit"),
    [
        (0, False, None),
        (OPEN_ASKS_MOST - 1, False, None),
        (OPEN_ASKS_MOST, False, AskLimit.OPEN),
        (OPEN_ASKS_MOST + 5, False, AskLimit.OPEN),
        (0, True, AskLimit.SAME),
        (OPEN_ASKS_MOST, True, AskLimit.SAME),
    ],
)
def test_twenty_asks_may_be_open_and_none_be_repeated(open_count, said_before, limit):
    assert ask_limit(open_count=open_count, said_before=said_before) is limit


@pytest.mark.parametrize("limit", AskLimit)
def test_a_limit_says_what_became_of_the_message(limit):
    assert limit.endswith("Nothing was sent.")


def test_the_responder_takes_a_question_when_it_is_free():
    assert turn() is Turn.NOW
    assert turn(tries=1, running=1, answered_in_a_day=RESPONDER_A_DAY_PER_FRIEND - 1) is Turn.NOW


@pytest.mark.parametrize("busy", [{"running": 2}, {"running": 1, "running_for_friend": 1}])
def test_a_busy_responder_takes_the_question_later(busy):
    assert turn(**busy) is Turn.LATER


@pytest.mark.parametrize("over", [{"tries": 2}, {"answered_in_a_day": RESPONDER_A_DAY_PER_FRIEND}])
def test_after_two_tries_or_fifty_answers_a_day_the_owner_is_asked_even_if_the_responder_is_busy(over):
    assert turn(**over) is Turn.OWNER
    assert turn(**over, running=2) is Turn.OWNER


def test_a_short_answer_is_kept_without_the_white_space_around_it():
    assert cut_answer(b"\n8.4, cluster mode\n") == "8.4, cluster mode"


def test_a_long_answer_is_cut_with_a_mark():
    text = cut_answer(b"a" * (ANSWER_BYTES + 1))
    assert text == "a" * (ANSWER_BYTES - len(CUT_MARK)) + CUT_MARK


def test_an_answer_of_just_the_length_is_whole():
    assert cut_answer(b"a" * ANSWER_BYTES) == "a" * ANSWER_BYTES


def test_bytes_that_are_no_text_cannot_make_an_answer_longer():
    assert len(cut_answer(b"\xff" * ANSWER_BYTES).encode()) <= ANSWER_BYTES


@given(st.binary(max_size=40), st.integers(ANSWER_BYTES - 8, ANSWER_BYTES + 8))
def test_no_answer_is_longer_than_allowed_and_no_character_is_torn(tail, length):
    text = cut_answer("é".encode() * (length // 2) + tail)
    assert len(text.encode()) <= ANSWER_BYTES
    assert not text or set(text[: ANSWER_BYTES // 4]) == {"é"}
