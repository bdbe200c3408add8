"""The file ``token.json`` (CLI-6)."""

import pytest

from magi.client.errors import ProfileError
from magi.client.model import Tokens
from magi.desk import private, tokens


@pytest.fixture
def path(tmp_path):
    return tmp_path / "token.json"


def test_the_newest_and_the_one_before_are_kept(path):
    assert tokens.read(path) == Tokens()
    for token in ("t1", "t2", "t3", "t3"):
        tokens.keep(path, token)
    assert tokens.read(path) == Tokens("t3", "t2")


def test_dropped_tokens_are_gone(path):
    tokens.keep(path, "t1")
    tokens.drop(path)
    tokens.drop(path)
    assert tokens.read(path) == Tokens()
    assert not path.exists()


def test_a_repeat_does_not_even_write(path, monkeypatch):
    tokens.keep(path, "t1")
    monkeypatch.delattr(private, "write")
    tokens.keep(path, "t1")


def test_tokens_that_others_can_read_are_refused(path):
    tokens.keep(path, "t1")
    path.chmod(0o644)
    with pytest.raises(ProfileError, match="chmod 600"):
        tokens.read(path)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"current": 3}', b"\xff"])
def test_a_damaged_file_is_refused_and_kept(path, damage):
    private.write(path, damage)
    with pytest.raises(ProfileError, match="damaged"):
        tokens.keep(path, "t2")
    assert path.read_bytes() == damage
