"""Writes TOML: what ``tomllib`` reads from the result is what was written. Comments are not kept."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def written(table: Mapping[str, object]) -> str:
    """Return a document for a table of strings, numbers, booleans, dates, times, lists and tables.

    Raises:
        TypeError: Something in it is of another type.
    """
    return "\n".join(_lines(table, ()))


def _lines(table: Mapping[str, object], path: tuple[str, ...]) -> list[str]:
    """Return the lines of a table: its values first, since after a header everything belongs to that table."""
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    values = [f"{_key(key)} = {_value(value)}" for key, value in table.items() if key not in tables]
    header = [f"[{'.'.join(map(_key, path))}]"] if path and (values or not tables) else []
    lines = [*header, *values, ""] if header or values else []
    for key, inner in tables.items():
        lines += _lines(inner, (*path, key))
    return lines


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: object) -> str:
    match value:
        case bool():
            text = "true" if value else "false"
        case int():
            text = str(value)
        case float():
            text = _number(value)
        case str():
            text = _text(value)
        case datetime() | date() | time():
            text = value.isoformat()
        case Mapping():
            text = "{" + ", ".join(f"{_key(key)} = {_value(inner)}" for key, inner in value.items()) + "}"
        case Sequence():
            text = "[" + ", ".join(_value(one) for one in value) + "]"
        case _:
            raise TypeError(f"TOML has no {type(value).__name__}")
    return text


def _number(value: float) -> str:
    if math.isnan(value):
        return "nan"
    text = repr(value)
    return text if "." in text or "inf" in text or "e" not in text else text.replace("e", ".0e")


def _text(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(char) or _plain(char) for char in text) + '"'


def _plain(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x20 or ord(char) == 0x7F else char
