"""Logs: events in, safe lines out.

::

    structlog.get_logger().info("user.identified", client=sid, user=name)  ─┐
    libraries' own records (logging.getLogger(...))                        ─┴─> entry() ─> text or JSON ─> Outlet

Events are ``noun.past_participle`` with fields; what is known for the whole connection is bound once. Fields are masked
by their names, and everything is searched for patterns (``exchange.privacy``), so that no call needs to take care.
Of an error the line says class and place, not its text: that may quote a user.
"""

import atexit
import logging
import sys
import time
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

import structlog

from exchange.core.ids import short
from exchange.entropy import new_id
from exchange.logs.entry import LEVELS, Entry, entry
from exchange.logs.journal import Journal
from exchange.logs.outlet import Outlet

__all__ = ["Journal", "close", "configure", "incident"]

STDOUT = 1

_QUIET = {
    # Its access lines show paths with their queries (SEC-35).
    "uvicorn.access": logging.CRITICAL + 1,
    "uvicorn.error": logging.WARNING,
}

_outlet: Outlet | None = None


def configure(level: str, format: Literal["text", "json"], node: str, *, fd: int = STDOUT) -> None:  # noqa: A002
    """Send all logs of this process to standard output. May be called again; what waits is written first.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``: what is lower is not logged. Records of libraries are
            logged from ``warning`` on, whatever is set here: below it they show paths and content.
        format: ``text`` for lines as in MAGI-42, ``json`` for one object a line as in MAGI-39.
        node: Who speaks; its first eight characters are shown.
        fd: Where to write, for tests.
    """
    global _outlet  # noqa: PLW0603  # a process has one log
    close()
    pipeline = _Pipeline(short(node), format)
    _outlet = outlet = Outlet(fd, pipeline.dropped)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, pipeline],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_names: outlet,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Records(pipeline, outlet)]
    root.setLevel(max(threshold, logging.WARNING))
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)


def close() -> None:
    """Write what waits and stop logging to standard output; called at exit."""
    global _outlet  # noqa: PLW0603
    if _outlet is not None:
        _outlet.close()
        _outlet = None


atexit.register(close)


def incident() -> str:
    """Return a new short id that links a reply and a log line (SEC-37)."""
    return short(new_id())


class _Pipeline:
    """Renders events: the last step of structlog's chain."""

    def __init__(self, node: str, rendering: Literal["text", "json"]) -> None:
        self._node = node
        self._render = Entry.json if rendering == "json" else Entry.text

    def __call__(self, _logger: object, method: str, fields: MutableMapping[str, Any]) -> str:
        event = str(fields.pop("event", ""))
        at_ms = fields.pop("at_ms", None)
        return self.line(method, event, fields, at_ms if isinstance(at_ms, int) else None)

    def line(self, level: str, event: str, fields: Mapping[str, object], at_ms: int | None = None) -> str:
        """Render one event."""
        if fields.get("exc_info"):
            fields = {**fields, "exc_info": _error(fields["exc_info"])}
        time_ms = time.time_ns() // 1_000_000 if at_ms is None else at_ms
        return self._render(entry(time_ms, level, event, fields, self._node))

    def dropped(self, count: int) -> str:
        """Render that lines were lost."""
        return self.line("warning", "log.dropped", {"count": count})


class _Records(logging.Handler):
    """Takes the records of libraries into the same log."""

    def __init__(self, pipeline: _Pipeline, outlet: Outlet) -> None:
        super().__init__()
        self._pipeline = pipeline
        self._outlet = outlet

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  # whatever the arguments of a library do when they are printed
            message = str(record.msg)
        # What follows the first line is dumps of objects.
        message = message.partition("\n")[0]
        level = record.levelname.lower()
        fields = {"logger": record.name, "exc_info": record.exc_info}
        self._outlet.write(self._pipeline.line(level if level in LEVELS else "error", message, fields))


def _error(exc_info: object) -> BaseException | None:
    """Return the error that ``exc_info`` stands for: itself, a triple, or ``True`` for the one being handled."""
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    return exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1]
