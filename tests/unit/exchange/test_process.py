"""``run_process`` in processes of its own: signals and exit statuses."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.process import SECOND_SIGNAL_STATUS
from exchange.refusal import REFUSED_STATUS
from tests.harness.waiting import WAIT_SECONDS

ROOT = Path(__file__).parents[3]
PROGRAM = """
import asyncio, sys
from exchange.process import run_process
from exchange.refusal import StartRefused

async def program(stop):
    print("ready", flush=True)
    {body}

sys.exit(run_process(program))
"""


@pytest.fixture
def run():
    started = []

    def start(body: str, *, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*before, sys.executable, "-c", PROGRAM.format(body=body)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            # Whoever runs the tests may have hang-ups ignored; here each test decides.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509  one thread, before exec
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_first_signal_ends_the_program_in_order(run, number):
    process = run("await stop.wait(); print('drained')")
    process.send_signal(number)
    assert process.communicate(timeout=WAIT_SECONDS) == ("drained\n", "")
    assert process.returncode == 0


def test_the_second_signal_ends_it_at_once(run):
    process = run("await stop.wait(); print('draining', flush=True); await asyncio.Event().wait()")
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "draining\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_SECONDS) == SECOND_SIGNAL_STATUS


def test_a_signal_after_an_end_that_was_asked_for_otherwise_is_the_first_one(run):
    body = "stop.set(); print('draining', flush=True); await asyncio.sleep(0.5); print('drained')"
    process = run(body)
    assert process.stdout.readline() == "draining\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=WAIT_SECONDS) == ("drained\n", "")
    assert process.returncode == 0


def test_a_hang_up_that_nohup_ignores_is_ignored(run):
    process = run("await stop.wait(); print('drained')", before=("nohup",))
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=WAIT_SECONDS) == ("drained\n", "")
    assert process.returncode == 0


def test_a_refusal_is_one_sentence_and_a_status_of_its_own(run):
    process = run("raise StartRefused('It cannot be.')")
    assert process.communicate(timeout=WAIT_SECONDS) == ("", "It cannot be.\n")
    assert process.returncode == REFUSED_STATUS
