"""Who types."""

import asyncio
import contextlib
import os
import sys

import pytest

from magi.cli import owner
from magi.cli.owner import NotThePerson, confirm, in_agent_shell, is_person, reply
from tests.harness.waiting import eventually


class Terminal:
    """A terminal for our standard streams: what is typed, and what is shown."""

    def __init__(self):
        self._ours, theirs = os.openpty()
        os.set_blocking(self._ours, False)
        self._shown = b""
        self._before = {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr")}
        self._streams = [os.fdopen(os.dup(theirs), mode) for mode in ("r", "w", "w")]
        os.close(theirs)

    def __enter__(self):
        """Put it in place. pytest does so with its own streams between fixtures and test: hence no fixture."""
        for name, stream in zip(self._before, self._streams, strict=True):
            setattr(sys, name, stream)
        return self

    def __exit__(self, *_):
        """Put back what was there."""
        for name, stream in self._before.items():
            setattr(sys, name, stream)
        for stream in self._streams:
            stream.close()
        os.close(self._ours)

    def type(self, text):
        """Type something."""
        os.write(self._ours, text)

    def shown(self):
        """Return what was shown so far, and what was typed, as terminals do."""
        with contextlib.suppress(BlockingIOError):
            self._shown += os.read(self._ours, 1000)
        return self._shown


def test_a_shell_of_an_agent_client_is_known_by_its_variable():
    assert in_agent_shell({"CLAUDE_CODE_CHILD_SESSION": "1"})
    # People have this one in their own terminals, too.
    assert not in_agent_shell({"CLAUDECODE": "1"})


def test_no_stream_of_ours_is_a_terminal_here():
    assert not is_person({})


def test_a_person_is_at_a_terminal_and_in_no_agents_shell():
    with Terminal():
        assert is_person({})
        assert not is_person({"CLAUDE_CODE_CHILD_SESSION": "1"})


async def test_a_reply_is_the_line_that_was_typed():
    with Terminal() as terminal:
        terminal.type(b"first\nsecond\n")
        assert await reply("? ") == "first"
        assert await reply("? ") == "second"


async def test_the_end_of_input_is_an_empty_reply():
    with Terminal() as terminal:
        terminal.type(b"\x04")
        assert await reply("? ") == ""


async def test_a_reply_that_nobody_types_can_be_given_up():
    with Terminal() as terminal:
        waiting = asyncio.create_task(reply("? "))
        await eventually(lambda: b"? " in terminal.shown())
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        terminal.type(b"later\n")
        assert await reply("? ") == "later"


async def test_the_number_shown_has_to_be_copied():
    with Terminal() as terminal:
        confirming = asyncio.create_task(confirm("raise it", {}))
        await eventually(lambda: b": " in terminal.shown())
        said, number = terminal.shown().decode().rstrip(": ").rsplit(" ", 1)
        assert said == "To raise it, type"
        assert len(number) == 4
        terminal.type(f"{number}\n".encode())
        await confirming


async def test_another_number_changes_nothing():
    with Terminal() as terminal:
        terminal.type(b"0\n")
        with pytest.raises(NotThePerson, match="not the number"):
            await confirm("raise it", {})


async def test_without_a_terminal_nobody_is_asked():
    with pytest.raises(NotThePerson, match="takes a terminal"):
        await confirm("raise it", {})


async def test_an_assistant_is_turned_away_at_a_terminal_too():
    with Terminal(), pytest.raises(NotThePerson, match="is up to your owner"):
        await confirm("raise it", {"CLAUDE_CODE_CHILD_SESSION": "1"})


async def test_numbers_differ(monkeypatch):
    numbers = set()

    async def typed(question):
        numbers.add(question)
        return ""

    monkeypatch.setattr(owner, "reply", typed)
    monkeypatch.setattr(owner, "at_terminal", lambda: True)
    for _ in range(20):
        with pytest.raises(NotThePerson):
            await confirm("raise it", {})
    assert len(numbers) > 10
