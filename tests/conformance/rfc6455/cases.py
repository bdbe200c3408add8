"""What a client may send (RFC 6455), right or wrong, and what must come back. Cases are data; ``test_rfc6455`` runs them.

The node echoes messages as text, says ``oversized`` for one above ``MESSAGE_BYTES`` and closes with 1009 above
``OUTER_BYTES``. ``OPEN`` means that the socket still works afterwards, ``EOF`` that TCP ends without a close frame, a number
that the node sends a close frame with this code (1005: with none) and then ends TCP.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.harness.raw_socket import BINARY, CLOSE, CONT, PING, PONG, TEXT, Frame, close_payload, frame
from tests.harness.socket_server import RULES

OPEN, EOF = "open", "eof"
MESSAGE_BYTES, OUTER_BYTES = RULES.message_bytes, RULES.outer_bytes
OVERSIZED = Frame(TEXT, b"oversized")


@dataclass(frozen=True)
class Case:
    """``chunks`` are sent one after another, ``back`` and then ``end`` must come."""

    name: str
    chunks: tuple[bytes, ...]
    back: tuple[Frame, ...] = ()
    end: str | int = OPEN
    half_close: bool = False


def echo(payload: bytes) -> Frame:
    return Frame(TEXT, payload)


def cont(payload: bytes = b"", *, fin: bool = False) -> bytes:
    return frame(CONT, payload, fin=fin)


def in_bytes(data: bytes) -> tuple[bytes, ...]:
    return tuple(data[i : i + 1] for i in range(len(data)))


def lengths() -> Iterator[Case]:
    for size in (0, 1, 125, 126, 127, 128, 65535, 65536, 65537):
        payload = b"x" * size
        yield Case(f"text_of_{size}_bytes", (frame(TEXT, payload),), (echo(payload),))
        yield Case(f"binary_of_{size}_bytes_is_treated_as_text", (frame(BINARY, payload),), (echo(payload),))
    for size in (0, 1, 4, 124, 125):
        payload = bytes(range(size))
        yield Case(f"ping_of_{size}_bytes", (frame(PING, payload),), (Frame(PONG, payload),))
        yield Case(f"unasked_pong_of_{size}_bytes_is_ignored", (frame(PONG, payload),))
    for size, width in ((0, 2), (125, 2), (0, 8), (125, 8), (126, 8), (65535, 8)):
        payload = b"y" * size
        sent = (frame(TEXT, payload, width=width),)
        yield Case(f"{size}_bytes_with_a_length_of_{width}_bytes_are_tolerated", sent, (echo(payload),))
    for length, name in ((1 << 63, "highest_bit_set"), (1 << 62, "absurd"), ((1 << 64) - 1, "all_ones")):
        yield Case(f"length_of_64_bits_{name}", (frame(TEXT, length=length, width=8),), end=1009)


def headers() -> Iterator[Case]:
    names = {CONT: "continuation", TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}
    for rsv in range(1, 8):
        yield Case(f"reserved_bits_{rsv:03b}_on_text", (frame(TEXT, b"x", rsv=rsv),), end=1002)
    for opcode in (CONT, BINARY, CLOSE, PING, PONG):
        yield Case(f"reserved_bit_on_{names[opcode]}", (frame(opcode, b"", rsv=4),), end=1002)
    yield Case("reserved_bit_is_refused_before_the_payload_came", (frame(TEXT, rsv=4, length=60_000),), end=1002)
    for opcode in (0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF):
        yield Case(f"reserved_opcode_{opcode:x}", (frame(opcode),), end=1002)
        yield Case(f"reserved_opcode_{opcode:x}_with_payload_behind_text",
                   (frame(TEXT, b"a") + frame(opcode, b"x"),), (echo(b"a"),), end=1002)  # fmt: skip
    for opcode, name in names.items():
        yield Case(f"unmasked_{name}", (frame(opcode, b"", mask=None),), end=1002)
    yield Case("unmasked_text_with_payload", (frame(TEXT, b"hello", mask=None),), end=1002)
    yield Case("unmasked_long_text", (frame(TEXT, b"x" * 300, mask=None),), end=1002)
    yield Case("unmasked_text_behind_masked_text", (frame(TEXT, b"a") + frame(TEXT, b"b", mask=None),),
               (echo(b"a"),), end=1002)  # fmt: skip
    for mask, name in ((bytes(4), "zero"), (b"\xff" * 4, "ones"), (b"\x00\x01\x02\x03", "counting")):
        yield Case(f"mask_of_{name}", (frame(TEXT, b"hello, world", mask=mask),), (echo(b"hello, world"),))
    yield Case("mask_equal_to_payload", (frame(TEXT, b"mask", mask=b"mask"),), (echo(b"mask"),))
    yield Case("masks_differ_from_frame_to_frame",
               (frame(TEXT, b"one", mask=b"abcd") + frame(TEXT, b"two", mask=b"efgh"),),
               (echo(b"one"), echo(b"two")))  # fmt: skip


def fragments() -> Iterator[Case]:
    first = frame(TEXT, b"ab", fin=False)
    yield Case("two_fragments", (first + cont(b"cd", fin=True),), (echo(b"abcd"),))
    yield Case("three_fragments", (first + cont(b"cd") + cont(b"ef", fin=True),), (echo(b"abcdef"),))
    yield Case("fragments_in_packets_of_their_own", (first, cont(b"cd"), cont(b"ef", fin=True)), (echo(b"abcdef"),))
    yield Case("binary_fragments", (frame(BINARY, b"\xff", fin=False) + cont(b"\xfe", fin=True),), (echo(b"\xff\xfe"),))
    yield Case("first_fragment_empty", (frame(TEXT, fin=False) + cont(b"cd", fin=True),), (echo(b"cd"),))
    yield Case("middle_fragment_empty", (first + cont() + cont(b"ef", fin=True),), (echo(b"abef"),))
    yield Case("last_fragment_empty", (first + cont(fin=True),), (echo(b"ab"),))
    yield Case("all_fragments_empty", (frame(TEXT, fin=False) + cont() * 3 + cont(fin=True),), (echo(b""),))
    single = frame(TEXT, b"a", fin=False) + cont(b"a") * 998 + cont(b"a", fin=True)
    yield Case("thousand_fragments_of_one_byte", (single,), (echo(b"a" * 1000),))
    yield Case("hundred_fragments_in_as_many_packets",
               (frame(TEXT, b"a", fin=False), *([cont(b"a")] * 98), cont(b"a", fin=True)),
               (echo(b"a" * 100),))  # fmt: skip
    yield Case("large_fragments", (frame(TEXT, b"a" * 30_000, fin=False) + cont(b"b" * 30_000, fin=True),),
               (echo(b"a" * 30_000 + b"b" * 30_000),))  # fmt: skip
    yield Case("two_fragmented_messages", ((first + cont(b"c", fin=True)) * 2,), (echo(b"abc"), echo(b"abc")))
    yield Case("text_behind_fragments", (first + cont(b"c", fin=True) + frame(TEXT, b"d"),), (echo(b"abc"), echo(b"d")))
    ping, pong = frame(PING, b"p"), Frame(PONG, b"p")
    yield Case("ping_between_fragments", (first + ping + cont(b"c", fin=True),), (pong, echo(b"abc")))
    yield Case("pong_between_fragments", (first + frame(PONG, b"q") + cont(b"c", fin=True),), (echo(b"abc"),))
    yield Case("pings_behind_every_fragment", (first + ping + cont(b"c") + ping * 2 + cont(b"d", fin=True),),
               (pong, pong, pong, echo(b"abcd")))  # fmt: skip
    yield Case("ping_is_answered_before_its_message_is_whole", (first + ping,), (pong,), end=EOF, half_close=True)

    yield Case("continuation_of_nothing", (cont(b"x"),), end=1002)
    yield Case("final_continuation_of_nothing", (cont(b"x", fin=True),), end=1002)
    yield Case("continuation_behind_text", (frame(TEXT, b"a") + cont(b"x", fin=True),), (echo(b"a"),), end=1002)
    yield Case("continuation_behind_whole_fragments", (first + cont(fin=True) + cont(b"x"),), (echo(b"ab"),), end=1002)
    yield Case("text_inside_fragments", (first + frame(TEXT, b"x"),), end=1002)
    yield Case("fragmented_text_inside_fragments", (first + frame(TEXT, b"x", fin=False),), end=1002)
    yield Case("binary_inside_fragments", (first + frame(BINARY, b"x"),), end=1002)
    yield Case("close_inside_fragments", (first + frame(CLOSE, close_payload(1000)),), end=1002)


def control_frames() -> Iterator[Case]:
    for opcode, name in ((PING, "ping"), (PONG, "pong"), (CLOSE, "close")):
        yield Case(f"fragmented_{name}", (frame(opcode, fin=False),), end=1002)
        yield Case(f"{name}_of_126_bytes", (frame(opcode, b"\x03\xe8" + b"x" * 124),), end=1002)
        yield Case(f"{name}_of_65536_bytes_is_refused_by_its_header", (frame(opcode, length=65536),), end=1002)
    yield Case("fragmented_ping_inside_fragments", (frame(TEXT, b"a", fin=False) + frame(PING, fin=False),), end=1002)
    yield Case("ping_payload_need_not_be_utf8", (frame(PING, b"\xff\xfe"),), (Frame(PONG, b"\xff\xfe"),))
    yield Case("ten_pings_in_one_packet", (b"".join(frame(PING, bytes([i])) for i in range(10)),),
               tuple(Frame(PONG, bytes([i])) for i in range(10)))  # fmt: skip
    yield Case("messages_and_pings_are_answered_in_order",
               (frame(TEXT, b"a") + frame(PING, b"b") + frame(BINARY, b"c") + frame(PING, b"d") + frame(TEXT, b"e"),),
               (echo(b"a"), Frame(PONG, b"b"), echo(b"c"), Frame(PONG, b"d"), echo(b"e")))  # fmt: skip


VALID_UTF8 = {
    "greek": "κόσμε".encode(),
    "nul": b"\x00",
    "del": b"\x7f",
    "first_of_two_bytes": "\u0080".encode(),
    "last_of_two_bytes": "\u07ff".encode(),
    "first_of_three_bytes": "\u0800".encode(),
    "before_surrogates": "\ud7ff".encode(),
    "behind_surrogates": "\ue000".encode(),
    "byte_order_mark": "\ufeff".encode(),
    "noncharacter": "\uffff".encode(),
    "first_of_four_bytes": "\U00010000".encode(),
    "emoji": "😀👩‍💻".encode(),
    "last_of_all": "\U0010ffff".encode(),
}
INVALID_UTF8 = {
    "lone_continuation": b"\x80",
    "lone_last_continuation": b"\xbf",
    "overlong_slash": b"\xc0\xaf",
    "overlong_nul": b"\xc0\x80",
    "overlong_two": b"\xc1\xbf",
    "overlong_three": b"\xe0\x9f\xbf",
    "overlong_four": b"\xf0\x8f\xbf\xbf",
    "first_surrogate": b"\xed\xa0\x80",
    "last_surrogate": b"\xed\xbf\xbf",
    "surrogate_pair": b"\xed\xa0\xbd\xed\xb8\x80",
    "above_unicode": b"\xf4\x90\x80\x80",
    "lead_f5": b"\xf5\x80\x80\x80",
    "five_bytes": b"\xf8\x88\x80\x80\x80",
    "fe": b"\xfe",
    "ff": b"\xff",
    "cut_two": b"\xc3",
    "cut_three": b"\xe2\x82",
    "cut_four": b"\xf0\x9f\x98",
    "latin_1": "é".encode("latin-1"),
}


def text() -> Iterator[Case]:
    for name, payload in VALID_UTF8.items():
        whole = b"<" + payload + b">"
        yield Case(f"utf8_{name}", (frame(TEXT, whole),), (echo(whole),))
        if len(payload) > 1:
            pieces = frame(TEXT, payload[:1], fin=False) + cont(payload[1:], fin=True)
            yield Case(f"utf8_{name}_split_by_fragments", (pieces,), (echo(payload),))
    for name, payload in INVALID_UTF8.items():
        yield Case(f"not_utf8_{name}", (frame(TEXT, payload),), end=1007)
        yield Case(f"not_utf8_{name}_in_the_middle", (frame(TEXT, b"before " + payload + b" behind"),), end=1007)
        pieces = frame(TEXT, b"good", fin=False) + cont(payload, fin=True)
        yield Case(f"not_utf8_{name}_in_the_last_fragment", (pieces,), end=1007)
    yield Case("not_utf8_in_the_first_fragment", (frame(TEXT, b"\xff", fin=False) + cont(b"a", fin=True),), end=1007)
    yield Case("not_utf8_at_the_end_of_a_long_text", (frame(TEXT, b"x" * 60_000 + b"\xc3"),), end=1007)
    yield Case("not_utf8_behind_good_text", (frame(TEXT, b"a") + frame(TEXT, b"\xff"),), (echo(b"a"),), end=1007)
    yield Case("character_split_over_two_messages", (frame(TEXT, b"\xc3") + frame(TEXT, b"\xa9"),), end=1007)
    yield Case("nothing_is_read_behind_bad_text", (frame(TEXT, b"\xff") + frame(TEXT, b"a"),), end=1007)
    yield Case("binary_need_not_be_utf8", (frame(BINARY, b"\xff\xfe\x80"),), (echo(b"\xff\xfe\x80"),))


def closing() -> Iterator[Case]:
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
        yield Case(f"close_{code}_is_answered", (frame(CLOSE, close_payload(code)),), end=code)
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        yield Case(f"close_{code}_is_refused", (frame(CLOSE, close_payload(code)),), end=1002)
    yield Case("close_without_code", (frame(CLOSE),), end=1005)
    yield Case("close_of_one_byte", (frame(CLOSE, b"\x03"),), end=1002)
    yield Case("close_with_reason", (frame(CLOSE, close_payload(1000, "schön".encode())),), end=1000)
    yield Case("close_with_longest_reason", (frame(CLOSE, close_payload(1000, b"r" * 123)),), end=1000)
    yield Case("close_with_too_long_reason", (frame(CLOSE, close_payload(1000, b"r" * 124)),), end=1002)
    yield Case("close_with_bad_reason", (frame(CLOSE, close_payload(1000, b"\xff")),), end=1007)
    yield Case("close_with_cut_reason", (frame(CLOSE, close_payload(1000, b"\xe2\x82")),), end=1007)
    bye = frame(CLOSE, close_payload(1000))
    yield Case("close_behind_text", (frame(TEXT, b"a") + bye,), (echo(b"a"),), end=1000)
    yield Case("text_behind_close_is_dropped", (bye + frame(TEXT, b"a"),), end=1000)
    yield Case("ping_behind_close_is_dropped", (bye + frame(PING, b"a"),), end=1000)
    yield Case("close_behind_close_is_dropped", (bye + frame(CLOSE, close_payload(1001)),), end=1000)
    yield Case("rubbish_behind_close_is_dropped", (bye + b"\xff" * 100,), end=1000)
    yield Case("rubbish_behind_an_error_is_dropped", (frame(0x3) + b"\xff" * 100_000,), end=1002)
    yield Case("end_of_tcp_at_rest", (), end=EOF, half_close=True)
    yield Case("end_of_tcp_behind_text", (frame(TEXT, b"a"),), (echo(b"a"),), end=EOF, half_close=True)
    yield Case("end_of_tcp_inside_a_header", (b"\x81",), end=EOF, half_close=True)
    yield Case("end_of_tcp_inside_a_length", (b"\x81\xff\x00\x00",), end=EOF, half_close=True)
    yield Case("end_of_tcp_inside_a_payload", (frame(TEXT, b"hello")[:-1],), end=EOF, half_close=True)
    yield Case("end_of_tcp_inside_fragments", (frame(TEXT, b"a", fin=False),), end=EOF, half_close=True)


def packets() -> Iterator[Case]:
    many = tuple(f"message {i}".encode() for i in range(100))
    yield Case("hundred_messages_in_one_packet", (b"".join(frame(TEXT, m) for m in many),), tuple(map(echo, many)))
    sent = frame(TEXT, b"a") + frame(BINARY, b"b") + frame(TEXT, b"c", fin=False) + cont(b"d", fin=True)
    yield Case("every_kind_of_message_in_one_packet", (sent,), (echo(b"a"), echo(b"b"), echo(b"cd")))
    for name, message in (("short", b"short"), ("middle", b"m" * 130), ("empty", b"")):
        yield Case(f"{name}_text_byte_by_byte", in_bytes(frame(TEXT, message)), (echo(message),))
        yield Case(f"{name}_binary_byte_by_byte", in_bytes(frame(BINARY, message)), (echo(message),))
    yield Case("wide_length_byte_by_byte", in_bytes(frame(TEXT, b"wide", width=8)), (echo(b"wide"),))
    yield Case("ping_byte_by_byte", in_bytes(frame(PING, b"ping")), (Frame(PONG, b"ping"),))
    pieces = frame(TEXT, b"a", fin=False) + frame(PING) + cont(b"b", fin=True)
    yield Case("fragments_and_ping_byte_by_byte", in_bytes(pieces), (Frame(PONG, b""), echo(b"ab")))
    yield Case("close_byte_by_byte", in_bytes(frame(CLOSE, close_payload(1000, b"bye"))), end=1000)
    yield Case("bad_header_byte_by_byte", in_bytes(frame(0x3)), end=1002)
    big = frame(TEXT, b"z" * 65536)
    yield Case(
        "large_text_in_pieces", tuple(big[i : i + 1000] for i in range(0, len(big), 1000)), (echo(b"z" * 65536),)
    )
    two = frame(TEXT, b"one") + frame(TEXT, b"two")
    yield Case("packet_ends_inside_the_second_frame", (two[:12], two[12:]), (echo(b"one"), echo(b"two")))


def sizes() -> Iterator[Case]:
    for name, size, back, end in (
        ("at_the_limit", MESSAGE_BYTES, echo(b"s" * MESSAGE_BYTES), OPEN),
        ("above_the_limit", MESSAGE_BYTES + 1, OVERSIZED, OPEN),
        ("at_the_outer_limit", OUTER_BYTES, OVERSIZED, OPEN),
        ("above_the_outer_limit", OUTER_BYTES + 1, None, 1009),
    ):
        payload, expected = b"s" * size, (back,) if back else ()
        half = size // 2
        yield Case(f"text_{name}", (frame(TEXT, payload),), expected, end)
        yield Case(f"binary_{name}", (frame(BINARY, payload),), expected, end)
        pieces = frame(TEXT, payload[:half], fin=False) + cont(payload[half:], fin=True)
        yield Case(f"fragments_{name}", (pieces,), expected, end)
    yield Case("size_is_refused_before_the_payload_came", (frame(TEXT, length=OUTER_BYTES + 1),), end=1009)
    yield Case("sum_is_refused_before_the_payload_came",
               (frame(TEXT, b"s" * OUTER_BYTES, fin=False) + frame(CONT, length=1),), end=1009)  # fmt: skip
    yield Case("ping_inside_a_message_at_the_outer_limit",
               (frame(TEXT, b"s" * OUTER_BYTES, fin=False) + frame(PING, b"p" * 125) + cont(fin=True),),
               (Frame(PONG, b"p" * 125), OVERSIZED))  # fmt: skip
    yield Case("text_behind_an_oversized_one", (frame(TEXT, b"s" * (MESSAGE_BYTES + 1)) + frame(TEXT, b"a"),),
               (OVERSIZED, echo(b"a")))  # fmt: skip
    yield Case("oversized_text_need_not_be_utf8", (frame(TEXT, b"\xff" * (MESSAGE_BYTES + 1)),), (OVERSIZED,))


CASES: tuple[Case, ...] = (
    *lengths(),
    *headers(),
    *fragments(),
    *control_frames(),
    *text(),
    *closing(),
    *packets(),
    *sizes(),
)
