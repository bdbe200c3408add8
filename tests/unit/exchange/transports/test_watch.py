from typing import Any

import pytest

from exchange.front import SocketRules
from exchange.transports.watch import Due, Watch

RULES = SocketRules(message_bytes=1, outer_bytes=1)
QUIET: dict[str, Any] = {"heard": False, "busy": False, "paused": False, "written_bytes": 0, "waiting_bytes": 0}


def rules(**changes: float) -> SocketRules:
    """Rules with nothing on but what is named."""
    off = {"ping_seconds": 0.0, "silence_seconds": 0.0, "stall_seconds": 0.0, "idle_seconds": 0.0}
    return SocketRules(message_bytes=1, outer_bytes=1, **{**off, **changes})  # type: ignore[arg-type]


def look(watch: Watch, now: float, **facts: Any) -> Due | None:
    return watch.look(now, **{**QUIET, **facts})


def test_pings_are_due_at_their_distance() -> None:
    watch = Watch(rules(ping_seconds=20.0), 100.0)
    assert [now for now in range(100, 170) if look(watch, now) is Due.PING] == [120, 140, 160]


def test_a_paused_peer_is_pinged_when_it_is_read_again() -> None:
    watch = Watch(rules(ping_seconds=20.0), 0.0)
    assert look(watch, 50.0, paused=True) is None
    assert look(watch, 51.0) is Due.PING
    assert look(watch, 52.0) is None


def test_a_peer_that_says_nothing_is_silent() -> None:
    watch = Watch(rules(silence_seconds=30.0), 0.0)
    assert look(watch, 10.0, heard=True) is None
    assert look(watch, 39.0) is None
    assert look(watch, 40.0) is Due.SILENT


def test_paused_time_is_not_silence() -> None:
    watch = Watch(rules(silence_seconds=30.0), 0.0)
    assert look(watch, 100.0, paused=True) is None
    assert look(watch, 129.0) is None
    assert look(watch, 130.0) is Due.SILENT


def test_a_peer_that_takes_nothing_is_stalled() -> None:
    watch = Watch(rules(stall_seconds=30.0), 0.0)
    assert look(watch, 1.0, written_bytes=100, waiting_bytes=100) is None
    assert look(watch, 20.0, written_bytes=200, waiting_bytes=200) is None
    assert look(watch, 30.0, written_bytes=300, waiting_bytes=300) is Due.STALLED


def test_one_byte_taken_is_progress() -> None:
    watch = Watch(rules(stall_seconds=30.0), 0.0)
    assert look(watch, 29.0, written_bytes=100, waiting_bytes=99) is None
    assert look(watch, 58.0, written_bytes=100, waiting_bytes=99) is None
    assert look(watch, 59.0, written_bytes=100, waiting_bytes=99) is Due.STALLED


def test_progress_is_seen_although_more_is_written() -> None:
    watch = Watch(rules(stall_seconds=30.0), 0.0)
    assert look(watch, 29.0, written_bytes=100, waiting_bytes=90) is None
    assert look(watch, 58.0, written_bytes=200, waiting_bytes=189) is None
    assert look(watch, 87.0, written_bytes=300, waiting_bytes=288) is None


def test_output_that_grows_on_its_way_is_no_progress() -> None:
    # TLS adds bytes to every write, and hides some of what waits.
    watch = Watch(rules(stall_seconds=30.0), 0.0)
    assert look(watch, 10.0, written_bytes=1000, waiting_bytes=0) is None
    assert look(watch, 20.0, written_bytes=1002, waiting_bytes=24) is None
    assert look(watch, 30.0, written_bytes=1004, waiting_bytes=48) is None
    assert look(watch, 40.0, written_bytes=1006, waiting_bytes=72) is Due.STALLED


def test_time_without_output_is_no_stall() -> None:
    watch = Watch(rules(stall_seconds=30.0), 0.0)
    assert look(watch, 100.0) is None
    assert look(watch, 101.0, written_bytes=5, waiting_bytes=5) is None
    assert look(watch, 129.0, written_bytes=5, waiting_bytes=5) is None
    assert look(watch, 130.0, written_bytes=5, waiting_bytes=5) is Due.STALLED


def test_a_socket_without_data_is_idle_also_if_pongs_come() -> None:
    watch = Watch(rules(idle_seconds=1800.0), 0.0)
    assert look(watch, 100.0, heard=True, busy=True) is None
    assert look(watch, 1899.0, heard=True) is None
    assert look(watch, 1900.0, heard=True) is Due.IDLE


def test_other_rules_count_from_what_was_seen_before() -> None:
    watch = Watch(rules(idle_seconds=60.0), 0.0)
    assert look(watch, 10.0, heard=True, busy=True) is None
    watch.adopt(rules(silence_seconds=30.0), 20.0)
    assert look(watch, 39.0) is None
    assert look(watch, 40.0) is Due.SILENT
    watch.adopt(rules(idle_seconds=100.0), 100.0)
    assert look(watch, 109.0) is None
    assert look(watch, 110.0) is Due.IDLE


def test_pings_begin_with_the_rules_that_want_them() -> None:
    watch = Watch(rules(), 0.0)
    watch.adopt(rules(ping_seconds=30.0), 100.0)
    assert look(watch, 129.0) is None
    assert look(watch, 130.0) is Due.PING


@pytest.mark.parametrize("now", [1.0, 1e6])
def test_zero_turns_every_rule_off(now: float) -> None:
    watch = Watch(rules(), 0.0)
    assert look(watch, now, written_bytes=1, waiting_bytes=1) is None


def test_the_defaults_are_those_of_the_wire() -> None:
    watch = Watch(RULES, 0.0)
    assert look(watch, 20.0) is Due.PING
    assert look(watch, 30.0) is Due.SILENT


def test_a_burst_of_control_frames_is_allowed_and_no_more() -> None:
    watch = Watch(SocketRules(message_bytes=1, outer_bytes=1, control_per_second=10.0, control_burst=50), 0.0)
    assert [watch.allow_control(0.0) for _ in range(51)] == [True] * 50 + [False]


def test_control_frames_are_earned_again_at_their_rate_up_to_the_burst() -> None:
    watch = Watch(SocketRules(message_bytes=1, outer_bytes=1, control_per_second=10.0, control_burst=50), 0.0)
    assert all(watch.allow_control(0.0) for _ in range(50))
    assert [watch.allow_control(0.55) for _ in range(6)] == [True] * 5 + [False]
    assert [watch.allow_control(1000.0) for _ in range(51)] == [True] * 50 + [False]
