"""The script of a test, and the socket on which it is played."""

import asyncio
import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Generic, Self, TypeVar

from msgspec import UNSET
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Upgrade
from websockets.http11 import Response

from magi.testing.house import Account, Deliveries, House
from magi.wire import magi1_frames as f
from magi.wire import magi1_requests as r
from magi.wire.codes import REPLACED_REASON, CloseCode
from magi.wire.magi1 import Malformed, UnknownType, decode, encode

FEATURES: Final = ("ids", "objects", "offline", "persist", "presence", "resume")
EXPECT_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 1.0

R = TypeVar("R", bound=r.Request)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Heard(Generic[R]):
    """A request that waits for the script. ``username`` is empty before the client has identified."""

    request: R
    username: str
    socket: ServerConnection


class ScriptedExchange:
    """An exchange of one test. ``async with`` starts and ends it."""

    def __init__(
        self, *, features: Collection[str] = FEATURES, greeting: bytes | None = None, identifies: bool = True
    ) -> None:
        """With ``greeting`` it greets with these bytes, and with none if they are empty. Without ``identifies`` the script
        answers ``identify`` too."""
        self.heard: list[tuple[str, r.Request]] = []
        """Every request that ever came, with the username it came from."""
        self.address = ""
        self._extended = bool(features)
        self._house = House(frozenset(features))
        self._sockets: dict[Account, ServerConnection] = {}
        self._greeting = greeting
        self._identifies = identifies
        self._waiting: list[Heard[Any]] = []
        self._changed = asyncio.Condition()
        self._turned_away: tuple[int, str] | None = None
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._converse,
            "127.0.0.1",
            0,
            compression=None,
            ping_interval=None,
            close_timeout=CLOSE_SECONDS,
            process_request=self._admit,
        )
        self.address = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        for connection in self._server.connections:
            connection.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    # --- the script --------------------------------------------------------------------------------------------------

    async def expect(self, kind: type[R], username: str = "", *, seconds: float = EXPECT_SECONDS) -> Heard[R]:
        """Return the oldest request of a type that the script has not taken yet, or wait for one; of one user if named.

        Raises:
            AssertionError: None came in time.
        """

        def find() -> Heard[R] | None:
            fitting = (one for one in self._waiting if isinstance(one.request, kind))
            return next((one for one in fitting if not username or one.username == username), None)

        found = await self.until(find, f"{kind.__name__} {username}".strip(), seconds=seconds)
        self._waiting.remove(found)
        return found

    async def arrival(self, username: str, *, seconds: float = EXPECT_SECONDS) -> None:
        """Wait until a user is connected and identified."""
        account = self._house.account(username)
        await self.until(lambda: account.here, f"arrival of {username}", seconds=seconds)

    async def reply(self, heard: Heard[Any], frame: f.Frame) -> None:
        """Answer a request; the frame gets its ``id``. ``identified`` makes the connection that user's."""
        if isinstance(frame, f.Identified):
            account = self._house.account(frame.username)
            account.features = frozenset() if frame.features is UNSET else frozenset(frame.features)
            await self._let_in(account, heard, frame)
        else:
            await _send(heard.socket, self._house.signed(heard.request, frame))

    async def refuse(self, heard: Heard[Any], message: str, code: str = "", retry_after_ms: int = 0) -> None:
        """Answer a request with an error."""
        await self.reply(heard, f.Error(message, UNSET, code or UNSET, retry_after_ms or UNSET))

    async def push(self, username: str, frame: f.Frame) -> None:
        """Send something unasked to a user who is connected."""
        await _send(self._socket(username), frame)

    async def mail(self, username: str, frame: f.Frame) -> None:
        """Put a ``question``, ``answer``, ``expired`` or ``parked`` into a mailbox: it comes now, and again after each
        ``identified`` until it is acknowledged."""
        account = self._house.account(username)
        await self._deliver(iter([(account, self._house.stored(account, frame))]))

    def unacked(self, username: str) -> list[f.Frame]:
        """Return what is in the mailbox of a user."""
        return list(self._house.account(username).mail)

    async def drop(self, username: str, code: int = 0, reason: str = "") -> None:
        """Close the connection of a user with a code; break it with 0. Returns when it is gone."""
        socket = self._socket(username)
        if code:
            await socket.close(code, reason)
        else:
            socket.transport.abort()
        await self.until(lambda: socket not in self._sockets.values(), f"end of {username}")

    def drop_reply(self, username: str, kind: type[r.Request]) -> None:
        """Do what the next request of this type wants, by the house rules, and break the connection instead of replying."""
        self._house.account(username).loses = kind

    def stall(self, username: str) -> None:
        """Answer nothing more to a user; requests wait for ``expect`` or ``resume``."""
        self._house.account(username).stalled = True

    async def resume(self, username: str) -> None:
        """Go on by the house rules, first with what waits on the present connection."""
        account = self._house.account(username)
        account.stalled = False
        for heard in [one for one in self._waiting if one.socket is self._sockets.get(account)]:
            self._waiting.remove(heard)
            await self._serve(heard)

    def turn_away(self, status: int, retry_after: str = "") -> None:
        """Refuse upgrades with an HTTP status from now on; 0 lets clients in again."""
        self._turned_away = (status, retry_after) if status else None

    def serve(self, *usernames: str) -> None:
        """Answer these users by the house rules."""
        for username in usernames:
            self._house.account(username).served = True

    async def pair(self, one: str, other: str) -> None:
        """Make two users friends, and serve them. Who is connected hears of it."""
        self.serve(one, other)
        await self._deliver(self._house.befriend(self._house.account(one), self._house.account(other)))

    async def until(self, find: Callable[[], T | None], what: str = "it", *, seconds: float = EXPECT_SECONDS) -> T:
        """Wait until ``find``, looked at whenever a request was dealt with or a connection ended, is true; return what it said.

        Raises:
            AssertionError: It was not in time; ``what`` is named.
        """
        try:
            async with asyncio.timeout(seconds), self._changed:
                while not (found := find()):
                    await self._changed.wait()
                return found
        except TimeoutError:
            waiting = ", ".join(type(one.request).__name__ for one in self._waiting) or "nothing"
            raise AssertionError(f"no {what} within {seconds:g} s; waiting for the script: {waiting}") from None

    # --- the sockets --------------------------------------------------------------------------------------------------

    def _socket(self, username: str) -> ServerConnection:
        socket = self._sockets.get(self._house.account(username))
        assert socket is not None, f"{username} is not connected"
        return socket

    def _at(self, socket: ServerConnection) -> Account | None:
        return next((account for account, one in self._sockets.items() if one is socket), None)

    def _admit(self, connection: ServerConnection, _upgrade: Upgrade) -> Response | None:
        if self._turned_away is None:
            return None
        status, retry_after = self._turned_away
        response = connection.respond(status, "not now\n")
        if retry_after:
            response.headers["Retry-After"] = retry_after
        return response

    async def _converse(self, socket: ServerConnection) -> None:
        greeting = encode(f.Connected(self._house.new("client"))) if self._greeting is None else self._greeting
        with contextlib.suppress(ConnectionClosed):
            if greeting:
                await socket.send(greeting, text=True)
            async for message in socket:
                await self._hear(socket, message.encode() if isinstance(message, str) else message)
        account = self._at(socket)
        if account is not None:
            del self._sockets[account]
            account.here = False
            await self._deliver(self._house.left(account))
        await self._tell()

    async def _hear(self, socket: ServerConnection, message: bytes) -> None:
        try:
            request = decode(message)
        except (Malformed, UnknownType) as error:
            code = "malformed" if isinstance(error, Malformed) else "unknown_type"
            await _send(socket, f.Error(str(error), code=code if self._extended else UNSET))
            return
        account = self._at(socket)
        username = str(getattr(request, "username", "")) if account is None else account.username
        self.heard.append((username, request))
        if isinstance(request, r.Identify) and self._identifies:
            await self._identify(Heard(request, username, socket))
        elif account is not None and account.served and not account.stalled:
            await self._serve(Heard(request, username, socket))
        else:
            if isinstance(request, r.Ack) and account is not None:  # there is nothing to reply to
                self._house.ack(account, request)
            self._waiting.append(Heard(request, username, socket))
        await self._tell()

    async def _identify(self, heard: Heard[r.Identify]) -> None:
        account = self._house.account(str(heard.request.username))
        again = self._sockets.get(account) is heard.socket
        reply = self._house.identify(account, heard.request, again=again)
        if isinstance(reply, f.Error):
            await _send(heard.socket, self._house.signed(heard.request, reply))
        else:
            await self._let_in(account, heard, reply)

    async def _let_in(self, account: Account, heard: Heard[Any], identified: f.Identified) -> None:
        before = self._sockets.get(account)
        self._sockets[account], account.here = heard.socket, True
        await _send(heard.socket, self._house.signed(heard.request, identified))
        if before is not heard.socket:
            await self._deliver(self._house.came(account))
            if before is not None:
                await before.close(CloseCode.NORMAL, REPLACED_REASON)

    async def _serve(self, heard: Heard[Any]) -> None:
        account = self._house.account(heard.username)
        await self._deliver(self._house.answer(account, heard.request), account, heard.request)

    async def _deliver(self, frames: Deliveries, caller: Account | None = None, request: Any = None) -> None:
        """Send frames to their users, if they are here. What goes to the caller is its reply."""
        for account, frame in list(frames):
            socket = self._sockets.get(account)
            if socket is None:
                continue
            if account is caller and account.loses is not None and isinstance(request, account.loses):
                account.loses = None
                socket.transport.abort()
            else:
                with contextlib.suppress(ConnectionClosed):  # as good as away
                    await _send(socket, frame)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


async def _send(socket: ServerConnection, frame: f.Frame) -> None:
    await socket.send(encode(frame), text=True)
