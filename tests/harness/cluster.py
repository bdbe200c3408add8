"""A cluster in a box: real node and worker processes on one real Valkey, each on ports of its own."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import httpx2

from exchange.listening import port_of, reserve
from tests.harness.valkey import Valkey
from tests.harness.waiting import WAIT_SECONDS

HOST = "127.0.0.1"
STOP_SECONDS = 20.0
ROOT = Path(__file__).parents[2]
EXCHANGE = ("exchange",)
"""The module that is run, and its first words."""


class Program:
    """One process of the exchange, its log, and how to end it."""

    def __init__(
        self,
        name: str,
        words: list[str],
        environment: Mapping[str, str],
        log: Path,
        port: int = 0,
        *,
        launch: Sequence[str] = EXCHANGE,
    ) -> None:
        self.name = name
        self.port = port
        self.log = log
        self.launch = tuple(launch)
        self._words = words
        self._environment = {**_clean(), "PYTHONPATH": str(ROOT), **environment}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"ws://{HOST}:{self.port}/"

    @property
    def ops_port(self) -> int:
        """Port for probes and metrics; nodes only."""
        return int(self._environment["EXCHANGE_OPS__PORT"])

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.launch, *self._words],
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def freeze(self) -> None:
        """Let it stand still, as a machine that is suspended; :meth:`thaw` lets it go on."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def restart(self) -> None:
        """Start it again on its port after it ended; returns when it serves, or runs if it is a worker."""
        self.start()
        if self.port:
            self.wait_ready()

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> int:
        """End it in order and return its exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.process = None

    def wait_ready(self) -> None:
        """Wait until it serves; fail with its log if it does not."""
        deadline = time.monotonic() + WAIT_SECONDS
        with httpx2.Client(trust_env=False, timeout=1) as http:
            while True:
                with contextlib.suppress(httpx2.TransportError):
                    if http.get(f"http://{HOST}:{self.port}/ready").status_code == 200:
                        return
                assert self.process is not None
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise AssertionError(f"{self.name} did not start:\n{self.log.read_text()}")
                time.sleep(0.02)


class Cluster:
    """Nodes, and perhaps a worker, on one store."""

    def __init__(self, directory: Path, valkey: Valkey, settings: Mapping[str, str]) -> None:
        self.directory = directory
        self.valkey = valkey
        self._settings = {
            "EXCHANGE_REDIS__URL": valkey.url,
            "EXCHANGE_STORE__DURABILITY": "memory",  # it keeps no file
            "EXCHANGE_DRAIN__NOTICE_SECONDS": "0",
            "EXCHANGE_DRAIN__WINDOW_SECONDS": "0",
            "EXCHANGE_WORKER__METRICS_PORT": "0",
            "XDG_DATA_HOME": str(directory),
            **settings,
        }
        self.nodes: list[Program] = []
        self.workers: list[Program] = []

    def add_node(self, *, launch: Sequence[str] = EXCHANGE, settings: Mapping[str, str] | None = None) -> Program:
        """Start one more node; returns when it serves. It may have settings, and a way to be launched, of its own."""
        with contextlib.ExitStack() as reserved:
            ports = [port_of(reserved.enter_context(reserve(HOST, 0, variable="none"))) for _ in range(2)]
        environment = {
            **self._settings,
            "EXCHANGE_LISTEN__PORT": str(ports[0]),
            "EXCHANGE_OPS__PORT": str(ports[1]),
            **(settings or {}),
        }
        name = f"node{len(self.nodes)}"
        log = self.directory / f"{name}.log"
        node = Program(name, ["serve", "--no-worker"], environment, log, ports[0], launch=launch)
        self.nodes.append(node)
        node.start()
        node.wait_ready()
        return node

    def add_worker(self, *, launch: Sequence[str] = EXCHANGE) -> Program:
        """Start one more worker. It may have a way to be launched of its own."""
        name = f"worker{len(self.workers)}"
        worker = Program(name, ["worker"], self._settings, self.directory / f"{name}.log", launch=launch)
        self.workers.append(worker)
        worker.start()
        return worker

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes]

    def keep_logs(self) -> Path:
        """Copy all logs to a directory that stays, say where, and return it."""
        kept = Path(tempfile.mkdtemp(prefix="magi-logs-"))
        for log in self.directory.glob("*.log"):
            shutil.copy(log, kept)
        print(f"logs of the failed cluster are in {kept}")
        return kept

    def end(self) -> None:
        """End everything that still runs, nodes first; never fails."""
        for program in (*self.nodes, *self.workers):
            with contextlib.suppress(OSError):
                program.stop()
        self.valkey.stop()


@contextlib.contextmanager
def cluster(
    nodes: int,
    *,
    workers: int = 0,
    settings: Mapping[str, str] | None = None,
    store_options: Sequence[str] = (),
) -> Iterator[Cluster]:
    """Run a cluster; all of its processes are gone afterwards, also after a failure, which keeps the logs.

    ``store_options`` are for the server: with ``--appendonly yes`` it keeps what it was told when it is started again.
    """
    with tempfile.TemporaryDirectory(prefix="magi-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        box = Cluster(directory, Valkey(directory, *store_options), settings or {})
        try:
            box.valkey.start()
            for _ in range(nodes):
                box.add_node()
            for _ in range(workers):
                box.add_worker()
            yield box
        except BaseException:
            box.keep_logs()
            raise
        finally:
            box.end()


def _clean() -> dict[str, str]:
    ours = ("EXCHANGE_", "PORT", "LOG_FORMAT")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
