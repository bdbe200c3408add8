"""What all commands have in common: their options, their desk, and how their errors end the program."""

import contextlib
import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Concatenate

import typer

from magi.cli import owner
from magi.cli.output import Output
from magi.cli.statuses import Row, Status, row_of
from magi.client.errors import MagiError, RateLimited, Refused
from magi.daemon.port import Caller, Desk, DeskError

if TYPE_CHECKING:
    from magi.desk.profile import Profile

# A command's --help needs neither an event loop nor a store (DEP-6).
# ruff: noqa: PLC0415

ProfileOption = Annotated[
    str, typer.Option("--profile", "-p", "--agent", "-a", help="Which of your profiles.", metavar="NAME")
]
ServerOption = Annotated[
    list[str] | None, typer.Option("--server", "-s", help="Address of an exchange; may be repeated.", metavar="ADDRESS")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]
DirectOption = Annotated[
    bool, typer.Option("--direct", help="Without a daemon: waiting mail comes at the next command.")
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")]

OPTIONS: dict[str, tuple[object, object]] = {
    "profile": (ProfileOption, ""),
    "server": (ServerOption, None),
    "as_json": (JsonOption, False),
    "direct": (DirectOption, False),
    "debug": (DebugOption, False),
}
"""Name, annotation and default of the options that every command has (CLI-28)."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the program: the options that every command has, and where it prints.

    ``options`` are settings for this run, as :func:`magi.desk.settings.settle` takes them.
    """

    options: dict[str, object]
    out: Output
    debug: bool = False

    @classmethod
    def of(cls, profile: str, server: list[str] | None, *, as_json: bool, direct: bool, debug: bool) -> "Run":
        """Return the run that these options ask for."""
        options = {"profile": profile, "servers": tuple(server or ()), "direct": direct}
        return cls({name: value for name, value in options.items() if value}, Output(as_json=as_json), debug)

    @property
    def caller(self) -> Caller:
        """On whose behalf the command runs. Without a terminal it is taken for an assistant's."""
        origin = "human" if owner.is_person() else "model"
        return Caller(face="cli", origin=origin, session=f"cli-{os.getpid()}")

    def profile(self) -> "Profile":
        """Return the profile that this run is about, and print what is strange about its settings.

        Raises:
            ProfileError: It is not set up, or cannot be used.
        """
        from magi.desk.profile import Profile

        profile = Profile.load(self.options)
        for warning in profile.settings.warnings:
            self.out.note(f"magi: {warning}")
        return profile

    @contextlib.asynccontextmanager
    async def desk(self, *, starts: bool = False) -> AsyncIterator[Desk]:
        """Give the owner's desk: the daemon's, or one in this process if there is none.

        Args:
            starts: Start a daemon if there is none: what the command begins goes on after it (CLI-22).

        Raises:
            ProfileError: The profile is not set up, or cannot be used.
            DaemonAway: The daemon did not start.
        """
        from magi.daemon import start

        profile = self.profile()
        face = "cli" if owner.is_person() else "script"
        async with start.desk(profile, face=face, direct=profile.settings.direct or not starts) as desk:
            yield desk


Action = Callable[Concatenate[Run, ...], Awaitable[Status | None]]
"""What a command does; ``None`` is :attr:`Status.DONE`."""


def command(
    app: typer.Typer, name: str, *, undone: str = "", context: dict[str, Any] | None = None
) -> Callable[[Action], Action]:
    """Make an action a command of ``app``: it gets the common options, an event loop, and an end for every error.

    Args:
        app: The group of commands.
        name: What is typed.
        undone: What to say when the action certainly did nothing: ``Nothing was sent.``
        context: Settings of the parser, for commands that pass their arguments on.
    """

    def register(action: Action) -> Action:
        own = list(inspect.signature(action).parameters.values())[1:]
        common = [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
            for option, (annotation, default) in OPTIONS.items()
        ]

        def entry(**given: Any) -> None:
            run = Run.of(**{option: given.pop(option) for option in OPTIONS})
            raise typer.Exit(carry_out(action, run, given, undone))

        entry.__doc__ = action.__doc__
        entry.__signature__ = inspect.Signature([*own, *common])  # type: ignore[attr-defined]  # what typer reads
        app.command(name, context_settings=context)(entry)
        return action

    return register


def carry_out(action: Action, run: Run, given: dict[str, Any], undone: str = "") -> int:
    """Run an action to its end and return the exit status; whatever goes wrong is told in words (CLI-31, CLI-32)."""
    import asyncio

    async def act() -> Status | None:
        return await action(run, **given)

    try:
        return asyncio.run(act()) or Status.DONE
    except KeyboardInterrupt:
        return Status.INTERRUPTED
    except (BrokenPipeError, typer.BadParameter):
        raise  # typer ends the program: whoever read our output has gone, or reads how the command is used
    except (MagiError, DeskError) as error:
        if run.debug:
            raise
        row = row_of(error)
        run.out.note(complaint(error, row, undone))
        return row.status
    except Exception as error:
        if run.debug:
            raise
        run.out.note(f"magi: {type(error).__name__}: {error}. This is a fault of magi; --debug shows where.")
        return Status.ERROR


def complaint(error: Exception, row: Row, undone: str) -> str:
    """Return what happened, what became of the matter, and what to do (CLI-32)."""
    happened = f'The exchange says: "{error}".' if isinstance(error, Refused) and error.text else str(error)
    parts = [happened]
    if row.undone and undone and undone not in happened:
        parts.append(undone)
    if isinstance(error, RateLimited) and error.retry_after_ms:
        parts.append(f"Try again in {-(-error.retry_after_ms // 1000)} s.")
    elif row.advice:
        parts.append(row.advice)
    return f"magi: {' '.join(parts)}"
