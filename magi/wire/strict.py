"""Checks of a whole JSON message before a parser sees it.

A frame that is handed on must not break the connection of whoever receives it. So all of it is checked, also the parts
that are forwarded unread: UTF-8 in every byte, and nesting no deeper than a modest recursive parser survives.
"""

import re

from magi.wire.limits import JSON_DEPTH

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def text_of(data: bytes) -> str | None:
    """Decode a message, or return ``None`` if any byte of it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def too_deep(data: bytes, depth: int = JSON_DEPTH) -> bool:
    """Tell whether arrays and objects nest deeper than ``depth``.

    Messages with few brackets, which is nearly all of them, cost two counts. The others lose their strings, then one
    layer of innermost pairs a pass, so the work is bounded by ``depth`` passes over the brackets. Brackets that do not
    pair count as too deep; such a text is not JSON anyway.
    """
    if data.count(b"[") + data.count(b"{") <= depth:
        return False
    brackets = _STRINGS.sub(b"", data).translate(_ONE_KIND, _NOT_BRACKETS)
    for _ in range(depth):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
