"""``daemon`` and ``mcp``."""

import json
import sys
from types import ModuleType

import pytest

from magi.daemon import process
from magi.desk.profile import Profile


@pytest.fixture
def profile(magi):
    """A profile that is set up."""
    return Profile.create({"username": "alice@example.com", "servers": ("127.0.0.1",)})


def test_without_a_profile_there_is_no_daemon(magi):
    for command in ("run", "start", "stop", "status"):
        status, _, err = magi("daemon", command)
        assert status == 9
        assert "magi register -u NAME" in err


@pytest.mark.usefixtures("profile")
def test_a_daemon_that_does_not_run_is_status_1(magi):
    assert magi("daemon", "status") == (1, "No daemon runs.\n", "")
    _, out, _ = magi("daemon", "status", "--json")
    assert json.loads(out) == {"type": "daemon", "runs": False, "pid": 0, "version": ""}


@pytest.mark.usefixtures("profile")
def test_stopping_what_does_not_run_is_no_error(magi):
    assert magi("daemon", "stop") == (0, "", "magi: No daemon runs.\n")


@pytest.mark.parametrize(
    ("ended", "status", "said"),
    [
        (process.Exit.DONE, 0, "This is the daemon of default"),
        (process.Exit.LOCKED, 1, "Another process has this profile"),
        (process.Exit.FAILED, 1, "Its log says why"),
    ],
)
@pytest.mark.usefixtures("profile")
def test_the_daemon_in_the_foreground_ends_as_it_does(magi, monkeypatch, ended, status, said):
    async def run(_profile):
        return ended

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(process, "log_to_file", lambda _profile: None)
    left, _, err = magi("daemon", "run")
    assert left == status
    assert said in err


def test_the_bridge_gets_the_options(magi, monkeypatch):
    given = []
    bridge = ModuleType("magi.bridge.server")
    bridge.main = lambda **options: given.append(options)
    monkeypatch.setitem(sys.modules, "magi.bridge.server", bridge)
    assert magi("mcp", "--crowd", "--no-brainxchange", "-p", "work", "-s", "host")[0] == 0
    assert given == [{"profile": "work", "brainxchange": False, "crowd": True, "servers": ("host",), "direct": False}]


def test_without_the_extra_there_is_one_line(magi, monkeypatch):
    # MCP-1
    for name in [
        *(one for one in sys.modules if one.partition(".")[0] == "mcp"),
        "mcp",
        "mcp.server",
        "mcp.server.stdio",
    ]:
        monkeypatch.setitem(sys.modules, name, None)
    status, out, err = magi("mcp")
    assert (status, out) == (9, "")
    assert err.count("\n") == 1
    assert "magi-exchange[mcp]" in err
