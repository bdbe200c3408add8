"""Cursor: the bridge in ``mcp.json``, hooks in ``hooks.json``. Its prompt hook cannot add anything, so there is none."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from magi.cli.setup.adapter import Adapter, Home
from magi.cli.setup.commands import NAME, Magi
from magi.cli.setup.entries import Entries
from magi.cli.setup.writing import Piece

CLIENT: Final = "cursor"
LOOPS_MOST: Final = 3


def pieces(home: Home, magi: Magi) -> Sequence[Piece]:
    """Return the bridge and the hooks."""
    program, *arguments = magi.mcp()
    listed: dict[str, Sequence[object]] = {
        "sessionStart": [{"command": shlex.join(magi.hook("start", CLIENT))}],
        "stop": [{"command": shlex.join(magi.hook("stop", CLIENT)), "loop_limit": LOOPS_MOST}],
    }
    return (
        Entries(directory(home) / "mcp.json", {("mcpServers", NAME): {"command": program, "args": arguments}}),
        Entries(directory(home) / "hooks.json", listed=listed, frame={"version": 1}),
    )


def directory(home: Home) -> Path:
    """Return the client's directory."""
    return home.path / ".cursor"


ADAPTER: Final = Adapter(CLIENT, "cursor", "B", directory, pieces)
