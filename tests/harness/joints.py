"""Phones and agents without sockets: nodes on one store in memory, and a wire that says what the core says, no more."""

import asyncio
import json
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from exchange.core.commands import Attend, Attended, Command, Ignore, PassOn, Ping, Ponged, Reply
from exchange.core.errors import ExchangeError, Unavailable, Unparsed
from exchange.core.events import Event, PeerCame, PeerWent, Relayed
from exchange.core.pairs import PairId, Role
from exchange.core.session import Session, State
from exchange.entropy import new_id
from exchange.front import Ending, SocketRules
from exchange.handlers.exchange import Policy
from exchange.node.connection import BOUNDS, Bounds, Connection
from exchange.node.switchboard import RULES, RelayRules
from exchange.storage.memory.state import Memory
from tests.harness.waiting import eventually
from tests.harness.world import Peer, Place

TOKEN = "oc_pair_" + "0123456789abcdef" * 2
POLICY = Policy(store_up_seconds=0)
MEMBER = SocketRules(message_bytes=5 << 20, outer_bytes=8 << 20)
ONLINE = {"type": "status", "peer": "online"}
OFFLINE = {"type": "status", "peer": "offline"}


class Plain:
    """A dialect for the ends of pairs. A refusal is told by the name of its class."""

    name = "coralmux"
    tells = frozenset({PeerCame, PeerWent, Relayed})
    closes: Mapping[Ending, tuple[int, str]] = {
        ending: (4000 + number, ending.value) for number, ending in enumerate(Ending)
    }

    def ask(self, message: bytes) -> Command[object]:
        try:
            frame = json.loads(message)
        except ValueError:
            raise Unparsed from None
        match frame["type"]:
            case "auth":
                return Attend(token=frame.get("token"), role=frame.get("role", ""))
            case "ping":
                return Ping()
            case "pong":
                return Ignore()
            case "chat.stream":
                return PassOn(frame=message, only=Role.AGENT)
        return PassOn(frame=message)

    def answer(self, _session: Session, _command: Command[object], reply: Reply) -> Sequence[bytes]:
        if isinstance(reply, Attended):
            return (text("auth.ok", paired=reply.paired, used=reply.usage.daily_used_bytes),)
        return (text("pong"),) if isinstance(reply, Ponged) else ()

    def refuse(self, _session: Session, _command: Command[object] | None, error: ExchangeError) -> bytes | None:
        return None if isinstance(error, Unavailable) else text("refused", why=type(error).__name__)

    def parts(self, session: Session, error: ExchangeError) -> Ending | None:
        if isinstance(error, Unavailable):
            return Ending.STORE
        return Ending.REFUSED if session.state is State.ANONYMOUS else None

    def tell(self, _session: Session, event: Event) -> bytes | None:
        if isinstance(event, Relayed):
            return event.frame
        return text("status", peer="online" if isinstance(event, PeerCame) else "offline")

    def code(self, error: ExchangeError) -> str:
        return type(error).__name__


class Line(Peer):
    """A phone or an agent, and its socket, which ends a moment after it was closed, as a real one does.

    Nothing comes in while it is paused, and nothing goes in or out once it was closed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ending: Ending | None = None
        self.discarded = False
        self.rules: SocketRules | None = None
        self.arriving: deque[bytes] = deque()

    def send(self, message: bytes) -> None:
        if self.closed is None:
            super().send(message)

    def close(self, code: int, reason: str, ending: Ending, *, discard: bool = False) -> None:
        if self.closed is None:
            self.closed, self.ending, self.discarded = (code, reason), ending, discard
            asyncio.get_running_loop().call_soon(self._end, ending)

    def resume(self) -> None:
        super().resume()
        asyncio.get_running_loop().call_soon(self._read)

    def adopt(self, rules: SocketRules) -> None:
        self.rules = rules

    def say(self, type_: str, **fields: Any) -> None:
        self.packet(text(type_, **fields))

    def packet(self, *messages: bytes) -> None:
        """Send messages that arrive together."""
        self.arriving.extend(messages)
        self._read()

    def leave(self) -> None:
        self.closed = self.closed or (1006, "")
        self._end(Ending.CLIENT)

    async def ended(self) -> Ending | None:
        """Wait until the socket was closed, and return why."""
        await eventually(lambda: self.closed is not None and not self.connection.open)
        return self.ending

    def _read(self) -> None:
        while self.arriving and not self.paused and self.closed is None:
            self.connection.received(self.arriving.popleft())

    def _end(self, ending: Ending) -> None:
        if self.connection.open:
            self.connection.ended(ending)


class Joint(Place):
    """One node that joins pairs."""

    def __init__(self, memory: Memory, name: str = "node1", policy: Policy = POLICY, rules: RelayRules = RULES) -> None:
        super().__init__(memory, name, policy)
        self.switchboard._rules = rules

    def dial(self, bounds: Bounds = BOUNDS) -> Line:
        """Return a client that has not said who it is."""
        dialect = Plain()
        session = Session(new_id(), dialect=dialect.name, address="192.0.2.1", since_ms=self.memory.now_ms())
        line = Line()

        def note(_session: Session, _command: object, error: ExchangeError) -> None:
            self.refused.append(error)

        line.connection = Connection(session, dialect, self.exchange, self.roster, note, bounds, MEMBER)
        line.connection.opened(line)
        return line

    async def attend(self, role: Role, token: str = TOKEN) -> Line:
        """Return a client that is the current one of its slot."""
        line = self.dial()
        reply = await line.ask("auth", token=token, role=role.value)
        assert reply["type"] == "auth.ok", reply
        await eventually(lambda: not line.paused)
        return line

    async def pair(self) -> PairId:
        """Make the pair of ``TOKEN``."""
        return await self.store.pairs.create(TOKEN)


def text(type_: str, **fields: Any) -> bytes:
    """Return a frame of this wire."""
    return json.dumps({"type": type_, **fields}).encode()
