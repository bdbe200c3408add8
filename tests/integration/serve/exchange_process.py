"""A real ``serve`` process for tests, and what it leaves behind if a test fails."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from exchange.refusal import REFUSED_STATUS
from tests.harness.waiting import WAIT_SECONDS, eventually

ROOT = Path(__file__).parents[3]
STUB = (sys.executable, str(Path(__file__).with_name("stub.py")), "serve")


class ExchangeProcess:
    """Runs ``command`` with ``EXCHANGE_*`` settings; keeps what it prints. Free ports and an own data directory."""

    def __init__(self, directory: Path, command: tuple[str, ...] = STUB, **environ: str) -> None:
        self.data_dir = directory / "data"
        self.out, self.err = directory / "out", directory / "err"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
        with self.out.open("ab") as out, self.err.open("ab") as err:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=ROOT,
                start_new_session=True,
                env={
                    **kept,
                    "PYTHONPATH": str(ROOT),
                    "EXCHANGE_LISTEN__PORT": "0",
                    "EXCHANGE_OPS__PORT": "0",
                    "EXCHANGE_WORKER__METRICS_PORT": "0",
                    "EXCHANGE_STORE__DATA_DIR": str(self.data_dir),
                    # The facts of the banner as one line of JSON.
                    "LOG_FORMAT": "json",
                    **environ,
                },
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    async def started(self) -> dict[str, object]:
        """Wait for the banner and return its facts."""

        def facts():
            assert self.process.poll() is None, self.err.read_text()
            lines = [line for line in self.out.read_text().splitlines() if "exchange.started" in line]
            return json.loads(lines[0])["context"] if lines else None

        told = await eventually(facts)
        ports = [urlsplit(url).port for url in told["metrics"].split()]
        return {**told, "port": urlsplit(told["page"]).port, "metrics": told["metrics"].split(), "ops_ports": ports}

    async def status(self) -> int:
        """Wait for the end and return the exit status."""
        return await asyncio.to_thread(self.process.wait, WAIT_SECONDS * 2)

    async def said(self, text: str) -> None:
        """Wait until it printed ``text``."""
        await eventually(lambda: text in self.err.read_text() + self.out.read_text())

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def valkey_pid(self) -> int:
        return pid_of(self.data_dir / "valkey" / "valkey.sock")

    def clean_up(self) -> None:
        """End whatever is left: the process, its children, its Valkey. Only after a failure there is anything."""
        left = [] if self.process.poll() is not None else children(self.pid)
        self.process.kill()
        self.process.wait()
        for pid in (*left, pid_of(self.data_dir / "valkey" / "valkey.sock")):
            if pid and alive(pid):
                os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    """Return the child processes of a process that runs."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def pid_of(path: Path) -> int:
    """Return the process that serves a unix socket, 0 if none does."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(WAIT_SECONDS)
        try:
            line.connect(str(path))
        except OSError:
            return 0
        return int.from_bytes(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


async def ask(port: int) -> dict[str, object]:
    """Return what a stub node says of itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return json.loads(await reader.readline())
    finally:
        writer.close()
        await writer.wait_closed()


async def assert_refused(served: ExchangeProcess, text: str) -> None:
    """Check that the start ended with one sentence on standard error that holds ``text``."""
    assert await served.status() == REFUSED_STATUS
    lines = [line for line in served.err.read_text().splitlines() if not line.startswith("{")]
    assert len(lines) == 1, lines
    assert text in lines[0]
