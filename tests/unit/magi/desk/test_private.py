"""Files that only their owner can read (CLI-17)."""

import os

import pytest

from magi.client.errors import ProfileError
from magi.desk import private


def mode(path):
    return path.stat().st_mode & 0o777


@pytest.fixture(autouse=True)
def generous_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def test_directories_are_made_with_those_above_for_their_owner_only(tmp_path):
    private.make_directory(tmp_path / "a/b/c")
    assert [mode(tmp_path / one) for one in ("a", "a/b", "a/b/c")] == [0o700, 0o700, 0o700]


def test_a_directory_that_others_can_enter_is_refused_with_the_command_that_repairs_it(tmp_path):
    place = tmp_path / "my place"
    place.mkdir(mode=0o755)
    with pytest.raises(ProfileError, match=rf"chmod 700 '{place}'"):
        private.make_directory(place)


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProfileError, match="cannot be made"):
        private.make_directory(tmp_path / "file/below")


def test_files_are_made_for_their_owner_only(tmp_path):
    private.touch(tmp_path / "touched")
    private.write(tmp_path / "written", b"x")
    assert mode(tmp_path / "touched") == mode(tmp_path / "written") == 0o600


@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o660, 0o622])
def test_a_secret_that_others_can_read_is_refused_with_the_command_that_repairs_it(tmp_path, open_to):
    path = tmp_path / "identity.key"
    private.write(path, b"secret")
    path.chmod(open_to)
    with pytest.raises(ProfileError, match=rf"chmod 600 {path}"):
        private.read(path)
    path.chmod(0o600)
    assert private.read(path) == b"secret"


def test_a_file_of_another_user_is_refused(tmp_path, monkeypatch):
    private.touch(tmp_path / "theirs")
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(ProfileError, match="belongs to another user"):
        private.check(tmp_path / "theirs")


def test_touching_keeps_what_is_there(tmp_path):
    private.write(tmp_path / "kept", b"x")
    private.touch(tmp_path / "kept")
    assert private.read(tmp_path / "kept") == b"x"


def test_nothing_is_read_where_nothing_is(tmp_path):
    assert private.read(tmp_path / "none") is None


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "token.json"
    private.write(path, b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ProfileError, match="No space left"):
        private.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_gets_over_the_remains_of_one_that_was_killed(tmp_path):
    path = tmp_path / "token.json"
    (tmp_path / f".token.json.{os.getpid()}").write_bytes(b"half")
    private.write(path, b"whole")
    assert private.read(path) == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_the_bytes_are_on_the_disk_before_the_name_points_to_them(tmp_path, monkeypatch):
    path = tmp_path / "token.json"
    private.write(path, b"old")
    seen = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (seen.append(path.read_bytes()), real(descriptor)))
    private.write(path, b"new")
    assert seen == [b"old", b"new"]  # the file before the rename, the directory after it


def test_removing_works_twice(tmp_path):
    private.write(tmp_path / "gone", b"x")
    private.remove(tmp_path / "gone")
    private.remove(tmp_path / "gone")
    assert not (tmp_path / "gone").exists()
