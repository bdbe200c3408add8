"""Checks of a whole JSON message before a parser sees it.

A frame that is handed on must not break the connection of whoever receives it. So all of it is checked, also the parts
that are forwarded unread: UTF-8 in every byte, nesting no deeper than a modest recursive parser survives, and no number
that becomes infinite.
"""

import math
import re
from typing import Final

from magi.wire.limits import JSON_DEPTH

_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")


def _nested(depth: int) -> bytes:
    pattern = b""
    for _ in range(depth):
        pattern = rb"(?:\[" + pattern + rb"\])*+"
    return pattern


# Possessive, so it never goes back: one look at each bracket, however they nest.
_NESTED: Final = re.compile(_nested(JSON_DEPTH))

# Without an exponent of three digits, or very many digits before it, no number is infinite.
_SHAPE: Final = bytes.maketrans(b"E123456789", b"e000000000")
_LARGE: Final = b"e000"
_LONG: Final = b"0" * 200
_NUMBER: Final = re.compile(rb"[0-9][0-9.eE+-]{4,}+")  # the shortest that is infinite is 2e308


def text_of(data: bytes) -> str | None:
    """Decode a message, or return ``None`` if any byte of it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def bare(data: bytes) -> bytes:
    r"""Return what of a JSON text stands outside its strings. Of other texts, as much as a parser reads is right.

    Without ``\\`` and then ``\"`` every quote that is left begins or ends a string. Three passes of the C library are
    several times as fast as one regular expression.
    """
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(data.split(b'"')[::2])


def too_deep(data: bytes) -> bool:
    """Tell whether arrays and objects nest deeper than ``JSON_DEPTH``. Takes a whole message, or what is bare of it.

    Messages with few brackets, which is nearly all of them, cost two counts. Many brackets that do not pair count as too
    deep; such a text is not JSON anyway.
    """
    if data.count(b"[") + data.count(b"{") <= JSON_DEPTH:
        return False
    return _NESTED.fullmatch(bare(data).translate(_ONE_KIND, _NOT_BRACKETS)) is None


def too_large(text: bytes) -> bool:
    """Tell whether a number is beyond the range of a double: parsers make infinity of it, or refuse it.

    Takes what is bare of a message that is JSON. All but a few messages cost a look at their digits.
    """
    shape = text.translate(_SHAPE, b"+")
    if _LARGE not in shape and _LONG not in shape:
        return False
    return math.inf in map(float, _NUMBER.findall(text))
