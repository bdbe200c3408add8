"""Gemini CLI: bridge and hooks in ``settings.json``; its times are in milliseconds."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from magi.cli.setup.adapter import Adapter, Home
from magi.cli.setup.commands import NAME, Magi
from magi.cli.setup.entries import HOOKS, Entries
from magi.cli.setup.writing import Piece

CLIENT: Final = "gemini"
HOOK_MS: Final = 5_000
TOOL_MS: Final = 90_000
EVENTS: Final = {"SessionStart": "start", "BeforeAgent": "prompt", "AfterAgent": "stop"}


def pieces(home: Home, magi: Magi) -> Sequence[Piece]:
    """Return bridge and hooks, which share a file."""
    program, *arguments = magi.mcp()
    named = {("mcpServers", NAME): {"command": program, "args": arguments, "timeout": TOOL_MS}}
    listed = {
        theirs: [{HOOKS: [{"type": "command", "command": shlex.join(magi.hook(event, CLIENT)), "timeout": HOOK_MS}]}]
        for theirs, event in EVENTS.items()
    }
    return (Entries(directory(home) / "settings.json", named, listed),)


def directory(home: Home) -> Path:
    """Return the client's directory."""
    return home.path / ".gemini"


ADAPTER: Final = Adapter(
    CLIENT, "gemini", "B", directory, pieces, "If hooksConfig.enabled is false in its settings, only the tools work."
)
