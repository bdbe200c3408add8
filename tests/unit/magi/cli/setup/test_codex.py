import json
import shlex
import tomllib

from magi.cli.setup.adapter import Home
from magi.cli.setup.codex import ADAPTER, pieces
from magi.cli.setup.commands import Magi


def test_the_bridge_has_time_to_start_and_to_wait(tmp_path):
    bridge, _ = pieces(Home(tmp_path), Magi(("/opt/magi",)))
    assert tomllib.loads(bridge.snippet())["mcp_servers"]["magi"] == {
        "command": "/opt/magi",
        "args": ["mcp"],
        "startup_timeout_sec": 30,
        "tool_timeout_sec": 90,
    }


def test_hooks_are_lines_for_a_shell(tmp_path):
    _, hooks = pieces(Home(tmp_path), Magi(("/opt/my magi/magi",)))
    listed = json.loads(hooks.snippet())["hooks"]
    assert list(listed) == ["SessionStart", "UserPromptSubmit", "Stop"]
    ((handler,),) = ([*group["hooks"]] for group in listed["Stop"])
    assert shlex.split(handler["command"]) == ["/opt/my magi/magi", "hook", "stop", "--client", "codex"]
    assert handler["timeout"] == 5


def test_the_owner_is_told_to_trust_the_hooks():
    assert "/hooks" in ADAPTER.remark


def test_a_directory_of_its_own_is_honoured(tmp_path):
    found = pieces(Home(tmp_path, {"CODEX_HOME": "/srv/codex"}), Magi(("/opt/magi",)))
    assert [piece.where for piece in found] == ["/srv/codex/config.toml", "/srv/codex/hooks.json"]
