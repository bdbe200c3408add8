from collections import Counter

import pytest
from structlog.testing import capture_logs

from exchange.transports.wheel import LATE_SECONDS, SLICES, Wheel
from tests.harness.waiting import eventually

FAST_SECONDS = 0.02


class Guest:
    def __init__(self) -> None:
        self.visits: list[float] = []

    def visit(self, now: float) -> None:
        self.visits.append(now)


class Leaver(Guest):
    """Ends its membership, and a friend's, when it is visited."""

    def __init__(self, wheel: Wheel, friend: Guest) -> None:
        super().__init__()
        self.wheel = wheel
        self.friend = friend

    def visit(self, now: float) -> None:
        super().visit(now)
        self.wheel.remove(self)
        self.wheel.remove(self.friend)


class Failing(Guest):
    def visit(self, now: float) -> None:
        super().visit(now)
        raise RuntimeError("no")


async def test_members_are_visited_again_and_again_with_a_clock_that_goes_on() -> None:
    wheel = Wheel(turn_seconds=FAST_SECONDS)
    guests = [Guest() for _ in range(100)]
    for guest in guests:
        wheel.add(guest)
    await eventually(lambda: all(len(guest.visits) >= 3 for guest in guests))
    for guest in guests:
        assert guest.visits == sorted(guest.visits)
        assert len(set(guest.visits)) == len(guest.visits)


async def test_a_turn_visits_every_member_once() -> None:
    wheel = Wheel(turn_seconds=FAST_SECONDS)
    guests = [Guest() for _ in range(50)]
    for guest in guests:
        wheel.add(guest)
    await eventually(lambda: all(guest.visits for guest in guests))
    counts = Counter(len(guest.visits) for guest in guests)
    assert max(counts) - min(counts) <= 1


async def test_one_that_was_removed_is_visited_no_more() -> None:
    wheel = Wheel(turn_seconds=FAST_SECONDS)
    gone, stays = Guest(), Guest()
    wheel.add(gone)
    wheel.add(stays)
    await eventually(lambda: gone.visits)
    wheel.remove(gone)
    seen = len(gone.visits)
    turns = len(stays.visits)
    await eventually(lambda: len(stays.visits) >= turns + 2)
    assert len(gone.visits) == seen


async def test_a_visit_may_end_memberships() -> None:
    wheel = Wheel(turn_seconds=FAST_SECONDS)
    friend = Guest()
    leaver = Leaver(wheel, friend)
    wheel.add(leaver)
    wheel.add(friend)
    await eventually(lambda: len(wheel) == 0)
    assert len(leaver.visits) == 1


async def test_adding_and_removing_twice_counts_once() -> None:
    wheel = Wheel()
    guest = Guest()
    wheel.add(guest)
    wheel.add(guest)
    assert len(wheel) == 1
    wheel.remove(guest)
    wheel.remove(guest)
    assert len(wheel) == 0


async def test_an_empty_wheel_sleeps_and_wakes_with_the_next_member() -> None:
    wheel = Wheel(turn_seconds=FAST_SECONDS)
    first = Guest()
    wheel.add(first)
    await eventually(lambda: first.visits)
    wheel.remove(first)
    await eventually(lambda: wheel._loop is None)
    second = Guest()
    wheel.add(second)
    await eventually(lambda: second.visits)
    assert second.visits[0] >= first.visits[-1]


async def test_one_broken_member_does_not_stop_the_others() -> None:
    wheel = Wheel(turn_seconds=FAST_SECONDS)
    failing, healthy = Failing(), Guest()
    with capture_logs() as logs:
        wheel.add(failing)
        wheel.add(healthy)
        await eventually(lambda: len(healthy.visits) >= 3 and len(failing.visits) >= 3)
    assert logs[0]["event"] == "wheel.failed"
    assert logs[0]["visitor"] == "Failing"


async def test_time_in_which_the_loop_did_not_run_hardly_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = Wheel(turn_seconds=3600)
    wheel.add(Guest())
    wheel._ticked_at -= 3600
    wheel._tick()
    assert 0 < wheel.now <= LATE_SECONDS


async def test_members_spread_over_the_slices() -> None:
    wheel = Wheel(turn_seconds=3600)
    guests = [Guest() for _ in range(1000)]
    for guest in guests:
        wheel.add(guest)
    assert max(len(members) for members in wheel._slices) < 1000 / SLICES * 3
