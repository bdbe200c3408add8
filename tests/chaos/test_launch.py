"""A node can be started with a wrong clock, or with a broken promise; its steady clock stays right."""

import subprocess
import sys
import time

import pytest

from tests.chaos.launch import WrongClock
from tests.chaos.mutants import MUTANTS
from tests.harness.cluster import ROOT


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def test_the_wall_clock_is_off_by_what_the_file_says(tmp_path, monkeypatch):
    file = tmp_path / "shift"
    file.write_text("3600")
    monkeypatch.setattr("tests.chaos.launch.LOOK_SECONDS", 0.0)
    clock = WrongClock(file)
    assert clock.time() - time.time() == pytest.approx(3600, abs=30)
    assert clock.time_ns() - time.time_ns() == pytest.approx(3600e9, abs=30e9)
    file.write_text("-60")
    assert clock.time() - time.time() == pytest.approx(-60, abs=30)
    file.write_text("")  # in the middle of a write
    assert clock.time() - time.time() == pytest.approx(-60, abs=30)


def test_a_process_is_launched_with_a_wrong_clock_and_runs_the_program(tmp_path):
    (tmp_path / "shift").write_text("86400")
    done = run("-m", "tests.chaos.launch", "--clock", str(tmp_path / "shift"), "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("magi-exchange")


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_changes_code_that_is_there(name):
    done = run("-c", f"from tests.chaos.mutants import MUTANTS; MUTANTS[{name!r}]()")
    assert done.returncode == 0, done.stderr
