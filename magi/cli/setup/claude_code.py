"""Claude Code: the bridge by its own command, hooks in ``settings.json``; ``wake`` runs beside the session."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from magi.cli.setup import entries
from magi.cli.setup.adapter import Adapter, Home
from magi.cli.setup.commands import NAME, Magi, is_ours
from magi.cli.setup.entries import Entries
from magi.cli.setup.writing import Piece, RunChange, Unusable, text_of

CLIENT: Final = "claude-code"
PROGRAM: Final = "claude"
SECONDS: Final = 5
WAKE_SECONDS: Final = 43_200


@dataclass(frozen=True, slots=True)
class Registered:
    """The bridge in the client's own file, which it writes while it runs: so its own command changes it."""

    path: Path
    magi: Magi
    has_program: bool

    @property
    def where(self) -> str:
        """The client's file."""
        return str(self.path)

    def snippet(self) -> str:
        """Return the command to type."""
        return RunChange([self._adding()]).shown()

    def change(self, *, undo: bool) -> RunChange | None:
        """As :meth:`magi.cli.setup.writing.Piece.change`."""
        known = self._known()
        if known is not None and not is_ours(known, "mcp"):
            if undo:
                return None
            raise Unusable(f"{self.path} has an entry mcpServers.{NAME} of somebody else's. It was left alone.")
        program, *arguments = self.magi.mcp()
        is_there = known is not None and (known.get("command"), known.get("args")) == (program, arguments)
        if (known is None) if undo else is_there:
            return None
        removing = [PROGRAM, "mcp", "remove", "--scope", "user", NAME]
        commands = [*([removing] if known is not None else []), *([] if undo else [self._adding()])]
        if not self.has_program:
            raise Unusable(f"The program {PROGRAM} is not found.", RunChange(commands).shown())
        return RunChange(commands)

    def _adding(self) -> list[str]:
        return [PROGRAM, "mcp", "add", "--scope", "user", NAME, "--", *self.magi.mcp()]

    def _known(self) -> Any:
        text = text_of(self.path)
        try:
            servers = {} if text is None else json.loads(text).get("mcpServers", {})
            return servers.get(NAME)
        except (ValueError, AttributeError):
            raise Unusable(f"{self.path} is not as {PROGRAM} writes it. It was left alone.", self.snippet()) from None


def pieces(home: Home, magi: Magi) -> Sequence[Piece]:
    """Return the bridge and the hooks."""

    def handler(event: str, **more: object) -> dict[str, object]:
        program, *arguments = magi.hook(event, CLIENT)
        return {"type": "command", "command": program, "args": arguments, **({"timeout": SECONDS} | more)}

    def group(*handlers: dict[str, object]) -> list[Any]:
        return [{entries.HOOKS: list(handlers)}]

    wake = handler("wake", asyncRewake=True, timeout=WAKE_SECONDS)
    listed = {
        "SessionStart": group(handler("start"), wake),
        "UserPromptSubmit": group(handler("prompt")),
        "Stop": group(handler("stop"), wake),
    }
    # With a directory of its own, the client keeps everything in it.
    own = home.path if directory(home) == home.path / ".claude" else directory(home)
    return (
        Registered(own / ".claude.json", magi, home.has_program(PROGRAM)),
        Entries(directory(home) / "settings.json", listed=listed),
    )


def directory(home: Home) -> Path:
    """Return the client's directory."""
    return home.directory("CLAUDE_CONFIG_DIR", ".claude")


ADAPTER: Final = Adapter(CLIENT, PROGRAM, "A", directory, pieces)
