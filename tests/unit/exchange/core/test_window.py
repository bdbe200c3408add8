"""What a session was given of its mailbox and has not acknowledged (DEL-37, DEL-39)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.core.ids import NOWHERE, order
from exchange.core.window import Window


def window(count_most: int = 4, bytes_most: int = 100, cursor: str = NOWHERE, last_known: str = NOWHERE) -> Window:
    return Window(epoch="1", cursor=cursor, last_known=last_known, count_most=count_most, bytes_most=bytes_most)


def test_mail_follows_if_it_names_the_newest_that_was_given_in_the_same_life_of_the_mailbox():
    one = window()
    assert one.follows("1", NOWHERE)
    one.give("5-0", 10)
    assert one.follows("1", "5-0")
    assert not one.follows("1", NOWHERE)
    assert not one.follows("2", "5-0")


def test_what_is_given_takes_room_until_it_is_acknowledged():
    one = window(count_most=2)
    one.give("5-0", 10)
    one.give("5-1", 10)
    assert (one.room_count, one.room_bytes, len(one)) == (0, 80, 2)
    assert one.ack("5-0") == 1
    assert (one.room_count, one.room_bytes, one.acked) == (1, 90, "5-0")


def test_a_window_full_of_bytes_has_no_room_for_more_but_takes_one_large_envelope():
    one = window(bytes_most=100)
    one.give("5-0", 1000)
    assert (one.room_count, one.room_bytes) == (0, 0)
    assert one.ack("5-0") == 1
    assert one.room_count == 4


def test_an_acknowledgement_is_cumulative_and_an_older_one_changes_nothing():
    one = window()
    for offset in ("5-0", "5-1", "6-0"):
        one.give(offset, 1)
    assert one.ack("6-0") == 3
    assert one.ack("5-1") == 0
    assert one.acked == "6-0"


def test_what_was_never_given_cannot_be_acknowledged():
    one = window(cursor="4-0", last_known="4-7")
    one.give("5-0", 1)
    assert one.ack("5-1") is None
    assert one.ack("6-0") is None
    assert len(one) == 1


def test_what_an_earlier_session_was_given_may_be_acknowledged_and_is_not_given_again():
    one = window(cursor="4-0", last_known="4-7")
    assert one.ack("4-5") == 0
    assert (one.acked, one.cursor) == ("4-5", "4-5")


def test_offsets_are_compared_as_numbers():
    one = window()
    one.give("9-9", 1)
    one.give("9-10", 1)
    one.give("10-0", 1)
    assert one.ack("9-10") == 2


def test_what_is_skipped_is_behind_the_cursor_and_takes_no_room():
    one = window()
    one.skip("7-0")
    assert (one.cursor, len(one), one.room_count) == ("7-0", 0, 4)
    assert one.follows("1", "7-0")


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 3)), max_size=40), st.data())
def test_the_window_holds_exactly_what_was_given_and_is_not_acknowledged(steps, data):
    one = window(count_most=1000, bytes_most=10_000)
    held: list[tuple[str, int]] = []
    moment = 0
    for size, acks in steps:
        moment += 1
        one.give(f"{moment}-0", size)
        held.append((f"{moment}-0", size))
        if acks == 0 and held:
            upto = data.draw(st.sampled_from([offset for offset, _ in held]))
            one.ack(upto)
            held = [kept for kept in held if order(kept[0]) > order(upto)]
        assert len(one) == len(held)
        assert one.room_bytes == 10_000 - sum(size for _, size in held)


def test_an_offset_that_is_none_is_refused():
    with pytest.raises(ValueError):
        window().ack("soon")
