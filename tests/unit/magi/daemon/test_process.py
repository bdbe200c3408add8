import asyncio
import logging
import os
import signal

import pytest

from magi.daemon import process
from magi.daemon.process import Exit, run, until_idle
from tests.harness.offices import profile
from tests.harness.waiting import eventually


class Times:
    """What happens in each period: whether something changed, and whether anything is to be done then."""

    def __init__(self, *periods):
        self.periods = list(periods)
        self.now = False

    async def busy(self):
        return self.now

    async def changed(self, seconds):
        assert seconds == 30.0
        change, self.now = self.periods.pop(0)
        return change


QUIET, NEWS, WORK = (False, False), (True, False), (False, True)


@pytest.mark.parametrize(
    "periods",
    [[QUIET], [NEWS, QUIET], [WORK, WORK, QUIET, QUIET], [NEWS, WORK, NEWS, QUIET], [(True, True), QUIET, QUIET]],
)
async def test_it_is_idle_after_a_whole_period_without_change_or_work(periods):
    times = Times(*periods)
    await until_idle(times.busy, times.changed, 30.0)
    assert times.periods == []


@pytest.fixture
def alice(place):
    return profile(place, "alice", "ws://127.0.0.1:1/")


async def test_it_leaves_when_it_is_idle_and_takes_its_socket_along(alice):
    assert await run(alice, idle_seconds=0.1) is Exit.DONE
    assert not alice.places.socket.exists()
    alice.hold().release()


async def test_a_signal_ends_it(alice):

    running = asyncio.create_task(run(alice))
    await eventually(alice.places.socket.exists)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running is Exit.DONE
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_a_profile_that_is_taken_has_a_status_of_its_own(alice):
    with alice.hold():
        assert await run(alice) is Exit.LOCKED


async def test_what_keeps_it_from_starting_is_in_its_log(alice, caplog):
    alice.places.socket.parent.mkdir(0o755, parents=True)
    alice.places.socket.parent.chmod(0o755)
    assert await run(alice) is Exit.FAILED
    assert "chmod 700" in caplog.text
    alice.hold().release()


def test_it_logs_to_its_own_file(alice):
    logger = logging.getLogger("magi")
    before = list(logger.handlers), logger.level
    try:
        process.log_to_file(alice)
        logging.getLogger("magi.daemon").info("daemon.tested")
        assert "daemon.tested" in alice.places.log.read_text()
        assert alice.places.log.stat().st_mode & 0o777 == 0o600
    finally:
        for handler in set(logger.handlers) - set(before[0]):
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(before[1])
        logging.getLogger("magi.client").setLevel(logging.NOTSET)
