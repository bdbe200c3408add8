"""Homes of users of agent clients: as they are before ``magi setup``, and after it (CLI-47).

The folder of this name has one of each for every client. ``<magi>`` is ``MAGI`` in all of them.
"""

import shutil
import sys
from pathlib import Path

from magi.cli.setup.adapter import Home
from magi.cli.setup.clients import CLIENTS
from magi.cli.setup.commands import Magi
from magi.cli.setup.writing import backup_of

HOMES = Path(__file__).with_name("homes")
MAGI = Magi(("/opt/magi/bin/magi",))

CLAUDE = """\
#!{python}
import json, pathlib, sys
path = pathlib.Path({path!r})
known = json.loads(path.read_text()) if path.exists() else {{}}
verb, *rest = sys.argv[2:]
if sys.argv[1] != "mcp" or rest[:3] != ["--scope", "user", "magi"]:
    sys.exit(2)
if verb == "add":
    command, *args = rest[4:]
    known.setdefault("mcpServers", {{}})["magi"] = {{"type": "stdio", "command": command, "args": args, "env": {{}}}}
else:
    del known["mcpServers"]["magi"]
path.write_text(json.dumps(known, indent=2) + "\\n")
"""
"""A client that does with its own file what the real one does when it is told to."""


def home_of(client: str, root: Path) -> Home:
    """Make a home as it is before, with the programs that a test may run."""
    path = root / "user"
    shutil.copytree(HOMES / client / "before", path)
    programs = root / "bin"
    programs.mkdir()
    claude = programs / "claude"
    claude.write_text(CLAUDE.format(python=sys.executable, path=str(path / ".claude.json")))
    claude.chmod(0o755)
    return Home(path, {"PATH": str(programs)})


def wire(client: str, home: Home, *, undo: bool = False, magi: Magi = MAGI) -> int:
    """Set a client up, or take it back; return how many changes that were."""
    changes = [piece.change(undo=undo) for piece in CLIENTS[client].pieces(home, magi)]
    made = [change for change in changes if change is not None]
    for change in made:
        assert change.shown()
        change.carry_out()
    return len(made)


def files(root: Path) -> dict[str, str]:
    """Return all files below a folder with their texts."""
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


def without_backups(found: dict[str, str]) -> dict[str, str]:
    """Return the same without the texts from before."""
    return {
        name: text for name, text in found.items() if name != str(backup_of(Path(name))) and ".magi-backup" not in name
    }
