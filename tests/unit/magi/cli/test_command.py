"""What all commands have in common."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import pytest
import typer
from typer.main import get_group

from magi.cli.command import OPTIONS, Run, carry_out, command, complaint
from magi.cli.output import Output
from magi.cli.program import COMMANDS, Commands
from magi.cli.statuses import Status, row_of
from magi.client.errors import MagiError, NotConnected, NotFriends, OutcomeUnknown, ProfileError, RateLimited
from magi.daemon.port import DaemonAway, DeskError


def run():
    return Run({}, Output(as_json=False))


def raising(error):
    async def action(_run):
        raise error

    return action


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in {"daemon", "mcp"}])
def test_every_command_has_the_common_options_and_an_example(name):
    # CLI-28
    found = Commands(name="magi").get_command(None, name)
    assert set(OPTIONS) <= {one.name for one in found.params}
    assert f"\n\nmagi {name}" in found.help


def test_options_are_settings_of_the_run():
    assert Run.of("work", ["a", "b"], as_json=False, direct=True, debug=False).options == {
        "profile": "work",
        "servers": ("a", "b"),
        "direct": True,
    }
    assert Run.of("", None, as_json=False, direct=False, debug=False).options == {}


def test_the_common_options_reach_the_run():
    seen = []
    app = typer.Typer(rich_markup_mode=None)

    @command(app, "one")
    async def one(run, word: str):
        seen.append((run.options, run.out.as_json, run.debug, word))
        return Status.HELD

    with pytest.raises(SystemExit) as ended:
        get_group(app).main(["one", "x", "-a", "work", "-s", "host", "--json", "--debug"])
    assert ended.value.code == 10
    assert seen == [({"profile": "work", "servers": ("host",)}, True, True, "x")]


def test_a_command_that_says_nothing_else_is_done():
    async def action(_run):
        pass

    assert carry_out(action, run(), {}) == 0


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (
            NotConnected("The exchange cannot be reached right now."),
            8,
            "magi: The exchange cannot be reached right now. U. Look",
        ),
        (
            NotFriends("No active connection with bob"),
            7,
            'magi: The exchange says: "No active connection with bob". U. See',
        ),
        (
            RateLimited("Slow down", "rate_limited", 4100),
            7,
            'magi: The exchange says: "Slow down". U. Try again in 5 s.',
        ),
        (OutcomeUnknown(), 6, "magi: It may or may not have happened. Look before you repeat it"),
        (DaemonAway("It ended."), 1, "magi: It ended. Try again"),
        (DeskError("Nobody is called so. U."), 1, "magi: Nobody is called so. U.\n"),
        (ProfileError("Run: magi register"), 9, "magi: Run: magi register U.\n"),
    ],
)
def test_an_error_says_what_happened_what_became_of_it_and_what_to_do(capsys, error, status, said):
    # CLI-32
    assert carry_out(raising(error), run(), {}, "U.") == status
    assert capsys.readouterr().err.startswith(said)


def test_only_what_certainly_did_nothing_says_so():
    for error in (OutcomeUnknown(), DaemonAway()):
        assert "Nothing was sent." not in complaint(error, row_of(error), "Nothing was sent.")


def test_a_fault_of_ours_is_one_line_and_with_debug_a_traceback(capsys):
    assert carry_out(raising(ValueError("odd")), run(), {}) == 1
    assert capsys.readouterr().err == "magi: ValueError: odd. This is a fault of magi; --debug shows where.\n"
    with pytest.raises(ValueError, match="odd"):
        carry_out(raising(ValueError("odd")), Run({}, Output(as_json=False), debug=True), {})
    with pytest.raises(MagiError):
        carry_out(raising(MagiError("odd")), Run({}, Output(as_json=False), debug=True), {})


def test_an_interrupt_ends_the_command_with_its_own_status():
    ended = []

    async def action(_run):
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    assert carry_out(action, run(), {}) == 130
    assert ended


def test_a_reader_that_has_gone_is_no_fault_of_ours():
    with pytest.raises(BrokenPipeError):
        carry_out(raising(BrokenPipeError()), run(), {})


@pytest.mark.parametrize(("starts", "is_direct"), [(True, False), (False, True)])
def test_a_command_that_only_looks_starts_no_daemon(monkeypatch, starts, is_direct):
    # CLI-22
    given = {}

    class Profile:
        """As much of one as it takes."""

        class settings:
            """Nothing set."""

            direct = False

    @asynccontextmanager
    async def opened(_profile, *, face, direct):
        given.update(face=face, direct=direct)
        yield "desk"

    monkeypatch.setattr("magi.daemon.start.desk", opened)
    monkeypatch.setattr(Run, "profile", lambda _run: Profile)

    async def action(run):
        async with run.desk(starts=starts) as desk:
            assert desk == "desk"

    assert carry_out(action, run(), {}) == 0
    # Without a terminal, whoever started us is taken for an assistant.
    assert given == {"face": "script", "direct": is_direct}
