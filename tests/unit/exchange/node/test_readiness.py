"""Readiness over the seconds; no clock is needed."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.node.readiness import DOWN_AFTER_SECONDS, UP_AFTER_COUNT, Readiness, Reason


class Rig:
    def __init__(self) -> None:
        self.up = True
        self.leased = True
        self.now = 100.0
        self.readiness = Readiness(lambda: self.leased)
        self.readiness.store_up = lambda: self.up
        self.flaws: frozenset[str] | None = frozenset()
        self.readiness.examine = self.examine
        self.readiness.started = True

    async def examine(self) -> frozenset[str]:
        if self.flaws is None:
            raise StorageUnavailable
        return self.flaws

    def beat(self, seconds: float = 1.0) -> tuple[Reason, ...]:
        self.now += seconds
        self.readiness.beat(self.now)
        return self.readiness.reasons()

    def lose_store(self) -> None:
        self.up = False
        self.beat()
        assert self.beat(DOWN_AFTER_SECONDS) == (Reason.STORE,)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_node_that_is_not_started_gets_no_traffic():
    assert Readiness(lambda: False).reasons() == (Reason.STARTING,)


def test_a_started_node_with_lease_and_store_gets_traffic(rig):
    assert rig.beat() == ()


def test_a_draining_node_gets_no_traffic(rig):
    rig.readiness.draining = True
    assert rig.beat() == (Reason.DRAINING,)


def test_a_blink_of_the_store_does_not_move_traffic(rig):
    rig.up = False
    rig.beat()
    assert rig.beat(DOWN_AFTER_SECONDS - 1) == ()
    rig.up = True
    rig.beat()
    rig.up = False
    rig.beat()
    assert rig.beat(DOWN_AFTER_SECONDS - 1) == ()


def test_a_store_that_stays_away_moves_traffic(rig):
    rig.lose_store()


def test_traffic_comes_back_when_the_store_is_surely_back(rig):
    rig.lose_store()
    rig.up = True
    for _ in range(UP_AFTER_COUNT - 1):
        assert rig.beat() == (Reason.STORE,)
    assert rig.beat() == ()


def test_one_good_moment_between_bad_ones_is_not_a_return(rig):
    rig.lose_store()
    for up in (True, False) * UP_AFTER_COUNT:
        rig.up = up
        assert rig.beat() == (Reason.STORE,)


def test_a_lost_lease_moves_traffic(rig):
    rig.leased = False
    assert rig.beat() == (Reason.LEASE,)


def test_a_lease_that_ran_out_because_the_store_is_away_is_not_counted_twice(rig):
    rig.up = rig.leased = False
    assert rig.beat() == ()
    assert rig.beat(DOWN_AFTER_SECONDS) == (Reason.STORE,)


@pytest.mark.parametrize("reason", [Reason.POLICY, Reason.DURABILITY])
async def test_a_store_that_promises_less_than_we_do_moves_traffic_until_it_is_mended(rig, reason):
    rig.flaws = frozenset({reason.value})
    await rig.readiness.look()
    assert rig.beat() == (reason,)
    rig.flaws = frozenset()
    await rig.readiness.look()
    assert rig.beat() == ()


async def test_a_store_that_cannot_be_examined_is_as_it_was(rig):
    rig.flaws = frozenset({"durability"})
    await rig.readiness.look()
    rig.flaws = None
    with pytest.raises(StorageUnavailable):
        await rig.readiness.look()
    assert rig.beat() == (Reason.DURABILITY,)


async def test_nothing_is_wrong_with_a_store_that_nobody_examines():
    readiness = Readiness(lambda: True)
    readiness.started = True
    await readiness.look()
    assert readiness.reasons() == ()
