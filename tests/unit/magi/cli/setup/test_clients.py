"""Every client: set up, again, a foreign edit, taken back (CLI-42, CLI-47)."""

import json

import pytest

from magi.cli.forms import FORMS
from magi.cli.setup.clients import CLIENTS, Standing, standing, standings
from magi.cli.setup.commands import Magi
from tests.unit.magi.cli.setup.homes import HOMES, MAGI, files, wire, without_backups

each = pytest.mark.parametrize(("client", "home"), [(name, name) for name in CLIENTS], indirect=["home"], ids=CLIENTS)


def edit_by_hand(path):
    """Change a file as its owner would, without looking at what magi did."""
    text = path.read_text()
    if path.suffix == ".toml":
        path.write_text(text.replace("# What I like.", "# What I love.") + "\n[tui]\nnotifications = true  # always\n")
    elif path.suffix == ".json":
        data = json.loads(text)
        data["mine"] = {"kept": ["as", "it", "is"]}
        path.write_text(json.dumps(data, indent=4))


@each
def test_a_home_is_wired_as_its_folder_shows(client, home):
    assert wire(client, home) > 0
    assert without_backups(files(home.path)) == files(HOMES / client / "after")


@each
def test_setting_up_again_changes_nothing(client, home):
    wire(client, home)
    found = files(home.path)
    assert wire(client, home) == 0
    assert files(home.path) == found


@each
def test_taking_it_back_leaves_the_home_as_it_was(client, home):
    before = files(home.path)
    wire(client, home)
    assert wire(client, home, undo=True) > 0
    assert files(home.path) == before
    assert wire(client, home, undo=True) == 0


@each
def test_an_edit_between_setting_up_and_taking_back_stays(client, home):
    before = set(files(home.path))
    wire(client, home)
    ours = {path for path in home.path.rglob("*") if path.is_file() and "magi" in path.name}
    for path in set(home.path.rglob("*")) - ours:
        if path.is_file():
            edit_by_hand(path)
    wire(client, home, undo=True)
    found = files(home.path)
    assert not [name for name, text in found.items() if "magi" in text or "magi" in name]
    assert set(found) >= before
    for name, text in found.items():
        if name.endswith(".json"):
            assert json.loads(text)["mine"] == {"kept": ["as", "it", "is"]}
        elif name.endswith(".toml"):
            assert "# What I love." in text
            assert "notifications = true  # always" in text


@each
def test_the_text_from_before_is_kept_beside_each_changed_file(client, home):
    before = files(home.path)
    wire(client, home)
    backups = {name: text for name, text in files(home.path).items() if name.endswith(".magi-backup")}
    for name, text in backups.items():
        assert text == before[name.removesuffix(".magi-backup")]
    moved = Magi(("/elsewhere/magi",))
    assert wire(client, home, magi=moved) > 0
    assert {name: text for name, text in files(home.path).items() if name.endswith(".magi-backup")} == backups


@each
def test_a_magi_that_moved_takes_the_place_of_the_old_one(client, home):
    wire(client, home)
    moved = Magi(("/usr/bin/python3", "-m", "magi"), "work")
    wire(client, home, magi=moved)
    text = "".join(without_backups(files(home.path)).values())
    assert "/opt/magi/bin/magi" not in text
    assert "--profile" in text
    assert "work" in text
    assert wire(client, home, magi=moved) == 0


@each
def test_a_client_stands_as_it_was_left(client, home):
    pieces = CLIENTS[client].pieces(home, MAGI)
    assert standing(pieces) == (Standing.BARE, "")
    wire(client, home)
    assert standings(home, MAGI)[client] == (Standing.WIRED, "")
    assert standing(CLIENTS[client].pieces(home, Magi(("/else/magi",))))[0] is Standing.PARTLY


@each
def test_a_json_file_that_makes_no_sense_is_left_alone(client, home):
    for path in home.path.rglob("*.json"):
        path.write_text("{ // mine\n}")
    before = files(home.path)
    status, why = standing(CLIENTS[client].pieces(home, MAGI))
    assert status is Standing.STRANGE
    assert "left alone" in why
    assert files(home.path) == before


@each
def test_only_hooks_that_have_a_form_are_installed(client, home):
    wire(client, home)
    text = "".join(without_backups(files(home.path)).values())
    words = text.replace('"', " ").replace(",", " ").split()
    said = {words[n + 1] for n, word in enumerate(words) if word == "hook"}
    assert said - {"EVENT"} <= set(FORMS[client])
    assert client in words
