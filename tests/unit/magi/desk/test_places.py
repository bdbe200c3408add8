"""Where the files of a profile are (CLI-17, CLI-19)."""

import os
from pathlib import Path

import pytest

from magi.client.errors import ProfileError
from magi.desk import places
from magi.desk.places import Places

XDG = {
    "HOME": "/home/alice",
    "XDG_CONFIG_HOME": "/c",
    "XDG_DATA_HOME": "/d",
    "XDG_STATE_HOME": "/s",
    "XDG_RUNTIME_DIR": "/r",
}


def test_files_are_where_the_desktop_wants_them():
    found = Places.of("office", XDG)
    assert found.settings == Path("/c/magi/office/config.toml")
    assert found.identity_key == Path("/d/magi/office/identity.key")
    assert found.tokens == Path("/d/magi/office/token.json")
    assert found.store == Path("/d/magi/office/magi.db")
    assert found.lock == Path("/d/magi/office/daemon.lock")
    assert found.log == Path("/s/magi/office/daemon.log")
    assert found.socket == Path("/r/magi/office.sock")


def test_without_a_desktop_they_are_in_the_home_and_the_socket_is_with_the_data():
    found = Places.of("default", {"HOME": "/home/alice"})
    assert found.config == Path("/home/alice/.config/magi/default")
    assert found.data == Path("/home/alice/.local/share/magi/default")
    assert found.state == Path("/home/alice/.local/state/magi/default")
    assert found.socket == found.data / "default.sock"


def test_relative_directories_of_the_desktop_are_ignored():
    found = Places.of("default", {"HOME": "/home/alice", "XDG_DATA_HOME": "data", "XDG_RUNTIME_DIR": "run"})
    assert found.data == Path("/home/alice/.local/share/magi/default")
    assert found.socket.parent == found.data


def test_one_root_holds_everything_whatever_the_desktop_says():
    found = Places.of("office", {**XDG, "MAGI_HOME": "/m"})
    below = (found.settings, found.identity_key, found.store, found.lock, found.log, found.socket)
    assert all(path.is_relative_to("/m") for path in below)
    assert found.socket == Path("/m/run/office.sock")


def test_a_relative_root_is_refused():
    with pytest.raises(ProfileError, match="MAGI_HOME"):
        Places.of("office", {"MAGI_HOME": "here"})


def test_two_profiles_share_no_file():
    one, two = Places.of("one", XDG), Places.of("two", XDG)
    assert not {one.settings, one.store, one.lock, one.log, one.socket} & {
        *(two.settings, two.store, two.lock, two.log, two.socket)
    }


@pytest.mark.parametrize("name", ["", "Work", "a b", "../x", "a/b", "a.b", "x" * 33, "ä", "work\n"])
def test_what_is_no_name_of_a_profile_is_refused(name):
    with pytest.raises(ProfileError, match="no name of a profile"):
        Places.of(name, XDG)


@pytest.mark.parametrize("name", ["a", "work-2", "x" * 32, "-"])
def test_names_of_profiles(name):
    assert Places.of(name, XDG).profile == name


def test_the_path_of_a_socket_is_short_enough_for_every_system():
    deep = "/" + "x" * 90
    found = Places.of("office", {**XDG, "XDG_RUNTIME_DIR": deep})
    assert len(os.fsencode(found.socket)) < 100
    assert not found.socket.is_relative_to(deep)
    assert found.socket != Places.of("other", {**XDG, "XDG_RUNTIME_DIR": deep}).socket
    assert found.socket == Places.of("office", {**XDG, "XDG_RUNTIME_DIR": deep}).socket


def test_profiles_are_those_with_settings(tmp_path):
    environment = {"MAGI_HOME": str(tmp_path)}
    assert places.profiles(environment) == ()
    for name in ("office", "home", "Not.One"):
        (tmp_path / "config" / name).mkdir(parents=True)
    (tmp_path / "config/office/config.toml").touch()
    (tmp_path / "config/home/config.toml").touch()
    (tmp_path / "config/Not.One/config.toml").touch()
    (tmp_path / "config/empty").mkdir()
    assert places.profiles(environment) == ("home", "office")
