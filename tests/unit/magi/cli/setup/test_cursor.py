import json

from magi.cli.setup.adapter import Home
from magi.cli.setup.cursor import pieces
from tests.unit.magi.cli.setup.homes import MAGI


def test_hooks_have_a_version_and_a_bound_on_loops_and_there_is_none_for_prompts(tmp_path):
    bridge, hooks = pieces(Home(tmp_path), MAGI)
    assert json.loads(bridge.snippet()) == {"mcpServers": {"magi": {"command": "/opt/magi/bin/magi", "args": ["mcp"]}}}
    said = json.loads(hooks.snippet())
    assert said["version"] == 1
    assert list(said["hooks"]) == ["sessionStart", "stop"]
    assert said["hooks"]["stop"] == [{"command": "/opt/magi/bin/magi hook stop --client cursor", "loop_limit": 3}]
