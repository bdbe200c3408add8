"""How many frames of a socket are not wholly gone, told by its bytes alone (CORAL-23)."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.node.queue import Queue


def put(*sizes: int) -> Queue:
    queue = Queue()
    for size in sizes:
        queue.put(size)
    return queue


def test_an_empty_queue_has_nothing_waiting():
    assert Queue().waiting_count(0) == 0
    assert Queue().waiting_count(500) == 0, "these bytes are of something else"


def test_a_frame_counts_until_its_last_byte_is_gone():
    queue = put(100, 100)
    assert queue.waiting_count(204) == 2
    assert queue.waiting_count(103) == 2
    assert queue.waiting_count(102) == 1
    assert queue.waiting_count(1) == 1
    assert queue.waiting_count(0) == 0


def test_frames_without_a_payload_take_their_header():
    assert put(0, 0, 0).waiting_count(5) == 3
    assert put(0, 0, 0).waiting_count(4) == 2


def test_a_frame_that_was_gone_stays_gone():
    queue = put(10, 10)
    assert queue.waiting_count(0) == 0
    queue.put(10)
    assert queue.waiting_count(1000) == 1


@given(st.lists(st.sampled_from([0, 1, 125, 126, 65_535, 65_536, 100_000]), max_size=30), st.data())
def test_it_is_what_a_list_of_all_bytes_would_say(sizes, data):
    # RFC 6455 5.2: servers do not mask, and lengths take 0, 2 or 8 bytes more.
    lengths = [size + (2 if size <= 125 else 4 if size <= 65_535 else 10) for size in sizes]
    queue, sent, here = Queue(), [], 0
    for size, length in zip(sizes, lengths, strict=True):
        queue.put(size)
        sent.append(length)
        here = data.draw(st.integers(0, here + length))
        expected, later = 0, 0
        for one in reversed(sent):
            expected += later < here
            later += one
        assert queue.waiting_count(here) == expected
