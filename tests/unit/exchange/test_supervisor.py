import asyncio
import os
import signal
import sys

import pytest

from exchange import supervisor as module
from exchange.child import Program
from exchange.refusal import StartRefused
from exchange.supervisor import GaveUp, Supervisor
from tests.harness.waiting import WAIT_SECONDS, eventually

HEAD = """
import os, signal, sys, time
report = int(sys.argv[-1]); sys.stdin.readline(); count = int(open(sys.argv[1]).read() or 0); me = sys.argv[2]
open(sys.argv[1], 'w').write(str(count + 1))
def ready(): os.write(report, b'{"ready": true}\\n')
def refuse(): os.write(report, b'{"refused": "No."}\\n'); sys.exit(3)
def end(*_): open(sys.argv[3], 'a').write(me + ' '); sys.exit(0)
signal.signal(signal.SIGTERM, end)
"""
SERVE = "ready(); time.sleep(60)"


class Case:
    """Programs that count their starts in a file, and a supervisor of them."""

    def __init__(self, directory):
        self.directory = directory
        self.ended = directory / "ended"
        self.said = []
        self.ready = asyncio.Event()
        self.task = None

    def program(self, name, script, *, stop_seconds=WAIT_SECONDS, drains=False):
        (self.directory / name).write_text("")
        command = (sys.executable, "-c", HEAD + script, str(self.directory / name), name, str(self.ended))
        return Program(name, command, b"\n", stop_seconds, drains=drains)

    def starts(self, name):
        return int((self.directory / name).read_text() or 0)

    def run(self, *stages):
        self.supervisor = Supervisor(stages, store=None, say=self.said.append)
        self.task = asyncio.create_task(self.supervisor.run(self.ready.set))
        return self.supervisor

    async def cancelled(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def case(tmp_path, monkeypatch):
    monkeypatch.setattr("exchange.restarts.PAUSES_SECONDS", (0.01,))
    monkeypatch.setattr(module, "PAUSES_SECONDS", (0.01,))
    case = Case(tmp_path)
    async with asyncio.timeout(WAIT_SECONDS * 2):
        yield case
        if case.task is not None:
            await case.cancelled()
            case.supervisor.kill()
            await case.supervisor.stop()


async def test_ready_is_said_once_when_all_programs_are(case):
    case.run([case.program("a", SERVE)], [case.program("b", SERVE)])
    await case.ready.wait()
    assert (case.starts("a"), case.starts("b")) == (1, 1)


async def test_ready_is_not_said_while_one_program_is_not(case):
    case.run([case.program("a", SERVE), case.program("b", "time.sleep(60)")])
    await eventually(lambda: case.starts("a") and case.starts("b"))
    await eventually(case.supervisor._seats[0].ready.is_set)
    assert not case.ready.is_set()


async def test_a_killed_program_is_started_again(case):
    supervisor = case.run([case.program("a", SERVE)])
    await case.ready.wait()
    os.kill(supervisor._seats[0].child.pid, signal.SIGKILL)
    await eventually(lambda: "a is back" in case.said)
    assert case.starts("a") == 2
    assert any("signal 9" in line for line in case.said)


async def test_a_program_that_was_drained_stays_away_and_the_last_one_ends_it_all(case):
    nodes = [case.program(name, SERVE, drains=True) for name in "ab"]
    supervisor = case.run(nodes, [case.program("c", SERVE)])
    await case.ready.wait()
    first, second, worker = (seat.child for seat in supervisor._seats)
    first.terminate()
    await eventually(lambda: "a was drained and stays away" in case.said)
    assert second.running
    assert not case.task.done()
    second.terminate()
    await case.task
    assert worker.running
    assert [case.starts(name) for name in "abc"] == [1, 1, 1]


async def test_a_program_that_may_be_drained_is_started_again_after_a_crash(case):
    supervisor = case.run([case.program("a", SERVE, drains=True)])
    await case.ready.wait()
    os.kill(supervisor._seats[0].child.pid, signal.SIGKILL)
    await eventually(lambda: "a is back" in case.said)


async def test_a_worker_that_ends_in_order_unasked_is_started_again(case):
    supervisor = case.run([case.program("a", SERVE)])
    await case.ready.wait()
    supervisor._seats[0].child.terminate()
    await eventually(lambda: "a is back" in case.said)


async def test_a_program_that_keeps_ending_is_given_up(case):
    case.run([case.program("a", "sys.exit(7)")])
    with pytest.raises(GaveUp, match="a ended 5 times within 60 seconds, last with status 7"):
        await case.task
    assert case.starts("a") == 5


async def test_a_refused_first_start_is_not_tried_again(case):
    case.run([case.program("a", "refuse()"), case.program("b", SERVE)])
    with pytest.raises(StartRefused, match="No"):
        await case.task
    assert case.starts("a") == 1


async def test_a_refused_later_start_is_tried_until_it_is_not_refused(case):
    supervisor = case.run([case.program("a", "ready() if count in (0, 7) else refuse(); time.sleep(60)")])
    await case.ready.wait()
    os.kill(supervisor._seats[0].child.pid, signal.SIGKILL)
    await eventually(lambda: "a is back" in case.said)
    assert case.starts("a") == 8
    assert "a cannot start again yet: No." in case.said


async def test_stages_end_one_after_the_other(case):
    linger = "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.2), end())); ready(); time.sleep(60)"
    supervisor = case.run([case.program("a", linger)], [case.program("b", SERVE)])
    await case.ready.wait()
    await case.cancelled()
    await supervisor.stop()
    assert case.ended.read_text() == "a b "
    assert case.said == ["stopping: waiting for a", "stopping: waiting for b"]


async def test_a_program_that_does_not_end_in_time_is_killed(case):
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN); ready(); time.sleep(60)"
    supervisor = case.run([case.program("a", deaf, stop_seconds=0.1)])
    await case.ready.wait()
    await case.cancelled()
    await supervisor.stop()
    assert case.said[-1] == "a did not end within 0.1 s and is killed"
    assert not supervisor._seats[0].running


async def test_all_programs_can_be_ended_at_once(case):
    supervisor = case.run([case.program("a", SERVE)], [case.program("b", SERVE)])
    await case.ready.wait()
    await case.cancelled()
    supervisor.kill()
    await asyncio.gather(*(seat.child.wait() for seat in supervisor._seats))
    assert not case.ended.exists()
