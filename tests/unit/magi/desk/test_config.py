"""The file ``config.toml`` (CLI-17)."""

import os

import pytest

from magi.client.errors import ProfileError
from magi.desk import config
from magi.desk.config import Config
from magi.desk.ports import Mode

FULL = """
servers = ["wss://a.example.com/"]
username = "alice@example.com"
nickname = "Alice"
[consent]
default = "mute"
[responder]
command = ["claude", "--print"]
[responder.friends]
"bob@example.com" = ["./answer-bob"]
[limits]
inbox_bytes = 5
[daemon]
keep = "always"
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config.toml"


def test_a_file_says_everything(path):
    path.write_text(FULL)
    said = Config.of(config.read(path))
    assert said.servers == ("wss://a.example.com/",)
    assert (said.username, said.nickname, said.keep) == ("alice@example.com", "Alice", "always")
    assert said.default_mode is Mode.MUTE
    assert said.limits.inbox_bytes == 5
    assert said.unknown == ()


def test_a_friend_may_have_a_responder_of_its_own(path):
    path.write_text(FULL)
    responder = Config.of(config.read(path)).responder
    assert responder.for_friend("bob@example.com") == ("./answer-bob",)
    assert responder.for_friend("carol@example.com") == ("claude", "--print")


def test_without_a_file_the_defaults_hold_and_nobody_answers_by_itself(path):
    said = Config.of(config.read(path))
    assert said == Config()
    assert said.default_mode is Mode.ASK
    assert said.responder.for_friend("bob") == ()
    assert said.limits.inbox_bytes == 200 << 20


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('consent.default = "always"', "consent.default"),
        ("consent = 3", "consent"),
        ("username = 3", "username"),
        ('servers = "wss://a"', "servers"),
        ("limits.inbox_bytes = 0", "limits.inbox_bytes"),
        ('limits.inbox_bytes = "big"', "limits.inbox_bytes"),
        ("limits.inbox_bytes = true", "limits.inbox_bytes"),
        ('responder.command = "claude"', "responder.command"),
        ('responder.friends = ["x"]', "responder.friends"),
        ('daemon.keep = "never"', "daemon.keep"),
    ],
)
def test_a_wrong_value_is_refused_by_name(path, text, named):
    path.write_text(text)
    with pytest.raises(ProfileError, match=named):
        Config.of(config.read(path))


def test_a_wrong_word_is_answered_with_the_right_ones(path):
    path.write_text('consent.default = "always"')
    with pytest.raises(ProfileError, match="ask, auto, mute"):
        Config.of(config.read(path))


def test_what_is_no_toml_is_refused_with_its_place(path):
    path.write_text("username = \n")
    with pytest.raises(ProfileError, match=r"config\.toml is not valid TOML.*line 1"):
        config.read(path)


def test_a_file_that_cannot_be_read_is_refused(path):
    path.mkdir()
    with pytest.raises(ProfileError, match="cannot be read"):
        config.read(path)


def test_unknown_keys_are_named_and_kept(path):
    path.write_text('colour = "red"\n[limits]\nspeed = 3\n[later.inner]\nx = 1979-05-27\n')
    assert Config.of(config.read(path)).unknown == ("colour", "limits.speed", "later")
    before = config.read(path)
    config.change(path, {"username": "alice", "limits.inbox_bytes": 7})
    after = config.read(path)
    assert after.pop("username") == "alice"
    assert after["limits"].pop("inbox_bytes") == 7
    assert after == before


def test_a_change_returns_what_the_file_says_now(path):
    assert config.change(path, {"username": "alice"}).username == "alice"
    assert config.change(path, {"consent.default": "auto"}).default_mode is Mode.AUTO
    assert config.change(path, {"consent.default": None}).default_mode is Mode.ASK
    assert config.read(path) == {"username": "alice", "consent": {}}


def test_a_setting_that_there_is_not_cannot_be_set(path):
    with pytest.raises(ProfileError, match="no setting colour"):
        config.change(path, {"colour": "red"})
    assert not path.exists()


def test_nonsense_does_not_get_into_the_file(path):
    config.change(path, {"username": "alice"})
    before = path.read_bytes()
    for changes in ({"consent.default": "always"}, {"username": "bob", "daemon.keep": 3}):
        with pytest.raises(ProfileError):
            config.change(path, changes)
    path.write_bytes(b"consent = 3\n" + before)
    with pytest.raises(ProfileError, match="must be a table"):
        config.change(path, {"consent.default": "ask"})
    assert path.read_bytes() == b"consent = 3\n" + before


def test_the_file_is_for_its_owner_only(path):
    before = os.umask(0)
    try:
        config.change(path, {"username": "alice"})
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
