"""Fixtures of the daemon's tests."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from magi.client.client import Client
from magi.client.model import Incoming, Kind
from magi.client.records import wall_ms
from magi.daemon.answering import Answering
from magi.daemon.asking import Asking
from magi.daemon.papers import Papers
from magi.daemon.people import People
from magi.daemon.premises import Premises
from magi.daemon.reading import Reading
from magi.daemon.remote import FaceLine, RemoteDesk, hello
from magi.daemon.reports import Reports
from magi.daemon.server import FaceServer
from magi.desk.config import Config
from magi.desk.config import Responder as ResponderConfig
from magi.desk.store import SqliteStore
from magi.wire.magi1_requests import Answer
from tests.harness.lines import FakeExchange
from tests.harness.waiting import eventually
from tests.unit.magi.daemon.fake import FakeDesk


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a short name: a socket's path has at most 100 bytes (CLI-17)."""
    return tmp_path_factory.mktemp("d")


class Table:
    """A desk behind a socket, and as many faces as a test wants."""

    def __init__(self, path: Path, ends: AsyncExitStack) -> None:
        self.path = path
        self.ends = ends
        self.desk = FakeDesk()
        self.retired: list[bool] = []
        self.server: FaceServer | None = None

    async def open(self) -> "Table":
        self.server = FaceServer(self.desk, version="0.1.0", on_retire=lambda: self.retired.append(True))
        await self.server.open(self.path)
        self.ends.push_async_callback(self.server.close)
        return self

    async def line(self, face: str = "cli", **who: str) -> FaceLine:
        line = await FaceLine.open(self.path, hello(face, version="0.1.0", **who))
        self.ends.push_async_callback(line.close)
        return line

    async def face(self, face: str = "cli", **who: str) -> RemoteDesk:
        desk = await RemoteDesk.open(lambda: FaceLine.open(self.path, hello(face, version="0.1.0", **who)))
        self.ends.push_async_callback(desk.close)
        return desk


@pytest.fixture
async def table(place: Path) -> AsyncIterator[Table]:
    """A fake desk, served."""
    async with AsyncExitStack() as ends:
        yield await Table(place / "magi.sock", ends).open()


class MovableClock:
    """The wall clock, ahead by as much as a test wants."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return wall_ms() + self.ahead_ms


class Bureau:
    """What the parts of an office work with: a real store and client, a scripted exchange without sockets, a clock that can be
    moved, and settings that a test may change. Bob is a friend, and so is Carol."""

    def __init__(self, store: SqliteStore, clock: MovableClock) -> None:
        self.store = store
        self.clock = clock
        self.exchange = FakeExchange()
        for name in ("bob", "carol"):
            self.exchange.befriend(name, "ids", "objects", "offline")
        self.config = Config()
        self.client = Client("ws://127.0.0.1:1/", "alice", store=store, open_line=self.exchange.open)
        self.premises = Premises("default", self.client, store, lambda: self.config, now_ms=clock)
        self.people = People(self.premises)
        self.papers = Papers(self.premises)
        self.reports = Reports(self.premises)
        self.asking = Asking(self.premises, self.people, self.papers)
        self.answering = Answering(self.premises, self.people, self.reports)
        self.reading = Reading(self.premises, self.people, self.papers, self.reports)

    async def asked(self, id_: str = "q1", **fields: Any) -> Incoming:
        """Have a question of Bob in the store."""
        known = {
            "sender": "bob",
            "nickname": "Bob",
            "kind": Kind.ASK,
            "text": "Which Redis?",
            "received_ms": self.clock(),
        }
        message = Incoming(id_, **{**known, **fields})
        await self.store.put_in(message)
        self.premises.pulse.beat()
        return message

    def respond(self, *command: str) -> None:
        """Set a responder for everybody."""
        self.config = replace(self.config, responder=ResponderConfig(command=command))

    async def told(self, state: str, count: int = 1) -> None:
        """Wait until friends were told so often that a question stands so."""

        def heard() -> bool:
            return sum(state.encode() in bytes(one.content) for one in self.exchange.sent(Answer)) == count

        await eventually(heard)


@pytest.fixture
async def bureau(tmp_path: Path) -> AsyncIterator[Bureau]:
    """A bureau whose client is connected."""
    clock = MovableClock()
    store = SqliteStore(tmp_path / "magi.db", now_ms=clock)
    await store.open()
    made = Bureau(store, clock)
    try:
        await made.client.open()
        await eventually(lambda: made.client.granted)
        yield made
    finally:
        await made.client.close(flush_seconds=0)
        await store.close()
