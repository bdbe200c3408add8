"""Twin of ``magi/wire/strict.py``."""

import pytest

from magi.wire.strict import text_of, too_deep


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
