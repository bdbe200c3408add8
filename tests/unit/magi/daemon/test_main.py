import logging

import pytest

from magi.daemon import __main__, process
from magi.daemon.process import Exit
from tests.harness.offices import profile


@pytest.fixture
def runs(monkeypatch, place):
    monkeypatch.setenv("MAGI_HOME", str(place))
    seen = []

    async def run(profile, *, idle_seconds):
        seen.append((profile.name, profile.servers, idle_seconds))
        return Exit.LOCKED

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(process, "log_to_file", lambda _: None)
    return seen


def test_it_runs_the_profile_that_it_is_told(runs, place):
    profile(place, "alice", "ws://127.0.0.1:1/")
    assert __main__.main(["--profile", "alice", "--server", "ws://127.0.0.1:2/", "--idle-seconds", "5"]) == Exit.LOCKED
    assert runs == [("alice", ("ws://127.0.0.1:2/",), 5.0)]
    assert logging.getLogger("magi").handlers == []


def test_a_profile_that_is_not_set_up_is_told_in_one_sentence(runs, capsys):
    assert __main__.main(["--profile", "nobody"]) == Exit.FAILED
    assert "not set up" in capsys.readouterr().err
    assert runs == []
