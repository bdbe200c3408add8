"""The commands of ``magi``: which there are, and in which module each is (CLI-28)."""

import importlib
import os
from itertools import groupby
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_group

from magi import __version__
from magi.client.errors import ProfileError
from magi.desk.places import DEFAULT_PROFILE, Places

COMMANDS: Final = {
    "ask": ("Talk", "talk"),
    "answer": ("Talk", "talk"),
    "send": ("Talk", "talk"),
    "inbox": ("Talk", "inbox"),
    "history": ("Talk", "inbox"),
    "listen": ("Talk", "listening"),
    "invite": ("Friends", "friends"),
    "connect": ("Friends", "friends"),
    "friends": ("Friends", "friends"),
    "users": ("Friends", "friends"),
    "block": ("Friends", "friends"),
    "unblock": ("Friends", "friends"),
    "unfriend": ("Friends", "friends"),
    "verify": ("Friends", "friends"),
    "review": ("Your say", "consent"),
    "mode": ("Your say", "consent"),
    "pause": ("Your say", "consent"),
    "register": ("This machine", "identity"),
    "setup": ("This machine", "setup.command"),
    "status": ("This machine", "identity"),
    "doctor": ("This machine", "doctor"),
    "export": ("This machine", "inbox"),
    "daemon": ("This machine", "processes"),
    "mcp": ("This machine", "processes"),
}
"""Command -> the heading it stands under, and its module. A module is loaded for its own commands only (DEP-6)."""

QUICK_START: Final = """\
Your assistant can ask other people's assistants, and answer them. Three commands:

  magi register -u you@example.com -s exchange.example.com    who you are, and where
  magi invite                                                 a code for a friend, who types: magi connect CODE
  magi ask FRIEND "What is your favorite food?"               and wait for the answer

All commands: magi --help
"""


class Commands(TyperGroup):
    """Finds a command when it is asked for."""

    def list_commands(self, _ctx: Any) -> list[str]:
        """Return all names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, loaded now; ``None`` if there is none of this name."""
        if cmd_name not in COMMANDS:
            for known in COMMANDS:  # so that a similar name can be suggested
                self.get_command(ctx, known)
            return None
        if cmd_name not in self.commands:
            module = importlib.import_module(f"magi.cli.{COMMANDS[cmd_name][1]}")
            self.commands.update(get_group(module.app).commands)
        return self.commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands, under headings."""
        width = formatter.width - 6 - max(map(len, COMMANDS))
        for heading, names in groupby(COMMANDS, key=lambda name: COMMANDS[name][0]):
            with formatter.section(heading):
                formatter.write_dl([(name, self.get_command(ctx, name).get_short_help_str(width)) for name in names])


program = typer.Typer(
    name="magi",
    cls=Commands,
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"magi {__version__}")
        raise typer.Exit


@program.callback()
def _root(
    context: typer.Context,
    *,
    _wanted: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Ask a friend's magi, and answer when it asks."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help() if is_set_up() else QUICK_START.rstrip())


def is_set_up() -> bool:
    """Tell whether the profile of this environment was made."""
    try:
        return Places.of(os.environ.get("MAGI_PROFILE") or DEFAULT_PROFILE).identity_key.exists()
    except ProfileError:
        return False
