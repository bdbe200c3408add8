import tracemalloc

import pytest

from exchange.transports.frames import extent, flaw, is_control, is_utf8, text_frame
from tests.harness.raw_socket import CLOSE, CONT, PING, PONG, TEXT, frame


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65535, b"\x81\x7e\xff\xff"),
        (65536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_text_frames_have_the_shortest_header(size: int, head: bytes) -> None:
    assert text_frame(b"x" * size) == head + b"x" * size


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_extent_finds_the_end_of_a_frame(size: int) -> None:
    data = b"before" + frame(TEXT, b"x" * size) + b"behind"
    head, length = extent(data, 6)
    assert length == size
    assert 6 + head + length == len(data) - 6


def test_extent_knows_the_header_from_its_first_two_bytes() -> None:
    assert [extent(frame(TEXT, b"x" * size)[:2], 0)[0] for size in (1, 126, 65536)] == [6, 8, 14]


def test_good_headers_have_no_flaw() -> None:
    for opcode in (CONT, TEXT, PING, PONG, CLOSE):
        assert flaw(*frame(opcode)[:2]) == ""
    assert flaw(*frame(TEXT, fin=False)[:2]) == ""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (frame(TEXT, rsv=1), "reserved bits must be 0"),
        (frame(0x3), "invalid opcode"),
        (frame(TEXT, mask=None), "incorrect masking"),
        (frame(PING, fin=False), "fragmented control frame"),
        (frame(PING, b"x" * 126), "control frame too long"),
    ],
)
def test_flaws_are_named(data: bytes, words: str) -> None:
    assert flaw(data[0], data[1]) == words


def test_control_frames_are_told_from_data() -> None:
    assert [is_control(opcode) for opcode in (CONT, TEXT, PING, PONG, CLOSE)] == [False, False, True, True, True]


def test_utf8_is_checked_strictly() -> None:
    assert is_utf8(b"ascii")
    assert is_utf8("größer 😀".encode())
    assert not is_utf8(b"\xed\xa0\x80")


@pytest.mark.parametrize("at", range(6))
def test_utf8_is_checked_over_the_edges_of_pieces(at: int) -> None:
    piece = 64 * 1024
    message = b"x" * (piece - at) + "😀é".encode() + b"x" * (piece - 3) + "€".encode()
    assert is_utf8(message)
    assert not is_utf8(message[:-1])
    assert not is_utf8(b"x" * (piece - at) + b"\xf0\x9f\x98" + b"x" * piece)
    assert not is_utf8(message + b"x" * piece + b"\xff")


def test_checking_a_large_message_takes_little_memory() -> None:
    message = "😀".encode() * (1 << 18)
    tracemalloc.start()
    try:
        assert is_utf8(message)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < len(message) // 2
