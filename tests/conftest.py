"""Fixtures of all tests."""

import contextlib
import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.harness.valkey import Replicated, Valkey

# How fast examples are made says something about the machine, which others may be using.
settings.register_profile("shared", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("shared")


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Undo what a program that ran in this process made of the log: others look at warnings."""
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in (None, "magi", "magi.client", "magi.daemon")}
    yield
    structlog.reset_defaults()
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    root.handlers[:] = [one for one in root.handlers if type(one).__module__.startswith("_pytest")]


@contextlib.contextmanager
def running() -> Iterator[Valkey]:
    """Run a server in a directory of its own; both are gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="magi-"))
    server = Valkey(directory)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    """One server for all tests of a worker process."""
    with running() as server:
        yield server


@pytest.fixture
def valkey(valkey_server: Valkey) -> Valkey:
    """An empty real server."""
    valkey_server.flush()
    return valkey_server


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    """A real server that the test may stop, freeze and start again."""
    with running() as server:
        yield server


@pytest.fixture
def replicated() -> Iterator[Replicated]:
    """A primary and its replica, which the test may stop and freeze."""
    directory = Path(tempfile.mkdtemp(prefix="magi-"))
    servers = Replicated(directory)
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()
        shutil.rmtree(directory, ignore_errors=True)
