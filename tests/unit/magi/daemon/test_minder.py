import os
import subprocess
import sys

import pytest

from magi.daemon import minder
from tests.harness.waiting import WAIT_SECONDS, soon
from tests.unit.magi.daemon.test_responder import BUSY, none_runs


@pytest.fixture
def life():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb") as kept:
        yield pipe, kept


def mind(life, *command: str, seconds: float = WAIT_SECONDS) -> subprocess.Popen:
    fd = life[0].fileno()
    return subprocess.Popen([sys.executable, minder.__file__, str(fd), str(seconds), *command], pass_fds=(fd,))


def test_the_status_of_the_command_is_passed_on(life):
    assert mind(life, sys.executable, "-c", "raise SystemExit(11)").wait(WAIT_SECONDS) == 11


def test_a_command_that_cannot_be_started_has_a_status_of_its_own(life):
    assert mind(life, "/nowhere/magi").wait(WAIT_SECONDS) == minder.NOT_STARTED_STATUS


def test_the_command_ends_when_whoever_holds_the_pipe_is_gone(life, tmp_path):
    """CLI-25: a killed daemon leaves no responder behind."""
    note = tmp_path / "pids"
    minding = mind(life, sys.executable, "-c", BUSY, str(note), seconds=600)
    soon(note.exists)
    life[1].close()
    assert minding.wait(WAIT_SECONDS) == minder.OVERDUE_STATUS
    soon(lambda: none_runs(note))


def test_a_command_that_ignores_the_polite_signal_is_killed(life, tmp_path, monkeypatch):
    monkeypatch.setattr(minder, "TERM_SECONDS", 0.2)
    note = tmp_path / "pids"
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + BUSY
    assert (
        minder.main([str(life[0].fileno()), "1.0", sys.executable, "-c", stubborn, str(note)]) == minder.OVERDUE_STATUS
    )
    soon(lambda: none_runs(note))
    life[1].close()  # the watching thread of this process ends
