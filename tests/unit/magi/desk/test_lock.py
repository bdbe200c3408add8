"""One process per profile (CLI-23)."""

import os
import subprocess
import sys

import pytest

from magi.client.errors import ProfileError, StoreLocked
from magi.desk.lock import Lock

HOLD = """
import sys
from pathlib import Path
from magi.desk.lock import Lock
lock = Lock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "daemon.lock"


@pytest.fixture
def other(path):
    """Another process, which holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout.readline() == "held\n"
            yield child
        finally:
            child.kill()


def test_a_second_process_is_told_who_has_it(path, other):
    with pytest.raises(StoreLocked, match=rf"Process {other.pid} "):
        Lock(path)


def test_a_holder_that_is_killed_holds_nothing(path, other):
    other.kill()
    other.wait(10)
    with Lock(path) as lock:
        assert lock.held
        assert path.read_text() == f"{os.getpid()}\n"


def test_two_in_one_process_exclude_each_other(path):
    with Lock(path), pytest.raises(StoreLocked, match=rf"Process {os.getpid()} "):
        Lock(path)


def test_a_released_lock_is_free_and_its_file_stays(path):
    lock = Lock(path)
    lock.release()
    lock.release()
    assert not lock.held
    assert path.exists()
    with Lock(path):
        pass


def test_a_holder_that_did_not_say_its_id_yet_is_another_process(path):
    with Lock(path):
        path.write_text("")
        with pytest.raises(StoreLocked, match="Another process"):
            Lock(path)


def test_a_release_is_one_even_while_a_started_process_has_the_file_open(path):
    lock = Lock(path)
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock._descriptor]
    ) as child:
        try:
            lock.release()
            with Lock(path) as again:
                assert again.held
        finally:
            child.kill()


def test_a_lock_that_others_can_read_is_refused(path):
    path.touch(mode=0o644)
    path.chmod(0o644)
    with pytest.raises(ProfileError, match="chmod 600"):
        Lock(path)
