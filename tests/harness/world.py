"""Nodes without sockets and processes: everything above the transport, on one store in memory."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from exchange.core.commands import Command
from exchange.core.errors import ExchangeError, Unavailable
from exchange.core.model import NodeInfo
from exchange.core.session import Session
from exchange.dialects.magi1 import Magi1
from exchange.entropy import new_id
from exchange.front import Ending, SocketRules
from exchange.handlers.exchange import Exchange, Policy
from exchange.hotcounts import HotCounts
from exchange.node.connection import BOUNDS, Bounds, Connection
from exchange.node.hub import LocalHub
from exchange.node.roster import Roster
from exchange.node.switchboard import LocalSwitchboard
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.waiting import eventually

LEASE_MS = 60_000
PERSISTENT = ("ids", "resume", "persist")
WATCHING = (*PERSISTENT, "presence")
STORING = (*PERSISTENT, "offline")
"""What clients ask for whose friendships are to last, and who want to see what friends do. Timers wait before they see
a friend go: tests about that use the first."""


class Time:
    """A clock that stands still until a test moves it, in milliseconds."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.ms


class Tenure:
    """A lease that holds, unless a test says otherwise."""

    def __init__(self) -> None:
        self.holds = True
        self.renewable = True
        self.assured = 0

    def current(self) -> bool:
        return self.holds

    def doubt(self) -> None:
        self.holds = False

    async def assure(self) -> None:
        self.assured += 1
        if not self.renewable:
            raise Unavailable
        self.holds = True


class Witness:
    """Writes down what the handlers did."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, str, str, int]] = []
        self.stored = 0
        self.repeats = 0
        self.outcomes: list[tuple[str, ExchangeError | None]] = []
        self.invites: list[str] = []

    def forwarded(self, kind: int, sender: str, recipient: str, characters: int, *, stored: bool = False) -> None:
        self.sent.append((kind, sender, recipient, characters))
        self.stored += stored

    def repeated(self) -> None:
        self.repeats += 1

    def handled(self, command: Command[object], error: ExchangeError | None, seconds: float) -> None:
        self.outcomes.append((type(command).__name__, error))

    def invite(self, event: str) -> None:
        self.invites.append(event)


class Peer:
    """The client's end of a connection, and the socket between."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None
        self.paused = False
        self.buffered_bytes = 0
        self.rules: SocketRules | None = None
        self.connection: Connection

    # The socket, for the node.

    def send(self, message: bytes) -> None:
        self.heard.append(json.loads(message))

    def close(self, code: int, reason: str, ending: Ending, *, discard: bool = False) -> None:
        del discard
        self.closed = code, reason
        self.connection.ended(ending)

    def abort(self, ending: Ending) -> None:
        self.connection.ended(ending)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def adopt(self, rules: SocketRules) -> None:
        self.rules = rules

    # The client, for the test.

    def say(self, type_: str, **fields: Any) -> None:
        """Send a request and do not wait."""
        self.connection.received(json.dumps({"type": type_, **fields}).encode())

    async def ask(self, type_: str, **fields: Any) -> dict[str, Any]:
        """Send a request and return what comes next."""
        count = len(self.heard)
        self.say(type_, **fields)
        await eventually(lambda: len(self.heard) > count)
        return self.heard[count]

    async def hears(self, type_: str) -> dict[str, Any]:
        """Wait for a message of this type and return the first one."""
        await eventually(lambda: type_ in self.types)
        return next(message for message in self.heard if message["type"] == type_)

    @property
    def token(self) -> str:
        """The newest resume token it was given."""
        return [str(message["token"]) for message in self.heard if "token" in message][-1]

    @property
    def types(self) -> list[str]:
        return [message["type"] for message in self.heard]

    def leave(self) -> None:
        """Break the connection."""
        self.connection.ended(Ending.CLIENT)


class Place:
    """One node."""

    def __init__(self, memory: Memory, name: str = "node1", policy: Policy | None = None) -> None:
        self.memory = memory
        self.store = memory_store(memory)
        self.info = NodeInfo(name, "0", memory.now_ms())
        self.counts = HotCounts()
        self.tenure = Tenure()
        self.witness = Witness()
        self.closed: list[tuple[str, Ending, float]] = []
        self.refused: list[ExchangeError] = []
        self.roster = Roster(
            self.store.clock, self.counts, lambda *what: self.closed.append(what), lambda: self.hub.changes_count
        )
        self.hub = LocalHub(self.store, self.roster.teller, self.counts)
        self.hub.tenure = self.tenure
        self.switchboard = LocalSwitchboard(self.store.slots, self.roster.teller, self.counts)
        self.exchange = Exchange(
            name,
            self.store,
            self.hub,
            self.switchboard,
            self.tenure,
            self.witness,
            policy or Policy(asks_per_minute=0, store_up_seconds=0),
        )
        self.store.wakes.attend(self.hub)
        self.store.slots.attend(self.switchboard)

    async def start(self) -> "Place":
        """Take a lease."""
        await self.store.leases.renew(self.info, ttl_ms=LEASE_MS, draining=False)
        return self

    def connect(self, address: str = "192.0.2.1", bounds: Bounds = BOUNDS) -> Peer:
        """Return a new client, greeted."""
        dialect = Magi1()
        session = Session(new_id(), dialect=dialect.name, address=address, since_ms=self.memory.now_ms())
        peer = Peer()
        note: Callable[..., None] = lambda _session, _command, error: self.refused.append(error)  # noqa: E731
        peer.connection = Connection(session, dialect, self.exchange, self.roster, note, bounds)
        peer.connection.opened(peer)
        return peer

    async def identified(
        self, name: str, nick: str = "", *, features: Sequence[str] = (), token: str = "", **place: Any
    ) -> Peer:
        """Return a client that said who it is; an extended one if it asks for features."""
        peer = self.connect(**place)
        extended = {"features": list(features)} if features else {}
        proof = {"token": token} if token else {}
        reply = await peer.ask("identify", username=name, nickname=nick or name.title(), **extended, **proof)
        assert reply["type"] == "identified", reply
        return peer

    async def forgets(self, peer: Peer) -> None:
        """Break a client's connection and wait until everything of it is done."""
        peer.leave()
        assert await self.exchange.settled(10) == 0


async def befriend(inviter: Peer, redeemer: Peer) -> None:
    """Make two identified clients friends."""
    invitation = await inviter.ask("create_invite")
    redeemer.say("connect", code=invitation["code"])
    await redeemer.hears("connected_to_friend")
    await inviter.hears("friend_connected")
