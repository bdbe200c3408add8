"""The commands of ``magi``."""

import importlib

import pytest
from typer.main import get_group

from magi import __version__
from magi.cli.program import COMMANDS, is_set_up
from magi.desk.profile import Profile


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_module_that_the_table_names(name):
    module = importlib.import_module(f"magi.cli.{COMMANDS[name][1]}")
    assert name in get_group(module.app).commands


def test_every_command_of_a_module_is_in_the_table():
    for module in {module for _, module in COMMANDS.values()}:
        names = get_group(importlib.import_module(f"magi.cli.{module}").app).commands
        assert {name for name in names if COMMANDS.get(name, ("", ""))[1] != module} == set()


def test_alone_and_not_set_up_it_shows_three_commands(magi):
    status, out, _ = magi()
    assert status == 0
    for command in ("magi register -u", "magi invite", "magi ask"):
        assert command in out


def test_alone_and_set_up_it_shows_what_there_is(magi):
    Profile.create({"username": "alice@example.com", "servers": ("127.0.0.1",)})
    assert is_set_up()
    _, out, _ = magi()
    assert "Usage: magi" in out
    assert out == magi("--help")[1]


def test_the_help_names_every_command_under_its_heading(magi):
    _, out, _ = magi("-h")
    lines = [line.split()[0] for line in out.splitlines() if line.startswith("  ") and line.split()[0] in COMMANDS]
    assert lines == list(COMMANDS)
    assert [line.rstrip(":") for line in out.splitlines() if line.rstrip(":") in {"Talk", "Friends", "Your say"}]


def test_a_misspelt_command_is_a_usage_error_with_a_suggestion(magi):
    status, out, err = magi("inbxo")
    assert (status, out) == (2, "")
    assert "Did you mean 'inbox'?" in err


def test_the_version_is_the_packages(magi):
    assert magi("--version") == (0, f"magi {__version__}\n", "")


def test_a_profile_that_cannot_be_is_not_set_up(monkeypatch):
    monkeypatch.setenv("MAGI_PROFILE", "NO NAME")
    assert not is_set_up()
