"""One process per profile (CLI-23): the lock that is taken before key or store is opened."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from magi.client.errors import StoreLocked
from magi.desk import private


class Lock:
    """Holds a profile until it is released or the process ends, however it ends.

    The file stays: if its name could go and come back, two processes could hold two files of one name.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock, and write our process id into the file.

        Raises:
            StoreLocked: Another process has it; the message names its id.
            ProfileError: The file cannot be made, or others can read it.
        """
        private.touch(path)
        self.path = path
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise StoreLocked(f"{_holder(path)} uses this profile ({path}).") from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)

    @property
    def held(self) -> bool:
        """Whether it is ours."""
        return self._descriptor is not None

    def release(self) -> None:
        """Let others have the profile. A second call does nothing."""
        if self._descriptor is not None:
            # Closing is not enough: a process that is being started may have the file open for a moment more.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        """Nothing: it is held already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release it."""
        self.release()


def _holder(path: Path) -> str:
    pid = _written(path)
    return f"Process {pid}" if pid else "Another process"


def _written(path: Path) -> int:
    """Return the id in the file. The holder writes it right after it has the lock: for a moment it is an older one."""
    with suppress(ValueError, OSError):
        return int(path.read_text(encoding="ascii"))
    return 0
