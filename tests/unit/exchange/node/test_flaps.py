"""Friends who have just gone are not told of at once (DEL-30)."""

import asyncio

import pytest

from exchange.core.model import Link
from exchange.node.flaps import Flaps
from tests.harness.waiting import eventually

PAM = Link("u4", "c4", "pam", "Pam", persist=True)
LONG_SECONDS = 60.0


@pytest.fixture
def told() -> list[str]:
    return []


async def test_a_friend_who_stays_away_is_told_of(told):
    Flaps().begin(PAM, 0.001, lambda: told.append("gone"))
    await eventually(lambda: told == ["gone"])


async def test_a_friend_who_is_back_in_time_was_never_gone(told):
    flaps = Flaps()
    flaps.begin(PAM, 0.0, lambda: told.append("gone"))
    assert flaps.end(PAM.peer) is PAM
    await asyncio.sleep(0)
    assert told == []
    assert flaps.end(PAM.peer) is None


async def test_after_it_was_told_there_is_nothing_pending(told):
    flaps = Flaps()
    flaps.begin(PAM, 0.001, lambda: told.append("gone"))
    await eventually(lambda: told)
    assert flaps.end(PAM.peer) is None


async def test_who_goes_twice_is_compared_with_what_was_told_first(told):
    flaps = Flaps()
    flaps.begin(PAM, LONG_SECONDS, lambda: told.append("gone"))
    flaps.begin(Link("u4", "c4", "pam", "Pam", persist=True, waiting=True), LONG_SECONDS, lambda: told.append("gone"))
    assert flaps.end(PAM.peer) is PAM
    flaps.clear()


async def test_at_the_end_nothing_is_told_any_more(told):
    flaps = Flaps()
    flaps.begin(PAM, 0.0, lambda: told.append("gone"))
    flaps.clear()
    await asyncio.sleep(0)
    assert told == []


async def test_at_the_end_one_knows_whose_going_was_not_told():
    flaps = Flaps()
    flaps.begin(PAM, LONG_SECONDS, lambda: None)
    assert flaps.clear() == {PAM.peer: PAM}
