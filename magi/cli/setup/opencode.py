"""OpenCode: the bridge in ``opencode.json``, and a plugin of our own: when a session becomes idle it looks, and
then waits beside it."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from magi.cli.setup.adapter import Adapter, Home
from magi.cli.setup.commands import NAME, Magi
from magi.cli.setup.entries import Entries
from magi.cli.setup.writing import FileChange, Piece, Unusable, text_of

CLIENT: Final = "opencode"

PLUGIN: Final = """\
import { spawn } from "node:child_process";

const [program, ...args] = %s;

// One line about what waits: now (stop), or as soon as something new does (wake). Nothing, if there is nothing to say.
const line = (event, sessionID) =>
  new Promise((resolve) => {
    const child = spawn(program, args.map((word) => (word === "EVENT" ? event : word)));
    let said = "";
    child.stdout.on("data", (piece) => (said += piece));
    child.stderr.on("data", (piece) => (said += piece));
    child.on("error", () => resolve(""));
    child.on("close", () => resolve(said.trim()));
    child.stdin.on("error", () => {});
    child.stdin.end(JSON.stringify({ session_id: sessionID }));
  });

export const MagiPlugin = async ({ client }) => ({
  event: async ({ event }) => {
    if (event.type !== "session.idle") return;
    const { sessionID } = event.properties;
    const text = (await line("stop", sessionID)) || (await line("wake", sessionID));
    if (!text) return;
    await client.session.promptAsync({ path: { id: sessionID }, body: { parts: [{ type: "text", text }] } });
  },
});
"""
_HEAD: Final = re.compile(r"// Written by magi setup; if you change it, it is yours\. ([0-9a-f]{16})\n")


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file that is ours as a whole. It names its own digest, so that one that somebody changed is known."""

    path: Path
    body: str

    @property
    def where(self) -> str:
        """The file."""
        return str(self.path)

    def snippet(self) -> str:
        """Return what it holds."""
        return f"// Written by magi setup; if you change it, it is yours. {_digest(self.body)}\n{self.body}"

    def change(self, *, undo: bool) -> FileChange | None:
        """As :meth:`magi.cli.setup.writing.Piece.change`."""
        text = text_of(self.path)
        wanted = None if undo else self.snippet()
        if text == wanted:
            return None
        if text is not None and not _is_untouched(text):
            raise Unusable(f"{self.path} is somebody else's, or was changed. It was left alone.", self.snippet())
        return FileChange(self.path, text, wanted, undo=undo, backup=False)


def _is_untouched(text: str) -> bool:
    head = _HEAD.match(text)
    return head is not None and head[1] == _digest(text[head.end() :])


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def pieces(home: Home, magi: Magi) -> Sequence[Piece]:
    """Return the bridge and the plugin."""
    bridge = {"type": "local", "command": magi.mcp(), "enabled": True}
    return (
        Entries(directory(home) / "opencode.json", {("mcp", NAME): bridge}),
        OwnFile(directory(home) / "plugins" / "magi.js", PLUGIN % json.dumps(magi.hook("EVENT", CLIENT))),
    )


def directory(home: Home) -> Path:
    """Return the client's directory."""
    return home.directory("XDG_CONFIG_HOME", ".config") / "opencode"


ADAPTER: Final = Adapter(
    CLIENT, "opencode", "A", directory, pieces, "The plugin is for version 1; under version 2 only the tools work."
)
