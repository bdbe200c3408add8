"""Files and directories that only their owner can read (CLI-17): made so from their first moment, refused when they are not."""

import os
import shlex
import stat
from pathlib import Path

from magi.client.errors import ProfileError

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
_OTHERS = 0o077


def make_directory(path: Path) -> None:
    """Make a directory and those above it that are missing, all 0700; refuse one that others can enter.

    Raises:
        ProfileError: It is readable by others, belongs to another user, or cannot be made.
    """
    missing = [one for one in (path, *path.parents) if not one.exists()]
    try:
        for one in reversed(missing):
            one.mkdir(DIRECTORY_MODE, exist_ok=True)
    except OSError as error:
        raise ProfileError(f"{error.filename} cannot be made: {error.strerror}.") from error
    check(path)


def check(path: Path) -> None:
    """Refuse a file or directory that is not its owner's alone.

    Raises:
        ProfileError: It is readable by others, belongs to another user, or is not there; the message has the command that
            repairs it.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {error.strerror}.") from error
    name = shlex.quote(str(path))
    if found.st_uid != os.geteuid():
        raise ProfileError(f"{path} belongs to another user. Repair it with: chown {os.geteuid()} {name}")
    if found.st_mode & _OTHERS:
        mode = DIRECTORY_MODE if stat.S_ISDIR(found.st_mode) else FILE_MODE
        raise ProfileError(f"{path} can be read by others. Repair it with: chmod {mode:o} {name}")


def touch(path: Path) -> None:
    """Make an empty file if there is none, and refuse one that others can read.

    Raises:
        ProfileError: As :func:`check`, or it cannot be made.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
    except OSError as error:
        raise ProfileError(f"{path} cannot be opened: {error.strerror}.") from error
    check(path)


def read(path: Path) -> bytes | None:
    """Return what a secret file holds; ``None`` if there is none.

    Raises:
        ProfileError: As :func:`check`.
    """
    if not path.exists():
        return None
    check(path)
    return path.read_bytes()


def write(path: Path, data: bytes) -> None:
    """Replace a file: whoever reads it, also after a crash, finds the old bytes or the new ones (CLI-6).

    Raises:
        ProfileError: It cannot be written; the old file is as it was.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)  # of a process with our number that was killed here
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ProfileError(f"{path} cannot be written: {error.strerror}.") from error


def remove(path: Path) -> None:
    """Delete a file, if there is one, so that it stays deleted after a crash."""
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Bring the names in a directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
