"""One line of the log and its renderings."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.logs.entry import LEVELS, SHAPES, Entry, entry
from exchange.privacy import MOST

AT_MS = 1_700_000_000_000 + 123  # 22:13:20.123 UTC
SID = "k3zq7d2mabcdefghijklmnopqr"

LINES = [
    (
        "connection.opened",
        {"client": SID, "address": "8.8.8.8"},
        "🔌 [22:13:20.123] INFO: New WebSocket connection • ID:k3zq7d2m • From:remote",
    ),
    (
        "user.identified",
        {"client": SID, "user": "john@example.com", "nick": "john"},
        "👤 [22:13:20.123] INFO: User identified • ID:k3zq7d2m • User:j***@example.com • (J)",
    ),
    (
        "invite.created",
        {"client": SID, "code": "ABC123", "user": "john@example.com"},
        "🎫 [22:13:20.123] INFO: Invitation created • Code:AB**** • User:j***@example.com",
    ),
    (
        "users.connected",
        {"connection": SID, "user1": "john", "user2": "jane"},
        "🤝 [22:13:20.123] INFO: Users connected • Conn:k3zq7d2m • User1:j*** • User2:j***",
    ),
    (
        "question.forwarded",
        {"sender": "john", "recipient": "jane", "characters": 142},
        "❓ [22:13:20.123] INFO: Question forwarded • From:j*** • To:j*** • Length:142chars",
    ),
    (
        "answer.forwarded",
        {"sender": "jane", "recipient": "john", "characters": 89},
        "💬 [22:13:20.123] INFO: Answer forwarded • From:j*** • To:j*** • Length:89chars",
    ),
    (
        "questions.forwarded",
        {"count": 38211, "note": "rate"},
        "❓ [22:13:20.123] INFO: Questions forwarded • Count:38211 • Note:rate",
    ),
    (
        "answers.forwarded",
        {"count": 1, "note": "rate"},
        "💬 [22:13:20.123] INFO: Answers forwarded • Count:1 • Note:rate",
    ),
    (
        "connection.closed",
        {"client": SID, "user": "john", "reason": "idle"},
        "👋 [22:13:20.123] INFO: Client disconnected • ID:k3zq7d2m • User:j*** • Reason:idle",
    ),
]


@pytest.mark.parametrize(("event", "fields", "line"), LINES, ids=lambda value: value if isinstance(value, str) else "")
def test_an_event_of_the_wire_looks_as_its_clause_says(event: str, fields: dict[str, object], line: str) -> None:
    assert entry(AT_MS, "info", event, fields, "node").text() == line


def test_every_event_with_a_shape_is_proved_here() -> None:
    assert {event for event, _, _ in LINES} == set(SHAPES)


def test_a_field_that_is_missing_is_left_out() -> None:
    line = entry(AT_MS, "info", "connection.closed", {"client": SID, "user": None}, "node").text()
    assert line == "👋 [22:13:20.123] INFO: Client disconnected • ID:k3zq7d2m"


def test_another_event_shows_its_name_and_all_fields_under_a_neutral_icon() -> None:
    line = entry(AT_MS, "warning", "lane.rebuilt", {"lane": "main", "seconds": 1.5}, "node").text()
    assert line == "🔶 [22:13:20.123] WARN: lane.rebuilt • lane:main • seconds:1.5"


def test_the_same_event_as_json_has_the_fields_of_the_log_api() -> None:
    one = entry(AT_MS, "info", "user.identified", {"client": SID, "user": "john", "nick": "John"}, "k3zq7d2m")
    assert json.loads(one.json()) == {
        "timestamp": "22:13:20.123",
        "level": "INFO",
        "message": "👤 User identified",
        "context": {"ID": "k3zq7d2m", "User": "j***", "Nick": "J"},
        "time": AT_MS,
        "node": "k3zq7d2m",
    }


@pytest.mark.parametrize(("method", "word"), [*LEVELS.items(), ("unheard", "ERROR")])
def test_every_level_has_a_word(method: str, word: str) -> None:
    assert entry(AT_MS, method, "x", {}, "").level == word


def fails() -> None:
    try:
        raise KeyError("john")
    except KeyError as error:
        raise ValueError("jane said hello") from error


def test_an_error_is_shown_by_class_cause_and_place_without_its_text() -> None:
    with pytest.raises(ValueError, match="jane") as caught:
        fails()
    line = entry(AT_MS, "error", "socket.failed", {"exc_info": caught.value}, "node").text()
    assert re.search(r"• error:ValueError • cause:KeyError • at:test_entry\.py:\d+ fails < test_entry\.py:\d+ ", line)
    assert "jane" not in line
    assert "john" not in line


def test_of_a_group_of_errors_the_first_is_shown_with_its_place() -> None:
    with pytest.raises(ValueError, match="jane") as caught:
        fails()
    group = ExceptionGroup("john", [caught.value, KeyError("x")])
    context = entry(AT_MS, "error", "x", {"exc_info": group}, "").context
    assert (context["error"], context["cause"]) == ("ExceptionGroup", "ValueError")
    assert re.match(r"test_entry\.py:\d+ fails", context["at"])


def test_an_entry_has_a_bounded_number_of_fields() -> None:
    assert len(entry(AT_MS, "info", "x", {f"field{number}": 1 for number in range(1000)}, "").context) == 20


WILD = st.text(alphabet="ab@.:•\r\n\x1b\x00\u2028\u202e\ud800{}% ", max_size=400)


@given(
    event=st.one_of(st.sampled_from(sorted(SHAPES)), WILD),
    fields=st.dictionaries(st.one_of(st.sampled_from(["user", "address", "reason", "client"]), WILD), WILD),
)
def test_whatever_is_logged_is_one_line_of_bounded_safe_parts(event: str, fields: dict[str, object]) -> None:
    one = entry(AT_MS, "info", event, fields, "node")
    for rendered in (one.text(), one.json()):
        assert rendered.isprintable()
        rendered.encode()
    for key, value in one.context.items():
        assert max(len(key), len(value)) <= MOST
        assert "•" not in key + value
    assert one.text().count(" • ") == len(one.context)
    assert json.loads(one.json())["context"] == one.context


def test_the_time_of_day_is_utc_whatever_the_date() -> None:
    assert Entry(86_399_999, "INFO", "", "", {}, "").timestamp == "23:59:59.999"
    assert Entry(86_400_000, "INFO", "", "", {}, "").timestamp == "00:00:00.000"
