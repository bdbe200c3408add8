import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from magi.daemon import minder
from magi.daemon.responder import Errand, Outcome, Responder, Verdict
from magi.desk.limits import ANSWER_BYTES, CUT_MARK
from tests.harness.waiting import WAIT_SECONDS, eventually

ERRAND = Errand(id="q1", question="Which Redis?", petname="bob", thread="t1")


@pytest.fixture
def responder(tmp_path):
    return Responder(
        tmp_path, environ={**os.environ, "SECRET": "s", "WANTED": "w"}, passed=("WANTED",), run_seconds=WAIT_SECONDS
    )


def python(program: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", program, *map(str, arguments)]


async def run(responder: Responder, program: str, *arguments: object, friend: str = "bob") -> Outcome:
    async with asyncio.timeout(WAIT_SECONDS):
        return await responder.run(python(program, *arguments), ERRAND, friend=friend)


async def test_the_command_reads_the_question_as_json_and_answers(responder):
    told = await run(responder, "import sys; print(sys.stdin.read())")
    assert told.verdict is Verdict.ANSWER
    assert json.loads(told.text) == {
        "id": "q1",
        "question": "Which Redis?",
        "petname": "bob",
        "trust": "plain",
        "thread": "t1",
        "limits": {"seconds": WAIT_SECONDS, "bytes": ANSWER_BYTES},
    }


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(0, Verdict.ANSWER), (10, Verdict.DECLINE), (11, Verdict.OWNER), (1, Verdict.FAILED), (124, Verdict.FAILED)],
)
async def test_the_exit_status_says_what_the_output_is(responder, status, verdict):
    assert (await run(responder, f"print('because'); raise SystemExit({status})")).verdict is verdict


async def test_a_reason_to_decline_is_the_output(responder):
    assert await run(responder, "print('not my field'); raise SystemExit(10)") == Outcome(
        Verdict.DECLINE, "not my field"
    )


async def test_an_empty_answer_is_a_failure(responder):
    assert (await run(responder, "print(' ')")).verdict is Verdict.FAILED


async def test_a_command_that_is_not_there_is_a_failure(responder):
    assert await responder.run(["/nowhere/magi"], ERRAND, friend="bob") == Outcome(Verdict.FAILED, "exit status 127")


async def test_a_command_that_does_not_read_the_question_may_answer(responder):
    assert await run(responder, "print('hello')") == Outcome(Verdict.ANSWER, "hello")


async def test_an_answer_over_the_limit_is_cut_with_a_mark(responder):
    told = await run(responder, f"print('x' * {ANSWER_BYTES * 20})")
    assert told.text == "x" * (ANSWER_BYTES - len(CUT_MARK)) + CUT_MARK


async def test_an_answer_of_just_the_limit_is_whole(responder):
    told = await run(responder, f"import sys; sys.stdout.write('x' * {ANSWER_BYTES})")
    assert told.text == "x" * ANSWER_BYTES


async def test_the_environment_has_only_what_is_listed(responder):
    told = await run(responder, "import json, os; print(json.dumps(dict(os.environ)))")
    environ = json.loads(told.text)
    assert environ["WANTED"] == "w"
    assert "SECRET" not in environ
    assert environ["PATH"] == os.environ["PATH"]


async def test_the_directory_is_empty_private_and_gone_afterwards(responder, tmp_path):
    told = await run(
        responder,
        "import json, os; print(json.dumps([os.getcwd(), os.listdir(), os.stat('.').st_mode & 0o777])); open('left', 'w')",
    )
    place, entries, mode = json.loads(told.text)
    assert (entries, mode) == ([], 0o700)
    assert Path(place).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


async def test_no_shell_reads_the_command(responder):
    told = await run(responder, "import sys; print(sys.argv[1])", "$(echo no); `no` *")
    assert told.text == "$(echo no); `no` *"


async def test_a_run_past_its_time_is_ended_with_its_children(tmp_path):
    responder = Responder(tmp_path, run_seconds=1.0)
    note = tmp_path / "pids"
    told = await responder.run(python(BUSY, note), ERRAND, friend="bob")
    assert told == Outcome(Verdict.FAILED, f"exit status {minder.OVERDUE_STATUS}")
    await eventually(lambda: none_runs(note))


async def test_a_cancelled_run_is_ended_with_its_children(responder, tmp_path):
    note = tmp_path / "pids"
    running = asyncio.create_task(run(responder, BUSY, note))
    await eventually(lambda: note.exists() and len(note.read_text().split()) == 2)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    await eventually(lambda: none_runs(note))


async def test_one_friend_has_one_run_at_a_time_and_all_friends_two(responder, tmp_path):
    log = tmp_path / "log"
    gate = tmp_path / "gate"
    wait = (
        "import os, sys, time\n"
        "log, gate, who = sys.argv[1:]\n"
        "os.write(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT), (who + ' ').encode())\n"
        "while not os.path.exists(gate): time.sleep(0.01)\n"
        "print('done')"
    )
    friends = ["bob", "bob", "carol", "dave"]
    runs = [asyncio.create_task(run(responder, wait, log, gate, friend, friend=friend)) for friend in friends]
    await eventually(lambda: log.exists() and len(log.read_text().split()) == 2)
    assert sorted(log.read_text().split()) == ["bob", "carol"]
    gate.touch()
    assert [told.text for told in await asyncio.gather(*runs)] == ["done"] * 4


BUSY = (
    "import os, signal, subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "open(sys.argv[1] + '.new', 'w').write(f'{os.getpid()} {child.pid}')\n"
    "os.rename(sys.argv[1] + '.new', sys.argv[1])\n"
    "time.sleep(600)"
)
"""Writes down its own pid and that of a child, and does not end."""


def none_runs(note: Path) -> bool:
    return not any(runs(int(pid)) for pid in note.read_text().split())


def runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
