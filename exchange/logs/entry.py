"""One line of the log: an event that was made safe to show, and its two renderings (MAGI-39, MAGI-42).

::

    event and fields -> Entry -> text()  🔌 [08:15:30.123] INFO: New WebSocket connection • ID:k3zq7d2m • From:remote
                              -> json()  {"timestamp": ..., "level": ..., "message": ..., "context": {...}, ...}

``SHAPES`` gives the events that MAGI-42 names their icon, text and keys; they show nothing else. Every other event shows
its name and all its fields under a neutral icon.
"""

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath
from traceback import walk_tb
from types import TracebackType

from exchange.privacy import described, plain, scrubbed, shown

_FIELDS_COUNT = 20
_FRAMES_COUNT = 4
_NICK = "Nick"
"""The one key that the text line shows as ``(J)``."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How one event looks. ``keys`` are label, field and what follows its value; a field that is missing is left out."""

    icon: str
    text: str
    keys: tuple[tuple[str, str, str], ...]


def _keys(**fields: str) -> tuple[tuple[str, str, str], ...]:
    return tuple((label, field, "") for label, field in fields.items())


_FORWARDED = (("From", "sender", ""), ("To", "recipient", ""), ("Length", "characters", "chars"))

SHAPES: dict[str, Shape] = {
    "connection.opened": Shape("🔌", "New WebSocket connection", _keys(ID="client", From="address", Wire="wire")),
    "user.identified": Shape("👤", "User identified", _keys(ID="client", User="user", Nick="nick")),
    "invite.created": Shape("🎫", "Invitation created", _keys(Code="code", User="user")),
    "users.connected": Shape("🤝", "Users connected", _keys(Conn="connection", User1="user1", User2="user2")),
    "question.forwarded": Shape("❓", "Question forwarded", _FORWARDED),
    "answer.forwarded": Shape("💬", "Answer forwarded", _FORWARDED),
    "questions.forwarded": Shape("❓", "Questions forwarded", _keys(Count="count", Note="note")),
    "answers.forwarded": Shape("💬", "Answers forwarded", _keys(Count="count", Note="note")),
    "connection.closed": Shape(
        "👋", "Client disconnected", _keys(ID="client", User="user", Reason="reason", Wire="wire")
    ),
}

LEVELS = {
    "debug": "DEBUG",
    "info": "INFO",
    "warning": "WARN",
    "error": "ERROR",
    "critical": "ERROR",
}
"""Our level words by those of the logging libraries."""

_ICONS = {"DEBUG": "🔍", "INFO": "🔹", "WARN": "🔶", "ERROR": "🔴"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A line. Everything in it may be shown to anybody; ``time_ms`` is the wall clock of this process."""

    time_ms: int
    level: str
    icon: str
    message: str
    context: dict[str, str]
    node: str

    @property
    def timestamp(self) -> str:
        """The time of day in UTC: ``HH:MM:SS.mmm``."""
        seconds, ms = divmod(self.time_ms % 86_400_000, 1000)
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"

    def text(self) -> str:
        """Render for people, in one line."""
        line = f"{self.icon} [{self.timestamp}] {self.level}: {self.message}"
        for key, value in self.context.items():
            line += f" • ({value})" if key == _NICK else f" • {key}:{value}"
        return line

    def json(self) -> str:
        """Render for machines, in one line."""
        fields = {
            "timestamp": self.timestamp,
            "level": self.level,
            "message": f"{self.icon} {self.message}",
            "context": self.context,
            "time": self.time_ms,
            "node": self.node,
        }
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def entry(time_ms: int, level: str, event: str, fields: Mapping[str, object], node: str) -> Entry:
    """Make the line of an event. ``level`` is a key of ``LEVELS``; ``exc_info`` among the fields is an error."""
    word = LEVELS.get(level, "ERROR")
    shape = SHAPES.get(event)
    if shape is None:
        context = dict(islice(_all(fields), _FIELDS_COUNT))
        return Entry(time_ms, word, _ICONS[word], scrubbed(event), context, node)
    context = {
        label: shown(field, fields[field]) + tail for label, field, tail in shape.keys if fields.get(field) is not None
    }
    return Entry(time_ms, word, shape.icon, shape.text, context, node)


def _all(fields: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    error = fields.get("exc_info")
    if isinstance(error, BaseException):
        first = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
        cause = first or error.__cause__
        yield "error", described(error)
        if cause is not None:
            yield "cause", described(cause)
        # Where a group was raised says nothing.
        yield "at", plain(_trail((first or error).__traceback__))
    for field, value in fields.items():
        if field != "exc_info":
            yield plain(field), shown(field, value)


def _trail(traceback: TracebackType | None) -> str:
    """Return where an error came from, innermost first: ``lane.py:88 send < hub.py:40 woken``."""
    frames = deque(walk_tb(traceback), maxlen=_FRAMES_COUNT)
    return " < ".join(
        f"{PurePath(frame.f_code.co_filename).name}:{line} {frame.f_code.co_name}" for frame, line in reversed(frames)
    )
