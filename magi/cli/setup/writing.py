"""How files of other programs are changed: the change is shown first, a backup is kept, and the new text is put in place by
rename (CLI-47)."""

import difflib
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

RUN_SECONDS: Final = 30.0
NEW_FILE_MODE: Final = 0o600


class Unusable(Exception):
    """Something is not as we can change it. It is left alone; the message says why, ``snippet`` what belongs there."""

    def __init__(self, message: str, snippet: str = "") -> None:
        super().__init__(message)
        self.snippet = snippet


class Change(Protocol):
    """Something to be done, shown before it is."""

    def shown(self) -> str:
        """Return it as a person reads it."""

    def carry_out(self) -> None:
        """Do it.

        Raises:
            Unusable: It cannot be done; nothing was.
        """


class Piece(Protocol):
    """What one file of an agent client gets from us. Looking at it changes nothing."""

    @property
    def where(self) -> str:
        """The file, or what stands for it."""

    def snippet(self) -> str:
        """Return what belongs there, for those who put it there themselves."""

    def change(self, *, undo: bool) -> Change | None:
        """Return what is to be done so that it is there, or with ``undo`` so that it is gone; ``None`` if it is so.

        Raises:
            Unusable: It cannot be told, or not be done.
        """


@dataclass(frozen=True, slots=True)
class FileChange:
    """Another text for a file. ``None`` is no file. With ``undo`` the backup goes too, for it is needed no more."""

    path: Path
    before: str | None
    after: str | None
    undo: bool = False
    backup: bool = True
    """Whether ``before`` is worth keeping: nothing of ours is in it."""

    def shown(self) -> str:
        """Return the difference, line by line."""
        lines = difflib.unified_diff(
            (self.before or "").splitlines(),
            (self.after or "").splitlines(),
            "/dev/null" if self.before is None else str(self.path),
            "/dev/null" if self.after is None else str(self.path),
            lineterm="",
        )
        return "\n".join(lines)

    def carry_out(self) -> None:
        """Write it. A link stays a link; the mode stays what it was."""
        target = self.path.resolve()
        try:
            if text_of(self.path) != self.before:
                raise Unusable(f"{self.path} was changed by somebody else just now. Run magi setup again.")
            if self.before is not None and self.backup and not self.undo:
                _put(backup_of(self.path), self.before, target.stat().st_mode & 0o777)
            if self.after is None:
                target.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                mode = NEW_FILE_MODE if self.before is None else target.stat().st_mode & 0o777
                _put(target, self.after, mode)
            if self.undo:
                backup_of(self.path).unlink(missing_ok=True)
        except OSError as error:
            raise Unusable(f"{self.path} cannot be written: {error.strerror}.") from error


@dataclass(frozen=True, slots=True)
class RunChange:
    """Commands of the client itself, one after the other. What they write is theirs."""

    commands: Sequence[Sequence[str]]

    def shown(self) -> str:
        """Return the commands as they would be typed."""
        return "\n".join(f"$ {shlex.join(command)}" for command in self.commands)

    def carry_out(self) -> None:
        """Run them."""
        for name, *arguments in self.commands:
            program = shutil.which(name)
            if program is None:
                raise Unusable(f"The program {name} is not found.", self.shown())
            try:
                ended = subprocess.run(  # noqa: S603  the client that the owner has installed
                    [program, *arguments],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=RUN_SECONDS,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise Unusable(f"The program {name} does not run as it should.", self.shown()) from error
            if ended.returncode:
                raise Unusable(f"The program {name} ended with status {ended.returncode}.", self.shown())


def text_of(path: Path) -> str | None:
    """Return what a file holds, with its own line ends; ``None`` if there is none.

    Raises:
        Unusable: It cannot be read, or is no text.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise Unusable(f"{path} is not UTF-8.") from None
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}.") from error


def backup_of(path: Path) -> Path:
    """Return where the text from before is kept."""
    return path.with_name(f"{path.name}.magi-backup")


def _put(path: Path, text: str, mode: int) -> None:
    """Replace a file: whoever reads it finds the old text or the new one."""
    fresh = path.with_name(f".{path.name}.magi-{os.getpid()}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(mode)
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
