"""The clock that learns the store's time."""

import time

import pytest

from exchange.storage.redis import clock as module
from exchange.storage.redis.clock import Clock


class Steady:
    """A steady clock that a test moves."""

    seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Steady:
    steady = Steady()
    monkeypatch.setattr(module, "steady", steady)
    return steady


def test_without_a_renewal_the_wall_clock_is_the_estimate() -> None:
    before_ms = time.time_ns() // 1_000_000
    now_ms = Clock().now_ms()
    # A millisecond for two clocks that are read one after the other.
    assert before_ms - 1 <= now_ms <= time.time_ns() // 1_000_000 + 1


def test_the_store_was_asked_in_the_middle_of_the_round_trip(steady: Steady) -> None:
    clock = Clock()
    clock.learn(500_000_000, sent=999.0, received=1_000.0)
    assert clock.now_ms() == 500_500


def test_the_steady_clock_carries_the_estimate_on(steady: Steady) -> None:
    clock = Clock()
    clock.learn(500_000_000, sent=1_000.0, received=1_000.0)
    steady.seconds += 2.25
    assert clock.now_ms() == 502_250
    assert clock.steady() == 1_002.25


def test_a_jump_of_the_wall_clock_changes_nothing(steady: Steady, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    clock.learn(500_000_000, sent=1_000.0, received=1_000.0)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert clock.now_ms() == 500_000


def test_the_last_renewal_counts(steady: Steady) -> None:
    clock = Clock()
    clock.learn(500_000_000, sent=1_000.0, received=1_000.0)
    clock.learn(400_000_000, sent=1_000.0, received=1_000.0)
    assert clock.now_ms() == 400_000
