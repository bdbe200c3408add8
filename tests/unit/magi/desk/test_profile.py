"""One identity on this machine (CLI-19)."""

import os

import pytest

from magi.client.errors import ProfileError, StoreLocked
from magi.desk.lock import Lock
from magi.desk.ports import Mode
from magi.desk.profile import Profile

ALICE = {"username": "alice@example.com", "servers": ["a.example.com"]}


@pytest.fixture
def environment(tmp_path):
    return {"MAGI_HOME": str(tmp_path / "home")}


@pytest.fixture
def profile(environment):
    return Profile.create(ALICE, environment)


def test_a_profile_that_was_created_is_loaded_without_its_flags(profile, environment):
    loaded = Profile.load({}, environment)
    assert (loaded.name, loaded.username, loaded.nickname) == ("default", "alice@example.com", "alice")
    assert loaded.servers == ("wss://a.example.com/",)
    assert loaded.default_mode is Mode.ASK
    assert loaded.responder.for_friend("bob") == ()
    assert loaded.limits.inbox_bytes == 200 << 20


def test_everything_is_made_for_its_owner_only(environment):
    before = os.umask(0)
    try:
        profile = Profile.create(ALICE, environment)
    finally:
        os.umask(before)
    places = profile.places
    assert {path.stat().st_mode & 0o777 for path in (places.config, places.data, places.state)} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in (places.settings, places.identity_key, places.lock)} == {0o600}


def test_a_profile_that_is_not_set_up_says_what_to_run(environment):
    with pytest.raises(ProfileError, match=r"magi register -u NAME -p office$"):
        Profile.load({"profile": "office"}, environment)
    with pytest.raises(ProfileError, match=r"magi register -u NAME$"):
        Profile.load({}, environment)


def test_a_profile_needs_a_username(environment):
    with pytest.raises(ProfileError, match="-u NAME"):
        Profile.create({}, environment)


def test_creating_again_keeps_the_key_and_takes_new_settings(profile, environment):
    with profile.hold() as lock:
        key = profile.identity_key(lock)
    again = Profile.create({**ALICE, "nickname": "Al", "servers": ["b.example.com"]}, environment)
    with again.hold() as lock:
        assert again.identity_key(lock) == key
    assert (again.nickname, again.servers) == ("Al", ("wss://b.example.com/",))


def test_a_profile_does_not_change_its_name(profile, environment):
    with pytest.raises(ProfileError, match=r"belongs to alice@example\.com"):
        Profile.create({"username": "bob"}, environment)
    assert Profile.load({}, environment).username == "alice@example.com"


def test_a_profile_in_use_is_not_created_again(profile, environment):
    with profile.hold(), pytest.raises(StoreLocked):
        Profile.create(ALICE, environment)


def test_each_profile_has_a_key_of_its_own(profile, environment):
    other = Profile.create({"profile": "office", "username": "worker"}, environment)
    with profile.hold() as one, other.hold() as two:
        keys = {profile.identity_key(one), other.identity_key(two)}
    assert len(keys) == 2
    assert {len(key) for key in keys} == {32}


def test_without_a_server_nothing_is_guessed(environment):
    profile = Profile.create({"username": "alice"}, environment)
    with pytest.raises(ProfileError, match="--server"):
        _ = profile.servers


def test_without_a_username_in_the_settings_none_is_guessed(profile, environment):
    profile.change({"username": None})
    loaded = Profile.load({}, environment)
    with pytest.raises(ProfileError, match="has no username"):
        _ = loaded.username


def test_a_key_that_others_can_read_is_refused_with_the_command_that_repairs_it(profile, environment):
    profile.places.identity_key.chmod(0o644)
    with pytest.raises(ProfileError, match=r"chmod 600 .*identity\.key"):
        Profile.load({}, environment)


def test_a_directory_that_others_can_enter_is_refused(profile, environment):
    profile.places.data.chmod(0o755)
    with pytest.raises(ProfileError, match="chmod 700"):
        Profile.load({}, environment)


def test_key_and_store_want_the_lock_of_this_very_profile(profile, tmp_path):
    lock = profile.hold()
    lock.release()
    with pytest.raises(StoreLocked):
        profile.identity_key(lock)
    with pytest.raises(StoreLocked):
        profile.store(lock)
    with Lock(tmp_path / "other.lock") as other, pytest.raises(StoreLocked):
        profile.store(other)


def test_a_damaged_key_is_refused(profile):
    profile.places.identity_key.write_bytes(b"short")
    with profile.hold() as lock, pytest.raises(ProfileError, match="damaged"):
        profile.identity_key(lock)


async def test_its_store_opens_and_keeps(profile):
    with profile.hold() as lock:
        store = profile.store(lock)
        await store.open()
        await store.keep_token("t1")
        await store.close()
        assert profile.places.store.exists()
        assert profile.places.tokens.exists()


def test_settings_are_changed_in_the_file(profile, environment):
    assert profile.change({"consent.default": "mute"}).default_mode is Mode.MUTE
    assert profile.default_mode is Mode.ASK
    assert Profile.load({}, environment).default_mode is Mode.MUTE
