import logging
import tracemalloc

from exchange.transports.codec import LOGGER, Codec, Verdict
from tests.harness.raw_socket import BINARY, CLOSE, CONT, PING, TEXT, close_payload, frame

MOST = 100


def test_fragments_become_one_message() -> None:
    codec = Codec(MOST)
    assert codec.take(frame(TEXT, b"ab", fin=False)) is None
    assert codec.inside
    assert codec.held_bytes == 2
    assert codec.take(frame(CONT, b"c")) == b"abc"
    assert not codec.inside
    assert codec.held_bytes == 0


def test_messages_are_bytes() -> None:
    assert type(Codec(MOST).take(frame(BINARY, b"\xff"))) is bytes


def test_bad_text_is_told_from_bad_binary() -> None:
    assert Codec(MOST).take(frame(TEXT, b"\xff")) is Verdict.NOT_UTF8
    assert Codec(MOST).take(frame(BINARY, b"\xff")) == b"\xff"


def test_a_message_above_the_limit_is_counted_and_not_kept() -> None:
    codec = Codec(MOST)
    codec.take(frame(TEXT, b"x" * 60, fin=False))
    codec.take(frame(CONT, b"x" * 60, fin=False))
    assert codec.held_bytes == 120
    assert codec._parts == b""
    assert codec.take(frame(CONT, b"x")) is Verdict.OVERSIZED
    assert codec.take(frame(BINARY, b"next")) == b"next"


def test_a_flood_of_small_fragments_needs_no_more_memory_than_the_limit() -> None:
    codec = Codec(16 * 1024)
    first, more = frame(TEXT, b"x", fin=False), frame(CONT, b"x", fin=False)
    tracemalloc.start()
    try:
        codec.take(first)
        for _ in range(30_000):
            codec.take(more)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 * 1024


def test_a_ping_is_answered() -> None:
    codec = Codec(MOST)
    assert codec.take(frame(PING, b"p")) is None
    assert codec.output() == [b"\x8a\x01p"]


def test_the_peers_close_is_answered_and_ends_our_half() -> None:
    codec = Codec(MOST)
    codec.take(frame(CLOSE, close_payload(1000)))
    assert codec.output() == [b"\x88\x02\x03\xe8", b""]
    assert not codec.broken


def test_our_close_waits_for_the_answer() -> None:
    codec = Codec(MOST)
    codec.close(1001, "bye")
    assert codec.output() == [b"\x88\x05\x03\xe9bye"]
    codec.take(frame(CLOSE, close_payload(1001)))
    assert codec.output() == [b""]


def test_broken_rules_end_the_dialogue() -> None:
    codec = Codec(MOST)
    codec.take(frame(CONT, b"x"))
    assert codec.broken
    close, end = codec.output()
    assert close[2:4] == b"\x03\xea"
    assert end == b""


def test_failing_behind_our_close_says_no_second_close() -> None:
    codec = Codec(MOST)
    codec.close(1000, "")
    codec.output()
    codec.fail(1002, "late")
    assert codec.output() == [b""]


def test_frames_are_never_logged() -> None:
    assert not LOGGER.isEnabledFor(logging.INFO)


def test_a_wider_limit_does_not_bring_back_what_was_dropped() -> None:
    codec = Codec(100)
    codec.take(frame(TEXT, b"x" * 101, fin=False))
    codec.message_bytes = 1000
    codec.take(frame(CONT, b"y" * 10, fin=False))
    assert codec.take(frame(CONT)) is Verdict.OVERSIZED
    assert codec.take(frame(BINARY, b"z" * 1000)) == b"z" * 1000


def test_a_limit_counts_for_the_message_that_has_begun() -> None:
    codec = Codec(100)
    codec.take(frame(TEXT, b"x" * 60, fin=False))
    codec.message_bytes = 1000
    assert codec.take(frame(CONT, b"y" * 60)) == b"x" * 60 + b"y" * 60
    codec.take(frame(TEXT, b"x" * 60, fin=False))
    codec.message_bytes = 50
    assert codec.take(frame(CONT)) is Verdict.OVERSIZED
