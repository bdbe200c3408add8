"""Twin of ``magi/wire/strict.py``."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magi.wire.strict import bare, text_of, too_deep, too_large

STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text('a"\\[]{}/\né', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('k"\\[{', max_size=3), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize("data", [b"", b"plain", "ümläut 👩‍💻".encode()])
def test_utf8_is_decoded(data):
    assert text_of(data) == data.decode()


@pytest.mark.parametrize("data", [b"\xff", b"ok\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf"])
def test_other_bytes_are_refused(data):
    assert text_of(data) is None


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_is_exact(opening, closing):
    nested = lambda depth: opening * depth + b"1" + closing * depth  # noqa: E731
    assert not too_deep(nested(64))
    assert too_deep(nested(65))


def test_mixed_brackets_count_as_one_kind():
    assert not too_deep(b'[{"a":' * 32 + b"1" + b"}]" * 32)
    assert too_deep(b'[{"a":' * 33 + b"1" + b"}]" * 33)


def test_many_shallow_brackets_are_fine():
    assert not too_deep(b"[" + b"[],{}," * 1000 + b"[]]")


def test_brackets_in_strings_do_not_count():
    assert not too_deep(b'{"content":"' + b"[" * 500 + b'\\"' + b"{" * 500 + b'"}')


def test_unpaired_brackets_count_as_too_deep():
    assert too_deep(b"]" + b"[" * 65)


@given(JSON, st.booleans())
def test_what_is_bare_of_a_message_is_what_stands_outside_its_strings(value, ascii_only):
    data = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert bare(data) == STRING.sub(b"", data)
    assert bare(bare(data)) == bare(data)


@pytest.mark.parametrize(
    ("data", "left"),
    [
        (rb'["\\",1]', b"[,1]"),
        (rb'["\"",1]', b"[,1]"),
        (rb'["\\\"[",1]', b"[,1]"),
        (rb'["[\\\\","{"]', b"[,]"),
        (b'["1', b"["),
    ],
)
def test_escapes_do_not_end_a_string(data, left):
    assert bare(data) == left


@pytest.mark.parametrize("width", [1, 2, 500])
def test_siblings_do_not_add_to_the_depth(width):
    assert not too_deep(b"[" * 63 + b",".join([b"{}"] * width) + b"]" * 63)
    assert too_deep(b"[" * 63 + b",".join([b"{}"] * width) + b",[[]]" + b"]" * 63)


@pytest.mark.parametrize(
    "number",
    [
        "1e309",
        "1E309",
        "-1e+309",
        "1.8e308",
        "2e0308",
        "0.1e310",
        "9" * 309,
        f"-{'9' * 400}.5",
        f"{'1' * 250}e99",
        "1e" + "9" * 99,
    ],
)
def test_a_number_beyond_a_double_is_too_large(number):
    assert too_large(number.encode())
    assert too_large(f"[1,{{:{number}}}]".encode())


@pytest.mark.parametrize(
    "number",
    [
        *(
            "0",
            "-1",
            "1.5",
            "1e308",
            "1.7976931348623157e308",
            "1E+308",
            "9" * 308,
            "1e-999",
            "0e999",
            "0." + "1" * 999,
        ),
        *("12345678901234567890123456789", "1e0001", "5e-324", "1700000000000"),
    ],
)
def test_every_number_a_double_can_come_near_to_is_none(number):
    assert not too_large(number.encode())
    assert not too_large(f"[{number},{{:true}}]".encode())


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,320})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,4})?", fullmatch=True))
def test_too_large_is_what_becomes_infinite(number):
    assert too_large(number.encode()) == (float(number) in {float("inf"), float("-inf")})
