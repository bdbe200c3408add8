"""Who may set what, and who did (CLI-20)."""

import pytest

from magi.client.errors import ProfileError
from magi.desk.settings import Origin, settle


@pytest.fixture
def environment(tmp_path):
    return {"MAGI_HOME": str(tmp_path)}


@pytest.fixture
def file(tmp_path):
    """Return what writes the settings of the default profile."""
    path = tmp_path / "config/default/config.toml"
    path.parent.mkdir(parents=True)
    return path


def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default(environment, file):
    flags = {"servers": ["flag.example.com"], "nickname": "Flag"}
    variables = {"MAGI_SERVER": "variable.example.com", "MAGI_NICKNAME": "Variable"}
    assert settle({}, environment).nickname == ""
    file.write_text('servers = ["file.example.com"]\nnickname = "File"')
    said = settle({}, environment)
    assert (said.servers, said.nickname) == (("wss://file.example.com/",), "File")
    said = settle({}, environment | variables)
    assert (said.servers, said.nickname) == (("wss://variable.example.com/",), "Variable")
    said = settle(flags, environment | variables)
    assert (said.servers, said.nickname) == (("wss://flag.example.com/",), "Flag")


def test_every_value_has_its_origin(environment, file):
    file.write_text('username = "alice"\n[consent]\ndefault = "mute"')
    table = settle({"nickname": "Al"}, environment | {"MAGI_LOG": "debug"}).table
    assert table["nickname"] == Origin("Al", "flag --nickname")
    assert table["log"] == Origin("debug", "environment MAGI_LOG")
    assert table["home"] == Origin(environment["MAGI_HOME"], "environment MAGI_HOME")
    assert table["username"] == Origin("alice", f"file {file}")
    assert table["consent.default"] == Origin("mute", f"file {file}")
    assert table["daemon.keep"] == Origin("auto", "default")
    assert table["limits.inbox_bytes"] == Origin(200 << 20, "default")
    assert table["profile"] == Origin("default", "default")


def test_the_server_variable_of_ours_comes_before_the_one_that_others_use_too(environment):
    theirs = environment | {"BRAINXCHANGE_SERVER": "b.example.com"}
    assert settle({}, theirs).table["servers"] == Origin(("wss://b.example.com/",), "environment BRAINXCHANGE_SERVER")
    assert settle({}, theirs | {"MAGI_SERVER": "a.example.com, localhost"}).servers == (
        "wss://a.example.com/",
        "ws://localhost:8082/",
    )


def test_empty_flags_and_variables_were_not_given(environment, file):
    file.write_text('nickname = "File"')
    said = settle({"nickname": "", "servers": ()}, environment | {"MAGI_NICKNAME": "", "MAGI_SERVER": ""})
    assert (said.nickname, said.servers) == ("File", ())


def test_the_profile_decides_which_file_counts(environment, tmp_path):
    other = tmp_path / "config/office/config.toml"
    other.parent.mkdir(parents=True)
    other.write_text('username = "worker"')
    assert settle({"profile": "office"}, environment).username == "worker"
    assert settle({}, environment | {"MAGI_PROFILE": "office"}).places.profile == "office"
    assert settle({}, environment).username == ""


@pytest.mark.parametrize(("value", "direct"), [("1", True), ("yes", True), ("0", False), ("false", False), ("", False)])
def test_direct_mode_is_a_yes_or_no(environment, value, direct):
    assert settle({}, environment | {"MAGI_DIRECT": value}).direct is direct


def test_direct_mode_by_flag(environment):
    assert settle({"direct": True}, environment).direct


def test_what_means_nothing_is_warned_about(environment, file):
    file.write_text('colour = "red"')
    said = settle({}, environment | {"MAGI_SERVRE": "x", "NO_COLOR": "1", "MAGI_LOG": "info"})
    assert len(said.warnings) == 2
    assert "MAGI_SERVRE" in said.warnings[0]
    assert "colour" in said.warnings[1]


@pytest.mark.parametrize("bad", [{"MAGI_SERVER": "ftp://x"}, {"MAGI_PROFILE": "No Name"}, {"MAGI_HOME": "relative"}])
def test_a_value_without_sense_is_refused(environment, bad):
    with pytest.raises(ProfileError):
        settle({}, environment | bad)


def test_there_is_no_built_in_server(environment):
    assert settle({}, environment).servers == ()
