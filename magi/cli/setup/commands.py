"""Commands of ours as they stand in files of agent clients, and how they are known again (CLI-47)."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

NAME: Final = "magi"


@dataclass(frozen=True, slots=True)
class Magi:
    """The program as agent clients are to call it. ``program`` begins with an absolute path: they have a PATH of their own."""

    program: tuple[str, ...]
    profile: str = ""
    """Empty for the default one."""

    @classmethod
    def here(cls, profile: str = "", called_as: str = "") -> "Magi":
        """Return the program that runs now: as it was called (a link that survives upgrades), else beside its Python."""
        for path in (Path(called_as or sys.argv[0]), Path(sys.executable).with_name(NAME)):
            if path.name == NAME and path.is_file():
                return cls((str(path.absolute()),), profile)
        return cls((sys.executable, "-m", NAME), profile)

    def mcp(self) -> list[str]:
        """Return the command of the bridge."""
        return [*self.program, "mcp", *self._options()]

    def hook(self, event: str, client: str) -> list[str]:
        """Return the command of a hook."""
        return [*self.program, "hook", event, "--client", client, *self._options()]

    def _options(self) -> list[str]:
        return ["--profile", self.profile] if self.profile else []


def is_ours(entry: object, verb: str) -> bool:
    """Tell whether an entry runs ``magi mcp`` or ``magi hook``, wherever that magi is or was."""
    words = _words(entry)
    if len(words) > 1 and Path(words[0]).name == NAME:
        return words[1] == verb
    return words[1:4] == ["-m", NAME, verb]


def _words(entry: object) -> list[str]:
    """Return the words of an entry's command: clients take one line, a list, or a program with ``args``."""
    if not isinstance(entry, Mapping):
        return []
    command: Any = entry.get("command")
    arguments: Any = entry.get("args", [])
    if isinstance(command, str) and arguments:
        command = [command, *arguments] if isinstance(arguments, Sequence) else []
    if isinstance(command, str):
        try:
            return shlex.split(command)
        except ValueError:
            return []
    return list(map(str, command)) if isinstance(command, list) else []
