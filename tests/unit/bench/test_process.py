"""Twin of ``bench/process.py``."""

import contextlib
import os
import signal
import sys

import pytest

from bench.process import Unmeasurable, await_listening, cpu_seconds, free_ports, machine_cpu_seconds, on_cores, running
from tests.harness.waiting import eventually

CORES = os.sched_getaffinity(0)
LISTEN = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(60)"
STUBBORN = (
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print('up', flush=True); time.sleep(60)"
)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_runs_on_its_cores_and_ends_with_the_block(tmp_path):
    (port,) = free_ports(1)
    one = {min(CORES)}
    with running("child", [sys.executable, "-c", LISTEN, str(port)], cores=one, directory=tmp_path) as child:
        await_listening(child, ("127.0.0.1", port))
        pid = child.popen.pid
        assert os.sched_getaffinity(pid) == one
    assert os.sched_getaffinity(0) == CORES
    assert child.popen.returncode == -signal.SIGTERM
    assert not alive(pid)


async def test_what_a_child_started_is_seen_and_ends_even_if_the_child_is_stubborn(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.process.STOP_SECONDS", 0.2)
    command = [sys.executable, "-c", STUBBORN]
    with contextlib.suppress(KeyboardInterrupt), running("child", command, cores=CORES, directory=tmp_path) as child:
        await eventually(lambda: "up" in child.log.read_text())
        pids = child.pids()
        raise KeyboardInterrupt
    assert len(pids) == 2
    assert child.popen.returncode == -signal.SIGKILL
    await eventually(lambda: not any(map(alive, pids)))


def test_a_child_that_ends_early_is_named_with_its_last_words(tmp_path):
    with running("child", [sys.executable, "-c", "exit('no such port')"], cores=CORES, directory=tmp_path) as child:
        with pytest.raises(Unmeasurable, match="child ended with status 1: no such port"):
            await_listening(child, str(tmp_path / "absent.sock"))


def test_binding_to_cores_is_undone_after_an_error():
    with pytest.raises(RuntimeError), on_cores({min(CORES)}):
        raise RuntimeError
    assert os.sched_getaffinity(0) == CORES


def test_free_ports_differ():
    assert len(set(free_ports(5))) == 5


def test_cpu_clocks_advance():
    before, machine = cpu_seconds([os.getpid()]), machine_cpu_seconds()
    while cpu_seconds([os.getpid()]) < before + 0.05:
        pass
    assert machine_cpu_seconds() > machine
