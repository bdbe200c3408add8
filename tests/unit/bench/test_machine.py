"""Twin of ``bench/machine.py``."""

import json
import os
import platform

from bench import machine
from bench.stacks import ROOT


def test_machine_is_described_without_names_of_hosts_or_folders():
    said = json.dumps(machine.describe())
    assert platform.node() not in said
    assert str(ROOT) not in said


def test_versions_are_numbers():
    found = machine.describe()
    assert found["python"] == platform.python_version()
    assert found["valkey"].split(".")[0].isdecimal()
    assert found["cores"] == len(os.sched_getaffinity(0))


def test_a_program_that_is_not_there_has_no_version(monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda _name: None)
    assert machine.describe()["node"] == ""
    assert machine.commit() == {"commit": "", "changed": False}
