import asyncio
import os
import sys

import pytest

from magi.daemon import server, start
from magi.daemon.port import DaemonAway, DeskError
from magi.daemon.process import Exit
from magi.daemon.protocol import PROTOCOL, Hello
from magi.daemon.server import FaceServer
from magi.daemon.start import Finder, spawned
from tests.harness.offices import profile
from tests.harness.waiting import eventually
from tests.unit.magi.daemon.fake import FakeDesk

HELLO = Hello(PROTOCOL, "0.1.0", "cli", pid=os.getpid())


class Daemons:
    """Fake daemons at the socket of a profile; one that retires is followed by one of our protocol."""

    def __init__(self, place, monkeypatch):
        self.profile = profile(place, "alice", "ws://127.0.0.1:1/")
        self.profile.places.socket.parent.mkdir(0o700, parents=True)
        self.monkeypatch = monkeypatch
        self.retired = 0
        self.server = None

    async def serve(self, protocol=PROTOCOL):
        self.monkeypatch.setattr(server, "PROTOCOL", protocol)
        self.server = FaceServer(FakeDesk(), version="0.0.9", on_retire=self.retire)
        await self.server.open(self.profile.places.socket)

    def retire(self):

        self.retired += 1
        self.task = asyncio.get_running_loop().create_task(self.follow())

    async def follow(self):
        old = self.server
        await self.serve()
        await old.close()

    def finder(self, *command, starts=True):
        return Finder(
            self.profile, HELLO, start=starts, command=command or (sys.executable, "-c", "import time; time.sleep(9)")
        )


@pytest.fixture
async def daemons(place, monkeypatch):
    made = Daemons(place, monkeypatch)
    yield made
    if made.server:
        await made.server.close()


async def test_a_daemon_that_runs_is_found(daemons):
    await daemons.serve()
    line = await daemons.finder(starts=False).dial()
    assert line.welcome.version == "0.0.9"
    await line.close()


async def test_an_older_daemon_is_asked_to_retire(daemons):
    """CLI-24."""
    await daemons.serve(PROTOCOL - 1)
    line = await daemons.finder(starts=False).dial()
    assert (daemons.retired, line.welcome.protocol) == (1, PROTOCOL)
    await line.close()


async def test_a_newer_daemon_is_left_alone(daemons):
    await daemons.serve(PROTOCOL + 1)
    with pytest.raises(DeskError, match=r"is version 0\.0\.9"):
        await daemons.finder().dial()
    assert daemons.retired == 0


async def test_a_daemon_that_finds_the_profile_taken_is_started_again(daemons, tmp_path, monkeypatch):
    """The one that had it was leaving."""
    monkeypatch.setattr(start, "READY_SECONDS", 1.0)
    note = tmp_path / "starts"
    program = f"open({str(note)!r}, 'a').write('x'); raise SystemExit({int(Exit.LOCKED)})"
    with pytest.raises(DaemonAway, match="did not get ready"):
        await daemons.finder(sys.executable, "-S", "-c", program).dial()
    assert len(note.read_text()) > 1


async def test_a_daemon_that_fails_is_not_started_again(daemons, tmp_path):
    note = tmp_path / "starts"
    program = f"open({str(note)!r}, 'a').write('x'); raise SystemExit(3)"
    with pytest.raises(DaemonAway, match=r"status 3.*daemon\.log"):
        await daemons.finder(sys.executable, "-S", "-c", program).dial()
    assert note.read_text() == "x"


async def test_what_we_start_is_in_a_session_of_its_own_and_no_zombie(tmp_path):
    note = tmp_path / "sid"
    program = f"import os; open({str(note)!r}, 'w').write(str(os.getsid(0)))"
    child = spawned([sys.executable, "-S", "-c", program], cwd=str(tmp_path))
    await eventually(lambda: child.returncode is not None)
    assert int(note.read_text()) == child.pid


async def test_a_daemon_that_does_not_leave_is_an_error(daemons, monkeypatch):
    monkeypatch.setattr(start, "RETIRE_SECONDS", 0.1)
    await daemons.serve()
    daemons.server.on_retire = lambda: None
    with pytest.raises(DaemonAway, match="does not leave"):
        await start.stop(daemons.profile)
