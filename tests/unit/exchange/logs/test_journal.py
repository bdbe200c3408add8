"""The log of forwarded messages."""

import math
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from exchange.core.model import Kind
from exchange.logs.journal import Journal


@pytest.fixture
def events() -> Iterator[list[dict[str, object]]]:
    with capture_logs() as entries:
        yield entries
    structlog.reset_defaults()


def test_a_message_gets_a_line_with_its_own_time(events: list, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.25)
    journal = Journal(per_second_count=10)
    journal.forwarded(Kind.QUESTION, "john", "jane", 142)
    journal.forwarded(2, "jane", "john", 89)
    assert events == []
    journal.flush(1.0)
    assert events == [
        {
            "event": "question.forwarded",
            "sender": "john",
            "recipient": "jane",
            "characters": 142,
            "at_ms": 1_700_000_000_250,
            "log_level": "info",
        },
        {
            "event": "answer.forwarded",
            "sender": "jane",
            "recipient": "john",
            "characters": 89,
            "at_ms": 1_700_000_000_250,
            "log_level": "info",
        },
    ]


def test_a_second_has_a_bounded_number_of_lines_and_one_more_a_kind_for_the_rest(events: list) -> None:
    journal = Journal(per_second_count=3)
    journal.flush(100.0)
    for tick in range(5):
        for _ in range(100):
            journal.forwarded(Kind.QUESTION, "john", "jane", 1)
            journal.forwarded(Kind.ANSWER, "jane", "john", 1)
        journal.flush(100.0 + tick * 0.2)
    assert len(events) == 3
    journal.flush(101.0)
    assert [(event["event"], event["count"], event["note"]) for event in events[3:]] == [
        ("questions.forwarded", 498, "rate"),
        ("answers.forwarded", 499, "rate"),
    ]
    journal.flush(102.0)
    assert len(events) == 5


def test_the_next_second_has_lines_again(events: list) -> None:
    journal = Journal(per_second_count=1)
    for second in range(3):
        journal.forwarded(Kind.QUESTION, "john", "jane", second)
        journal.flush(float(second))
    assert [event["characters"] for event in events] == [0, 1, 2]


def test_with_no_lines_allowed_everything_is_counted(events: list) -> None:
    journal = Journal(per_second_count=0)
    journal.forwarded(Kind.ANSWER, "john", "jane", 1)
    journal.flush(1.0)
    assert [(event["event"], event["count"]) for event in events] == [("answers.forwarded", 1)]


def test_the_last_flush_leaves_nothing_uncounted(events: list) -> None:
    journal = Journal(per_second_count=1)
    journal.flush(5.0)
    for _ in range(4):
        journal.forwarded(Kind.QUESTION, "john", "jane", 1)
    journal.flush(math.inf)
    assert [event.get("count", 1) for event in events] == [1, 3]


def test_memory_is_bounded_when_nobody_flushes() -> None:
    journal = Journal(per_second_count=100)
    for _ in range(10_000):
        journal.forwarded(Kind.QUESTION, "john", "jane", 1)
    assert len(journal._kept) == 100
