import asyncio
import sys

import pytest

from exchange.child import Child, Program, Word
from tests.harness.waiting import WAIT_SECONDS

HEAD = "import json, os, sys, time; report = int(sys.argv[-1]); feed = sys.stdin.readline()\n"


@pytest.fixture
async def spawn():
    children = []

    async def start(script: str, **environ: str) -> Child:
        program = Program("test", (sys.executable, "-c", HEAD + script), b"the feed\n", 1.0)
        children.append(await Child.spawn(program, environ=environ))
        return children[-1]

    async with asyncio.timeout(WAIT_SECONDS):
        yield start
        for child in children:
            child.kill()
            await child.wait()


async def test_a_child_is_fed_and_says_that_it_is_ready(spawn):
    child = await spawn("assert feed == 'the feed\\n'; os.write(report, b'{\"ready\": true}\\n'); sys.stdin.read()")
    assert await child.word() == (Word.READY, "")
    assert child.running


async def test_a_child_that_refuses_says_why(spawn):
    child = await spawn('os.write(report, b\'{"refused": "No."}\\n\')')
    assert await child.word() == (Word.REFUSED, "No.")


async def test_a_child_that_ends_without_a_word_is_noticed(spawn):
    child = await spawn("sys.exit(7)")
    assert await child.word() == (Word.NOTHING, "")
    assert await child.wait() == 7
    assert not child.running


async def test_a_child_that_never_reads_its_settings_is_noticed(spawn):
    program = Program("test", (sys.executable, "-c", "pass"), b"x" * 1_000_000, 1.0)
    child = await Child.spawn(program, environ={})
    assert await child.word() == (Word.NOTHING, "")
    assert await child.wait() == 0


async def test_a_child_has_a_session_of_its_own_and_none_of_our_variables(spawn):
    script = "names = [n for n in os.environ if n.startswith(('EXCHANGE_', 'KEPT'))]\n"
    script += "text = json.dumps(names + [os.getsid(0) == os.getpid()])\n"
    script += "os.write(report, (json.dumps({'refused': text}) + '\\n').encode())"
    child = await spawn(script, EXCHANGE_REDIS__URL="redis://h", KEPT="1")
    assert await child.word() == (Word.REFUSED, '["KEPT", true]')


async def test_the_end_of_a_child_is_asked_for_or_forced(spawn):
    asked, forced = await spawn("time.sleep(60)"), await spawn("time.sleep(60)")
    asked.terminate()
    forced.kill()
    assert (await asked.wait(), await forced.wait()) == (-15, -9)
    # Again, when they are gone: no error.
    asked.terminate()
    forced.kill()


async def test_a_cancelled_start_leaves_no_child(tmp_path):
    marker = tmp_path / "pid"
    script = f"import os, time; open({str(marker)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    # It reads nothing, so handing over more than a pipe holds does not end.
    program = Program("test", (sys.executable, "-c", script), b"x" * 10_000_000, 1.0)
    start = asyncio.create_task(Child.spawn(program, environ={}))
    async with asyncio.timeout(WAIT_SECONDS):
        while not (marker.exists() and marker.read_text()):
            await asyncio.sleep(0.01)
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
        status = f"/proc/{marker.read_text()}/stat"
        while _running(status):
            await asyncio.sleep(0.01)


def _running(status: str) -> bool:
    try:
        with open(status) as file:
            return ") Z " not in file.read()
    except FileNotFoundError:
        return False
