"""Codex: the bridge in ``config.toml``, hooks in ``hooks.json``, which the owner has to trust once."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from magi.cli.setup.adapter import Adapter, Home
from magi.cli.setup.commands import NAME, Magi
from magi.cli.setup.entries import HOOKS, Entries
from magi.cli.setup.table import Table
from magi.cli.setup.writing import Piece

CLIENT: Final = "codex"
SECONDS: Final = 5
EVENTS: Final = {"SessionStart": "start", "UserPromptSubmit": "prompt", "Stop": "stop"}


def pieces(home: Home, magi: Magi) -> Sequence[Piece]:
    """Return the bridge and the hooks."""
    program, *arguments = magi.mcp()
    bridge = {"command": program, "args": arguments, "startup_timeout_sec": 30, "tool_timeout_sec": 90}
    listed = {
        theirs: [
            {HOOKS: [{"type": "command", "command": shlex.join(magi.hook(event, CLIENT)), "timeout": SECONDS}]},
        ]
        for theirs, event in EVENTS.items()
    }
    return (
        Table(directory(home) / "config.toml", "mcp_servers", NAME, bridge),
        Entries(directory(home) / "hooks.json", listed=listed),
    )


def directory(home: Home) -> Path:
    """Return the client's directory."""
    return home.directory("CODEX_HOME", ".codex")


ADAPTER: Final = Adapter(
    CLIENT, "codex", "B", directory, pieces, "Codex runs new hooks once you trust them: type /hooks in it."
)
