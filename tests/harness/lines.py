"""Lines without sockets: what a client says and hears, played by the test."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from magi.client.errors import MagiError, NotConnected, OutcomeUnknown
from magi.client.line import FEATURES, Identity
from magi.client.model import Tokens
from magi.client.resume import Ended
from magi.wire import magi1_frames as f
from magi.wire import magi1_requests as r
from tests.harness.waiting import eventually

Outcome = f.Frame | Exception | None
"""What a request meets: a reply, an error, or silence until the line ends."""


class FakeLine:
    """As ``magi.client.line.Line``."""

    def __init__(
        self, exchange: "FakeExchange", address: str, tokens: Tokens, on_push: Callable[[f.Frame], None]
    ) -> None:
        self.exchange = exchange
        self.server = address
        self.tokens = tokens
        self.granted = exchange.granted
        self.token = exchange.tokens.popleft() if exchange.tokens else ""
        self.client_id = "c1"
        self.push = on_push
        self.acked: list[str] = []
        self._end: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()

    async def request(self, frame: r.Request, *, seconds: float = 10.0) -> f.Frame:
        if self._end.done():
            raise NotConnected
        self.exchange.requests.append(frame)
        outcome = self.exchange.outcome(frame)
        if outcome is None:
            await asyncio.wait([self._end])
            raise OutcomeUnknown
        await asyncio.sleep(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def send(self, frame: r.Request) -> None:
        assert isinstance(frame, r.Ack)
        self.acked.append(frame.upTo)

    async def ended(self) -> Ended:
        return await asyncio.shield(self._end)

    def end(self, code: int = 1006, reason: str = "") -> None:
        """Let the line end, as the exchange or the network does."""
        if not self._end.done():
            self._end.set_result(Ended(code, reason))

    @property
    def closed(self) -> bool:
        return self._end.done()

    async def close(self, code: int = 1000) -> None:
        if not self._end.done():
            self._end.set_result(Ended(code, asked=True))


class FakeExchange:
    """Opens lines. ``script`` has, by type of request, what the next ones meet; then all succeed."""

    def __init__(self, granted: tuple[str, ...] = FEATURES) -> None:
        self.granted = frozenset(granted)
        self.lines: list[FakeLine] = []
        self.requests: list[r.Request] = []
        self.attempts: list[str] = []
        self.refusals: deque[MagiError] = deque()
        """What the next attempts to connect meet."""
        self.tokens: deque[str] = deque()
        self.script: dict[type[Any], deque[Outcome]] = {}
        self.friends: list[f.Friendship] = []
        self.status = "delivered"

    async def open(
        self, address: str, identity: Identity, tokens: Tokens, *, on_push: Callable[[f.Frame], None]
    ) -> Any:
        self.attempts.append(address)
        if self.refusals:
            raise self.refusals.popleft()
        line = FakeLine(self, address, tokens, on_push)
        self.lines.append(line)
        return line

    def plan(self, type_: type[Any], *outcomes: Outcome) -> None:
        """Say what the next requests of a type meet."""
        self.script.setdefault(type_, deque()).extend(outcomes)

    def befriend(self, username: str, *features: str) -> None:
        """Have a friend who is listed on the next line."""
        self.friends.append(f.Friendship(username, username.title(), f"k-{username}", True, list(features)))

    def outcome(self, frame: r.Request) -> Outcome:
        planned = self.script.get(type(frame))
        if planned:
            return planned.popleft()
        extended = bool(self.granted)
        status = self.status if extended else UNSET
        replies: dict[type[Any], Callable[[], f.Frame]] = {
            r.Ask: lambda: f.QuestionSent(frame.content, frame.to, status=status),
            r.Answer: lambda: f.AnswerSent(frame.content, frame.to, status=status),
            r.Friends: lambda: f.FriendsListed(self.friends),
            r.CreateInvite: lambda: f.InviteCreated("ABC123", "Me", "30 minutes"),
            r.Connect: lambda: f.ConnectedToFriend("k", f.Friend("ada", "Ada")),
            r.Unfriend: lambda: f.Unfriended(frame.username),
            r.Block: lambda: f.Blocked(frame.username),
            r.Unblock: lambda: f.Unblocked(frame.username),
            r.Confirm: lambda: f.Confirmed(frame.username),
            r.Presence: lambda: f.PresenceUpdated(frame.status or "", tuple(frame.capabilities or ())),
            r.Identify: lambda: f.Identified(frame.username, frame.nickname, "c1"),
        }
        return replies[type(frame)]()

    @property
    def line(self) -> FakeLine:
        """The newest line."""
        return self.lines[-1]

    def sent(self, type_: type[Any] = r.Ask) -> list[Any]:
        """Return the requests of a type, in their order."""
        return [frame for frame in self.requests if isinstance(frame, type_)]

    async def has_sent(self, count: int, type_: type[Any] = r.Ask) -> list[Any]:
        """Wait for so many requests of a type, and return them."""
        await eventually(lambda: len(self.sent(type_)) >= count)
        return self.sent(type_)
