"""``magi setup``."""

import json
import os

import pytest

from magi.cli.setup.clients import CLIENTS
from tests.unit.magi.cli.setup.homes import HOMES, files, home_of

CODEX_FILES = {".codex/config.toml", ".codex/hooks.json"}


@pytest.fixture
def user(tmp_path, monkeypatch):
    """The home of somebody who has codex only, for the program as it runs."""
    home = home_of("codex", tmp_path)
    for name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home.path))
    (tmp_path / "none").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    return home.path


def test_all_clients_that_are_here_are_wired_and_each_change_is_shown(magi, user):
    status, out, err = magi("setup")
    assert status == 0
    assert "+[mcp_servers.magi]" in out
    assert "codex: wired for level B" in out
    assert not [name for name in CLIENTS if name != "codex" and f"{name}:" in out]
    assert "trust" in err
    assert "no profile yet" in err
    assert "[mcp_servers.magi]" in (user / ".codex/config.toml").read_text()


def test_a_second_time_there_is_nothing_to_do_and_it_can_be_taken_back(magi, user):
    before = files(user)
    magi("setup")
    _, out, _ = magi("setup")
    assert out.startswith("codex: wired already")
    status, out, _ = magi("setup", "codex", "--undo")
    assert status == 0
    assert "-[mcp_servers.magi]" in out
    assert files(user) == before


def test_a_dry_run_shows_and_does_nothing(magi, user):
    before = files(user)
    status, out, _ = magi("setup", "--dry-run", "-u", "alice@example.com")
    assert status == 0
    assert "+[mcp_servers.magi]" in out
    assert "nothing was done" in out
    assert files(user) == before
    assert not os.path.exists(os.environ["MAGI_HOME"])


def test_a_file_that_does_not_parse_is_left_alone_and_what_belongs_there_is_printed(magi, user):
    (user / ".codex/config.toml").write_text("not = = toml")
    status, out, err = magi("setup", "codex")
    assert status == 1
    assert "left alone" in err
    assert "[mcp_servers.magi]" in err
    assert (user / ".codex/config.toml").read_text() == "not = = toml"
    # The other file could be changed, and was.
    assert "hook stop" in (user / ".codex/hooks.json").read_text()
    assert "wired for" not in out


def test_for_other_clients_what_belongs_there_is_printed(magi, user):
    before = files(user)
    status, out, err = magi("setup", "--print")
    assert status == 0
    assert json.loads(out)["mcpServers"]["magi"]["args"][-1] == "mcp"
    assert "tools" in err
    _, out, _ = magi("setup", "cursor", "--print")
    assert "loop_limit" in out
    assert files(user) == before


def test_a_profile_is_made_if_there_is_none_and_a_name_is_given(magi, user):
    status, _, err = magi("setup", "-u", "alice@example.com", "-s", "ws://exchange.example.com", "-p", "work")
    assert status == 0
    assert "The profile work is made" in err
    assert "exchange.example.com is not encrypted on the way" in err
    assert '"mcp", "--profile", "work"]' in (user / ".codex/config.toml").read_text()


def test_json_tells_which_files_but_not_what_is_in_them(magi, user):
    _, out, _ = magi("setup", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["type"] for line in lines] == ["change", "change", "client"]
    assert {line["file"].removeprefix(f"{user}/") for line in lines[:2]} == CODEX_FILES
    assert "trusted" not in out
    assert lines[2] == {
        "type": "client", "client": "codex", "changed": True, "done": True, "undone": False, "level": "B",
    }  # fmt: skip


@pytest.mark.usefixtures("user")
def test_a_client_that_nobody_knows_is_a_usage_error(magi):
    status, _, err = magi("setup", "emacs")
    assert status == 2
    assert "claude-code, codex" in err


def test_where_no_client_is_here_the_owner_is_told(magi, user, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "none"))
    status, out, err = magi("setup")
    assert (status, out) == (0, "")
    assert "magi setup --print" in err


def test_every_client_has_its_folders():
    assert {path.name for path in HOMES.iterdir()} == set(CLIENTS)
