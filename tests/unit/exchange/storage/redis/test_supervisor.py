import pytest

from exchange.core.errors import StorageUnavailable
from exchange.storage.redis import supervisor as module
from exchange.storage.redis.connection import Break
from exchange.storage.redis.supervisor import Supervisor
from tests.harness.waiting import eventually


class Pair:
    def __init__(self, on_break):
        self.broken = None
        self._on_break = on_break

    def close(self, why):
        if self.broken is None:
            self.broken = why
            self._on_break(why)

    async def gone(self):
        pass


class Rig:
    """A supervisor whose pairs open unless ``refusals`` has something to raise, and whose probes pass."""

    def __init__(self, probe_seconds=3600.0):
        self.log, self.pairs, self.refusals = [], [], []
        self.probes = 0
        self.supervisor = Supervisor(
            self.open,
            on_up=lambda _: self.log.append("up"),
            on_down=lambda why: self.log.append(str(why)),
            on_gap=lambda: self.log.append("gap"),
            probe=self,
            probe_seconds=probe_seconds,
        )

    async def open(self, on_break):
        if self.refusals:
            raise self.refusals.pop(0)
        pair = Pair(on_break)
        self.pairs.append(pair)
        return pair

    async def passes(self, _pair):
        self.probes += 1
        return True

    def give_up(self):
        pass


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "PAUSE_LEAST_SECONDS", 0.001)
    monkeypatch.setattr(module, "PAUSE_MOST_SECONDS", 0.002)


@pytest.fixture
async def rig():
    rig = Rig()
    await rig.supervisor.start()
    yield rig
    await rig.supervisor.stop()


async def test_a_start_is_no_gap_and_is_probed_at_once(rig):
    await eventually(lambda: rig.supervisor.last_probe > 0)
    assert rig.log == ["up"]
    assert rig.supervisor.last_probe >= rig.supervisor.up_since


async def test_a_start_that_fails_raises_and_leaves_nothing_to_stop():
    rig = Rig()
    rig.refusals.append(StorageUnavailable("no"))
    with pytest.raises(StorageUnavailable, match="no"):
        await rig.supervisor.start()
    await rig.supervisor.stop()
    assert rig.log == []


async def test_a_break_is_followed_by_a_new_pair_and_a_gap(rig):
    first = rig.supervisor.up_since
    rig.pairs[0].close(Break.LOST)
    assert rig.log == ["up", "lost"]
    await eventually(lambda: rig.log == ["up", "lost", "up", "gap"])
    assert rig.supervisor.up_since > first


@pytest.mark.parametrize("error", [StorageUnavailable("no"), RuntimeError("a bug")])
async def test_it_tries_again_whatever_went_wrong(rig, error):
    rig.refusals += [error, error, error]
    rig.pairs[0].close(Break.LOST)
    await eventually(lambda: rig.log == ["up", "lost", "up", "gap"])
    assert rig.refusals == []


async def test_a_pair_that_breaks_before_it_is_up_was_never_up(rig, monkeypatch):
    stillborn = []

    async def open_(on_break):
        pair = Pair(on_break)
        if not stillborn:
            stillborn.append(pair)
            pair.close(Break.LOST)
        return pair

    monkeypatch.setattr(rig.supervisor, "_open", open_)
    rig.pairs[0].close(Break.LOST)
    await eventually(lambda: rig.log == ["up", "lost", "up", "gap"])
    assert stillborn


async def test_two_failed_probes_in_a_row_end_the_pair(monkeypatch):
    rig = Rig(probe_seconds=0.001)
    results = [True, True, False, True, False, False]

    async def passes(_pair):
        rig.probes += 1
        return results.pop(0) if results else True

    monkeypatch.setattr(rig, "passes", passes)
    await rig.supervisor.start()
    await eventually(lambda: rig.probes > 10)
    assert rig.log == ["up", "probe", "up", "gap"]
    await rig.supervisor.stop()


async def test_single_failed_probes_do_not_end_the_pair(monkeypatch):
    rig = Rig(probe_seconds=0.001)

    async def passes(_pair):
        rig.probes += 1
        return rig.probes % 2 == 0

    monkeypatch.setattr(rig, "passes", passes)
    await rig.supervisor.start()
    await eventually(lambda: rig.probes > 10)
    assert rig.log == ["up"]
    await rig.supervisor.stop()


async def test_stopping_ends_the_pair_and_builds_no_other(rig):
    await rig.supervisor.stop()
    assert rig.log == ["up", "stopped"]
    assert rig.pairs[0].broken is Break.STOPPED
    assert rig.supervisor._task is None


async def test_pauses_grow_and_stay_within_their_bounds(rig, monkeypatch):
    monkeypatch.setattr(module, "PAUSE_LEAST_SECONDS", 0.05)
    monkeypatch.setattr(module, "PAUSE_MOST_SECONDS", 2.0)
    most = []
    for failures in range(30):
        rig.supervisor._failures = failures
        pauses = [rig.supervisor._pause() for _ in range(200)]
        assert min(pauses) >= 0.05
        assert max(pauses) <= 2.0
        most.append(max(pauses))
    assert most[0] <= 0.1
    assert max(most) > 1.0
