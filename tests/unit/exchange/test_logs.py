"""The pipeline as a whole: what reaches standard output."""

import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from exchange import logs


class Output:
    """Configures the log into a pipe and reads what came out."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._seen = b""
        self._reader = threading.Thread(target=self._run, daemon=True)
        self._reader.start()

    def _run(self) -> None:
        while data := os.read(self._read, 65536):
            self._seen += data

    def configure(self, level: str = "info", rendering: Literal["text", "json"] = "text") -> None:
        logs.configure(level, rendering, "k3zq7d2mabcdefgh", fd=self._write)

    def lines(self) -> list[str]:
        """End the log and return all its lines, without their times."""
        logs.close()
        os.close(self._write)
        self._reader.join(10)
        os.close(self._read)
        self._write = -1
        return [re.sub(r"\[\d\d:\d\d:\d\d\.\d{3}\]", "[T]", line) for line in self._seen.decode().splitlines()]

    def close(self) -> None:
        if self._write >= 0:
            self.lines()


@pytest.fixture
def output() -> Iterator[Output]:
    """A log of its own; the process's logging is as before afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in ("uvicorn.error", "uvicorn.access")}
    output = Output()
    try:
        yield output
    finally:
        output.close()
        root.handlers[:] = handlers
        root.setLevel(level)
        for name, was in levels.items():
            logging.getLogger(name).setLevel(was)
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()


def test_an_event_comes_out_masked_as_one_line(output: Output) -> None:
    log = structlog.get_logger("a.module")
    output.configure()
    log.info("user.identified", client="k3zq7d2mabcdefgh", user="john@example.com", nick="john")
    assert output.lines() == ["👤 [T] INFO: User identified • ID:k3zq7d2m • User:j***@example.com • (J)"]


def test_what_was_bound_once_is_in_every_event(output: Output) -> None:
    output.configure()
    log = structlog.get_logger().bind(client="abcdefghijkl")
    log.info("connection.opened", address="10.0.0.1")
    log.warning("session.paused", reason="backlog")
    assert output.lines() == [
        "🔌 [T] INFO: New WebSocket connection • ID:abcdefgh • From:private",
        "🔶 [T] WARN: session.paused • client:abcdefgh • reason:backlog",
    ]


def test_context_variables_are_fields(output: Output) -> None:
    output.configure()
    with structlog.contextvars.bound_contextvars(incident="abc"):
        structlog.get_logger().info("job.done")
    assert output.lines() == ["🔹 [T] INFO: job.done • incident:abc"]


def test_json_is_one_object_a_line(output: Output) -> None:
    output.configure(rendering="json")
    structlog.get_logger().error("lane.failed", content="hello", at_ms=1_700_000_000_123)
    structlog.get_logger().info("lane.opened")
    first, second = map(json.loads, output.lines())
    assert first == {
        "timestamp": "22:13:20.123",
        "level": "ERROR",
        "message": "🔴 lane.failed",
        "context": {"content": "***"},
        "time": 1_700_000_000_123,
        "node": "k3zq7d2m",
    }
    assert set(second) == set(first)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("INFO", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_below_the_level_is_not_logged(output: Output, level: str, expected: list[str]) -> None:
    output.configure(level)
    log = structlog.get_logger()
    for method in ("debug", "info", "warning", "error"):
        getattr(log, method)(method)
    assert [line.rpartition(" ")[2] for line in output.lines()] == expected


def test_an_exception_is_one_line_with_its_place_and_without_its_text(output: Output) -> None:
    output.configure()
    log = structlog.get_logger()
    error = ValueError("given away by john")
    try:
        raise error
    except ValueError:
        log.exception("socket.failed", incident="abc")
    log.error("socket.failed", exc_info=error)
    log.error("socket.failed", exc_info=(ValueError, error, error.__traceback__))
    lines = output.lines()
    assert len(lines) == 3
    for line in lines:
        assert re.search(r"socket\.failed • error:ValueError • at:test_logs\.py:\d+ test_an_exception", line)
        assert "john" not in line
    assert lines[0].endswith("• incident:abc")


def test_asking_for_an_exception_where_there_is_none_is_harmless(output: Output) -> None:
    output.configure()
    structlog.get_logger().exception("socket.failed")
    assert output.lines() == ["🔴 [T] ERROR: socket.failed"]


def test_records_of_libraries_come_out_through_the_same_masks(output: Output) -> None:
    output.configure()
    logging.getLogger("asyncio").error("Task failed for %s\nfuture: <Task john>", "john@example.com")
    logging.getLogger("h11").critical("bad")
    assert output.lines() == [
        "🔴 [T] ERROR: Task failed for j***@example.com • logger:asyncio",
        "🔴 [T] ERROR: bad • logger:h11",
    ]


def test_a_library_is_never_logged_below_warning_because_it_shows_content_there(output: Output) -> None:
    output.configure("debug")
    logging.getLogger("websockets.server").debug("< TEXT 'private content'")
    logging.getLogger("uvicorn.error").info('("10.0.0.1", 1) - "WebSocket /?token=secret" [accepted]')
    logging.getLogger("uvicorn.access").critical("GET /?token=secret")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    assert output.lines() == ["🔶 [T] WARN: Invalid HTTP request received. • logger:uvicorn.error"]


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def test_a_record_that_cannot_be_printed_is_logged_without_its_arguments(output: Output) -> None:
    output.configure()
    logging.getLogger("x").error("hello %s", Hostile())
    logging.getLogger("x").error("hello %d", "secret")
    assert output.lines() == ["🔴 [T] ERROR: hello %s • logger:x", "🔴 [T] ERROR: hello %d • logger:x"]


def test_a_value_that_cannot_be_printed_is_logged_by_its_type(output: Output) -> None:
    output.configure()
    structlog.get_logger().info("thing.seen", thing=Hostile())
    assert output.lines() == ["🔹 [T] INFO: thing.seen • thing:Hostile"]


def test_configuring_again_changes_the_rendering_of_existing_loggers(output: Output) -> None:
    log = structlog.get_logger()
    output.configure()
    log.info("first.done")
    output.configure(rendering="json")
    log.info("second.done")
    first, second = output.lines()
    assert first == "🔹 [T] INFO: first.done"
    assert json.loads(second)["message"] == "🔹 second.done"


def test_logging_after_the_end_is_harmless(output: Output) -> None:
    output.configure()
    log = structlog.get_logger()
    log.info("one.done")
    assert len(output.lines()) == 1
    log.info("two.done")


def test_what_was_logged_last_comes_out_when_the_program_ends() -> None:
    program = (
        "import structlog; from exchange import logs; logs.configure('info', 'text', 'main');"
        "structlog.get_logger().info('program.ended'); raise SystemExit(3)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30, check=False)
    assert ended.returncode == 3
    assert b"INFO: program.ended\n" in ended.stdout
    assert ended.stderr == b""


def test_incidents_are_short_and_differ() -> None:
    assert len({logs.incident() for _ in range(100)}) == 100
    assert all(re.fullmatch(r"[a-z2-7]{8}", logs.incident()) for _ in range(100))
