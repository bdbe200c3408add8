import pytest

from exchange.core.session import Session
from exchange.core.throttle import fail, failures

WINDOW_SECONDS = 60.0


@pytest.fixture
def session() -> Session:
    return Session("client", dialect="magi", address="", since_ms=0)


def test_failures_of_one_window_add_up(session):
    for now in (100.0, 130.0, 159.9):
        fail(session, now, WINDOW_SECONDS)
    assert failures(session, 159.9, WINDOW_SECONDS) == 3


def test_the_first_failure_starts_the_window_and_later_ones_do_not_stretch_it(session):
    fail(session, 100.0, WINDOW_SECONDS)
    fail(session, 159.0, WINDOW_SECONDS)
    assert failures(session, 160.0, WINDOW_SECONDS) == 0


def test_a_failure_after_the_window_starts_another(session):
    fail(session, 100.0, WINDOW_SECONDS)
    fail(session, 170.0, WINDOW_SECONDS)
    assert failures(session, 229.9, WINDOW_SECONDS) == 1
    assert failures(session, 230.0, WINDOW_SECONDS) == 0


def test_a_clock_near_its_start_counts_too(session):
    fail(session, 1.0, WINDOW_SECONDS)
    fail(session, 2.0, WINDOW_SECONDS)
    assert failures(session, 3.0, WINDOW_SECONDS) == 2
