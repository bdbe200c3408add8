"""The program with a desk that a test arranges."""

import contextlib
import sys

import pytest

from magi.cli.command import Run
from magi.cli.main import main
from tests.harness.fake_desk import FakeDesk


@pytest.fixture
def desk(monkeypatch):
    """The desk that every command gets."""
    fake = FakeDesk()

    @contextlib.asynccontextmanager
    async def opened(_run, *, starts=False):
        fake.started = starts
        yield fake

    monkeypatch.setattr(Run, "desk", opened)
    return fake


@pytest.fixture
def magi(monkeypatch, capsys, tmp_path):
    """Run the program: ``magi("ask", "bob", "?")`` returns status, standard output and standard error."""
    for name in ("MAGI_PROFILE", "MAGI_SERVER", "BRAINXCHANGE_SERVER", "MAGI_USERNAME", "CLAUDE_CODE_CHILD_SESSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MAGI_HOME", str(tmp_path / "home"))

    def run(*argv):
        monkeypatch.setattr(sys, "argv", ["magi", *argv])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def person(monkeypatch):
    """A person at a terminal, who types these replies; a question for a number gets the number."""
    replies = []

    async def reply(question):
        if ", type " in question:
            return question.rpartition("type ")[2].rstrip(": ")
        return replies.pop(0)

    monkeypatch.setattr("magi.cli.owner.at_terminal", lambda: True)
    monkeypatch.setattr("magi.cli.owner.is_person", lambda *_: True)
    monkeypatch.setattr("magi.cli.owner.reply", reply)
    return replies
