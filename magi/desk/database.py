"""One file of SQLite, one connection, one thread (CLI-18). Work is handed to the thread; each piece is one transaction."""

import asyncio
import logging
import shlex
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from magi.client.errors import ProfileError
from magi.desk import private, schema

log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0

Result = TypeVar("Result")
Given = ParamSpec("Given")
Work = Callable[Concatenate[sqlite3.Connection, Given], Result]
"""Takes the connection, inside a transaction; what it raises undoes all that it did."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Database:
    """A file of SQLite. ``now_ms`` is the clock of everything that is kept in it."""

    def __init__(self, path: Path, now_ms: Callable[[], int]) -> None:
        """Do nothing yet; :meth:`open` does."""
        self.path = path
        self.now_ms = now_ms
        self.journal = ""
        """``wal``, or ``delete`` on file systems that cannot do it."""
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open the file, or make it, at the present schema.

        Raises:
            ProfileError: It is damaged, newer, or readable by others. Nothing of it is changed or deleted.
        """
        if self._thread is not None:
            raise RuntimeError(f"{self.path} is open already")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="magi-store")
        try:
            await self.do(self._open)
        except BaseException:
            await self.close()
            raise

    async def change(self, work: Work[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """Do work that changes something: committed when this returns. Cancelling may leave it done.

        Raises:
            ProfileError: The file cannot be read or written. Nothing was changed.
        """
        return await self.do(lambda: self._transact("BEGIN IMMEDIATE", lambda found: work(found, *args, **kwargs)))

    async def read(self, work: Work[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """Do work that only looks.

        Raises:
            ProfileError: The file cannot be read.
        """
        return await self.do(lambda: self._transact("BEGIN", lambda found: work(found, *args, **kwargs)))

    async def do(self, work: Callable[[], Result]) -> Result:
        """Do anything on the thread, between two transactions."""
        if self._thread is None:
            raise RuntimeError(f"{self.path} is not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """Close the file once all work before is done. A second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            closed = thread.submit(self._close)
            thread.shutdown(wait=False)
            await asyncio.shield(asyncio.wrap_future(closed))

    # --- on the thread -----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        private.touch(self.path)
        for name in ("-wal", "-shm", "-journal"):
            if (beside := self.path.with_name(self.path.name + name)).exists():
                private.check(beside)
        try:
            self._connection = connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            self._check(connection)
            self.journal = _set_journal(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            schema.bring_up(connection)
        except sqlite3.DatabaseError as error:
            raise self._fault(error) from error
        except ProfileError as error:
            raise ProfileError(f"{self.path} cannot be used. {error}") from error
        if self.journal != "wal":
            log.warning("%s is on a file system without WAL; it is slower there", self.path)

    def _check(self, connection: sqlite3.Connection) -> None:
        """Look for damage before anything is written. A tenth of a second for 200 MiB in the cache."""
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise self._damaged(str(found))

    def _transact(self, begin: str, work: Callable[[sqlite3.Connection], Result]) -> Result:
        connection = self._connection
        if connection is None:
            raise RuntimeError(f"{self.path} is not open")
        try:
            connection.execute(begin)
            result = work(connection)
            connection.execute("COMMIT")
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # not the file's fault but ours
        except sqlite3.DatabaseError as error:
            raise self._fault(error) from error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        return result

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _fault(self, error: sqlite3.DatabaseError) -> ProfileError:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            return self._damaged(str(error))
        return ProfileError(f"{self.path} cannot be used: {error}. Nothing was changed.")

    def _damaged(self, why: str) -> ProfileError:
        aside = shlex.quote(str(self.path.with_name("damaged")))
        files = (
            f"{shlex.quote(str(self.path))}*"  # the log beside it belongs to it: left behind it would spoil the next
        )
        return ProfileError(
            f"{self.path} is damaged ({why.splitlines()[0]}). Nothing was deleted. Restore a copy, or start with an empty one: "
            f"mkdir -m 700 {aside} && mv {files} {aside}"
        )


def _set_journal(connection: sqlite3.Connection) -> str:
    """Set the write-ahead log where the file system can do it, else the classic journal; return which."""
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.OperationalError:
        mode = ""
    if mode != "wal":
        (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    return str(mode)
