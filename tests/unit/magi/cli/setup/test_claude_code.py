import json

import pytest

from magi.cli.setup.adapter import Home
from magi.cli.setup.claude_code import Registered, pieces
from magi.cli.setup.commands import Magi
from magi.cli.setup.writing import Unusable
from tests.unit.magi.cli.setup.homes import MAGI


def registered(path, *, has_program=True):
    return Registered(path, MAGI, has_program)


def test_the_bridge_is_added_by_the_clients_own_command(tmp_path):
    change = registered(tmp_path / "none.json").change(undo=False)
    assert change.shown() == "$ claude mcp add --scope user magi -- /opt/magi/bin/magi mcp"


def test_one_that_moved_is_removed_first(tmp_path):
    path = tmp_path / ".claude.json"
    path.write_text(json.dumps({"mcpServers": {"magi": {"command": "/old/magi", "args": ["mcp"]}}}))
    lines = registered(path).change(undo=False).shown().splitlines()
    assert lines[0] == "$ claude mcp remove --scope user magi"
    assert len(lines) == 2
    assert registered(path).change(undo=True).shown() == lines[0]


def test_without_the_program_the_command_is_told(tmp_path):
    with pytest.raises(Unusable, match="claude is not found") as caught:
        registered(tmp_path / "none.json", has_program=False).change(undo=False)
    assert "claude mcp add" in caught.value.snippet
    assert registered(tmp_path / "none.json", has_program=False).change(undo=True) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"mcpServers": []}'])
def test_a_file_that_makes_no_sense_is_left_alone(tmp_path, text):
    path = tmp_path / ".claude.json"
    path.write_text(text)
    with pytest.raises(Unusable, match="left alone"):
        registered(path).change(undo=False)


def test_an_entry_of_somebody_elses_is_left_alone(tmp_path):
    path = tmp_path / ".claude.json"
    path.write_text(json.dumps({"mcpServers": {"magi": {"command": "npx"}}}))
    with pytest.raises(Unusable, match="somebody else's"):
        registered(path).change(undo=False)
    assert registered(path).change(undo=True) is None


def test_hooks_are_in_exec_form_and_only_wake_may_take_long(tmp_path):
    _, hooks = pieces(Home(tmp_path), Magi(("/opt/my magi",)))
    listed = json.loads(hooks.snippet())["hooks"]
    assert list(listed) == ["SessionStart", "UserPromptSubmit", "Stop"]
    handlers = [handler for groups in listed.values() for group in groups for handler in group["hooks"]]
    assert {handler["command"] for handler in handlers} == {"/opt/my magi"}
    said = [(handler["args"][1], handler["timeout"], handler.get("asyncRewake", False)) for handler in handlers]
    assert said == [
        ("start", 5, False),
        ("wake", 43200, True),
        ("prompt", 5, False),
        ("stop", 5, False),
        ("wake", 43200, True),
    ]


def test_a_directory_of_its_own_holds_everything(tmp_path):
    found = pieces(Home(tmp_path, {"CLAUDE_CONFIG_DIR": "/srv/claude"}), MAGI)
    assert [piece.where for piece in found] == ["/srv/claude/.claude.json", "/srv/claude/settings.json"]
    found = pieces(Home(tmp_path), MAGI)
    assert [piece.where for piece in found] == [str(tmp_path / ".claude.json"), str(tmp_path / ".claude/settings.json")]
