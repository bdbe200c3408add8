"""What an agent client is to us: where its files are, what they get, and how its assistant learns of questions (CLI-42)."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from magi.cli.setup.commands import Magi
from magi.cli.setup.writing import Piece

LEVELS: Final = {
    "A": "its assistant is woken when a question comes",
    "B": "its assistant learns of questions at the end of a turn or with the next prompt",
    "C": "its assistant learns of questions with its next magi tool call",
}
"""What a level means. It is what was installed for; what is reached is for a measurement to say."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where agent clients of this user look for their files."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def own(cls, environment: Mapping[str, str] = os.environ) -> "Home":
        """Return that of whoever runs this program."""
        return cls(Path(environment.get("HOME") or Path.home()), environment)

    def directory(self, variable: str, usual: str) -> Path:
        """Return the directory that a variable names, else the usual one below the home."""
        named = Path(self.environment.get(variable, ""))
        return named if named.is_absolute() else self.path / usual

    def has_program(self, name: str) -> bool:
        """Tell whether a program is found."""
        return shutil.which(name, path=self.environment.get("PATH", "")) is not None


@dataclass(frozen=True, slots=True)
class Adapter:
    """One agent client. ``level`` is what it is installed for; ``remark`` what its owner has to know or do."""

    name: str
    program: str
    level: str
    directory: Callable[[Home], Path]
    """Where its own files are: if it is there, the client is."""
    pieces: Callable[[Home, Magi], Sequence[Piece]]
    remark: str = ""

    def is_here(self, home: Home) -> bool:
        """Tell whether this user has the client."""
        return self.directory(home).is_dir() or home.has_program(self.program)
