import sys

import pytest

from magi.cli.setup.commands import Magi, is_ours


def test_the_program_is_named_by_an_absolute_path(tmp_path, monkeypatch):
    program = tmp_path / "magi"
    program.write_text("")
    monkeypatch.chdir(tmp_path)
    assert Magi.here(called_as="magi").program == (str(program),)


def test_a_link_is_kept_for_it_survives_upgrades(tmp_path):
    (tmp_path / "magi-1.0").write_text("")
    (tmp_path / "magi").symlink_to(tmp_path / "magi-1.0")
    assert Magi.here(called_as=str(tmp_path / "magi")).program == (str(tmp_path / "magi"),)


def test_without_a_program_it_is_a_module_of_this_python(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert Magi.here(called_as="/x/__main__.py").program == (str(tmp_path / "python"), "-m", "magi")


def test_a_profile_stands_in_every_command():
    magi = Magi(("/opt/magi",), "work")
    assert magi.mcp() == ["/opt/magi", "mcp", "--profile", "work"]
    assert magi.hook("stop", "codex") == ["/opt/magi", "hook", "stop", "--client", "codex", "--profile", "work"]
    assert Magi(("/opt/magi",)).mcp() == ["/opt/magi", "mcp"]


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "/opt/my magi/magi", "args": ["hook", "stop"]},
        {"command": "'/opt/my magi/magi' hook stop --client codex"},
        {"command": ["/x/magi", "hook", "stop"]},
        {"command": "/usr/bin/python3 -m magi hook stop"},
    ],
)
def test_our_entries_are_known_by_their_command(entry):
    assert is_ours(entry, "hook")
    assert not is_ours(entry, "mcp")


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "/opt/magic hook stop"},
        {"command": "echo magi hook stop"},
        {"command": "magi ask bob hook"},
        {"command": "an 'open quote"},
        {"command": "/opt/magi", "args": {"hook": 1}},
        {"command": 7},
        {},
        "magi hook stop",
        None,
    ],
)
def test_nothing_else_is_taken_for_ours(entry):
    assert not is_ours(entry, "hook")
