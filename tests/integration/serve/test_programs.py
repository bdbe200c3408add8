"""The programs ``node`` and ``worker`` as real processes."""

import os
import signal
import subprocess
import sys

import pytest

from exchange.refusal import REFUSED_STATUS
from exchange.settings import load
from tests.harness.waiting import WAIT_SECONDS
from tests.integration.serve.exchange_process import STUB

STUB_PROGRAM = STUB[:2]


@pytest.fixture
def run(valkey):
    """Start a program as ``serve`` does; gives the process and the end of its reports."""
    started = []

    def start(*words: str, redis_url: str = valkey.url) -> tuple[subprocess.Popen[bytes], int]:
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [*STUB_PROGRAM, *words, "--report-fd", str(writing)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=(writing,),
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )
        os.close(writing)
        started.append((process, reading))
        settings = load({"EXCHANGE_REDIS__URL": redis_url, "PORT": "0", "EXCHANGE_OPS__PORT": "0"})
        process.stdin.write(settings.to_child())
        process.stdin.flush()
        return process, reading

    yield start
    for process, reading in started:
        process.kill()
        process.communicate()
        os.close(reading)


@pytest.mark.parametrize("words", [("node", "--index", "0"), ("worker",)])
def test_a_child_ends_in_order_when_its_parent_is_gone(run, words):
    process, reports = run(*words)
    assert os.read(reports, 1000) == b'{"ready": true}\n'
    process.stdin.close()
    process.stdin = None
    assert process.wait(WAIT_SECONDS) == 0


@pytest.mark.parametrize("words", [("node", "--index", "0"), ("worker",)])
def test_a_child_ends_in_order_when_it_is_told_to(run, words):
    process, reports = run(*words)
    assert os.read(reports, 1000) == b'{"ready": true}\n'
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_SECONDS) == 0


def test_a_child_that_refuses_tells_its_parent_why(run, monkeypatch):
    monkeypatch.setenv("STUB_WORKER", "refuse")
    process, reports = run("worker")
    assert process.wait(WAIT_SECONDS) == REFUSED_STATUS
    assert os.read(reports, 1000) == b'{"refused": "The stub refuses."}\n'


def test_a_worker_without_redis_is_refused():
    environ = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
    result = subprocess.run(
        [sys.executable, "-m", "exchange", "worker"],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        env=environ,
    )
    assert result.returncode == REFUSED_STATUS
    assert "set EXCHANGE_REDIS__URL" in result.stderr
    assert "Traceback" not in result.stderr
