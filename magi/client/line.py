"""One connection with an exchange, from the greeting to its end.

Three things happen at once on a line. One task reads, hands pushes to ``on_push`` and replies to those who wait for them, and
never waits for anybody (CLI-11). One writes what was posted, in its order. Requests wait, each with its own time limit.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import UNSET
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from magi.client.addresses import place
from magi.client.dialling import CLOSE_SECONDS, dial
from magi.client.errors import (
    BadFrame,
    MagiError,
    NotConnected,
    OutcomeUnknown,
    TokenRefused,
    TooLarge,
    Unavailable,
)
from magi.client.model import Tokens
from magi.client.refusals import error_of
from magi.client.replies import PUSHES, Letter, Replies
from magi.client.resume import ABNORMAL, Ended
from magi.wire.codes import CloseCode
from magi.wire.magi1 import decode_frame, encode
from magi.wire.magi1_frames import Connected, Error, Frame, Identified
from magi.wire.magi1_requests import Identify, Request

__all__ = ["Ended", "Identity", "Line"]

GREETING_SECONDS: Final = 10.0
IDENTIFIED_SECONDS: Final = 10.0
REPLY_SECONDS: Final = 10.0
FEATURES: Final = ("ids", "offline", "objects", "persist", "presence", "resume")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who wants to connect, and what it understands. Without ``features`` it is a plain client."""

    username: str
    nickname: str
    features: tuple[str, ...] = FEATURES


class Line:
    """An identified connection. ``open`` makes one; afterwards it is good until it has ``ended``."""

    def __init__(
        self,
        address: str,
        socket: ClientConnection,
        identified: Identified,
        on_push: Callable[[Frame], None],
        early: Iterable[Frame] = (),
    ) -> None:
        """``early`` are pushes that came before anybody could take them."""
        self.server = address
        self.client_id = identified.clientId
        self.granted = frozenset(() if identified.features is UNSET else identified.features)
        self.token = "" if identified.token is UNSET else identified.token
        self._socket = socket
        self._on_push = on_push
        self._replies = Replies(by_id=bool(self.granted))
        self._turns: defaultdict[type[Request], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._outgoing: asyncio.Queue[Letter | None] = asyncio.Queue()
        self._closing: int | None = None
        self._life = asyncio.create_task(self._live(early))

    @classmethod
    async def open(
        cls, address: str, identity: Identity, tokens: Tokens, *, on_push: Callable[[Frame], None]
    ) -> "Line":
        """Connect and identify: with the current token, then with the previous one (CLI-6).

        Takes at most 5 s for the socket, 10 s for the greeting and 10 s for each ``identified``. Safe to cancel.

        Args:
            address: As of ``magi.client.addresses``.
            identity: Who we are.
            tokens: Of an earlier line; empty ones if there was none.
            on_push: Is given everything that comes unasked, in its order. It must not block and not raise: if it does raise,
                the line breaks, and :meth:`ended` raises the same. Not called before this returns to a caller that awaits
                it directly.

        Raises:
            NotConnected: It did not come about; if by HTTP, ``status`` and ``retry_after_seconds`` are set.
            NameTaken: Somebody else has the name.
            TokenRefused: The exchange takes neither token.
            Refused: It does not take us for another reason.
            Unavailable: It cannot serve now.
            BadFrame: Whoever listens there is no mAgi exchange.
        """
        socket = await dial(address)
        try:
            return await _introduce(socket, address, identity, tokens, on_push)
        except ConnectionClosed as error:
            raise _hung_up(error, place(address)) from error
        except BaseException:
            _cut(socket)
            raise

    async def request(self, frame: Request, *, seconds: float = REPLY_SECONDS) -> Frame:
        """Send a request and return its reply. Cancelling leaves open whether it happens.

        On an extended line ``frame.id`` is set, and unlike that of any other request under way. On a plain one the next request
        of a type waits for the reply to the one before, and a reply that does not come in time ends the line: nobody could say
        what a later one belongs to.

        Raises:
            NotConnected: It was never written.
            OutcomeUnknown: It was written, and no reply came, in ``seconds`` or before the line ended.
            TooLarge: The exchange closed the line over it (1009), or said so.
            Unavailable, MagiError: It was refused, see ``refusals``.
        """
        letter = Letter(frame, encoded(frame))
        try:
            async with asyncio.timeout(seconds), self._turn(frame):
                if self._closing is not None or self._life.done():
                    raise NotConnected
                self._replies.add(letter)
                self._outgoing.put_nowait(letter)
                reply = await letter.reply
        except TimeoutError:
            raise self._overdue(letter, seconds) from None
        finally:
            self._replies.drop(letter)
        if isinstance(reply, Error):
            raise error_of(reply)
        return reply

    def send(self, frame: Request) -> None:
        """Send what gets no reply: an ``ack``. Nothing happens if the line has ended; then the message comes again."""
        self._outgoing.put_nowait(Letter(frame, encoded(frame)))

    async def ended(self) -> Ended:
        """Wait for the end and say how it was. May be awaited by several, and again."""
        return await asyncio.shield(self._life)

    async def close(self, code: int = CloseCode.NORMAL) -> None:
        """Close the line after everything that was posted, which may take 2 s and the closing 2 s; return when it has ended."""
        if self._closing is None:
            self._closing = code
            self._outgoing.put_nowait(None)
        await asyncio.wait([self._life], timeout=2 * CLOSE_SECONDS)
        _cut(self._socket)
        await asyncio.wait([self._life])

    # --- its life ----------------------------------------------------------------------------------------------------

    async def _live(self, early: Iterable[Frame]) -> Ended:
        ended = Ended(ABNORMAL)
        writing = asyncio.create_task(self._write())
        try:
            for frame in early:
                self._on_push(frame)
            while True:
                self._hear(await self._socket.recv())
        except ConnectionClosed as error:
            ended = self._ending(error)
        finally:
            writing.cancel()
            self._settle_all(ended)
            _cut(self._socket)  # it stands if ``on_push`` is at fault
        return ended

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionClosed):  # the reader says how
            while (letter := await self._outgoing.get()) is not None:
                if not letter.reply.done():  # else it was given up before any of it was written
                    letter.written = True
                    await self._socket.send(letter.data, text=True)
            await self._socket.close(self._closing or CloseCode.NORMAL)

    def _hear(self, message: str | bytes) -> None:
        frame = decoded(message)
        if isinstance(frame, PUSHES):
            self._on_push(frame)
        elif frame is not None and (letter := self._replies.take(frame)) is not None:
            letter.settle(frame)

    def _ending(self, error: ConnectionClosed) -> Ended:
        if self._closing is not None:
            return Ended(self._closing, asked=True)
        if error.rcvd is None:  # it broke, or we broke it off: no pong came, or a frame that was too large
            return Ended(ABNORMAL, error.sent.reason if error.sent else "")
        return Ended(error.rcvd.code, error.rcvd.reason)

    def _settle_all(self, ended: Ended) -> None:
        """Tell all who wait for a reply that none will come."""
        waiting = [letter for letter in self._replies if not letter.reply.done()]
        written = [letter for letter in waiting if letter.written]
        if ended.code == CloseCode.TOO_BIG and written:
            largest = max(written, key=lambda letter: len(letter.data))
            largest.settle(TooLarge(ended.reason or "Message too large", "too_large"))
        for letter in waiting:
            lost = f"The connection ended ({ended.code}) before a reply came."
            letter.settle(OutcomeUnknown(lost) if letter.written else NotConnected())

    # --- requests ----------------------------------------------------------------------------------------------------

    def _turn(self, frame: Request) -> contextlib.AbstractAsyncContextManager[None]:
        return contextlib.nullcontext() if self._replies.by_id else self._turns[type(frame)]

    def _overdue(self, letter: Letter, seconds: float) -> MagiError:
        if not letter.written:
            return NotConnected(f"{place(self.server)} took nothing for {seconds:g} s.")
        if not self._replies.by_id:
            _cut(self._socket)
        return OutcomeUnknown(f"No reply came within {seconds:g} s.")


def _cut(socket: ClientConnection) -> None:
    """End a connection without a word, unless it has ended: a transport that is gone may not be aborted."""
    if socket.state is not State.CLOSED:
        socket.transport.abort()


def encoded(request: Request) -> bytes:
    """Encode a request. Fields that are ``None`` are left out: they say nothing."""
    fields = msgspec.structs.fields(request)
    values = {field.encode_name: getattr(request, field.name) for field in fields}
    said = {name: value for name, value in values.items() if value is not None}
    return encode({"type": request.__struct_config__.tag, **said})


def decoded(message: str | bytes) -> Frame | None:
    """Decode a frame; ``None`` if it is of no type that this client knows: then it is ignored (MAGI-16)."""
    try:
        return decode_frame(message.encode() if isinstance(message, str) else message)
    except (msgspec.DecodeError, RecursionError):
        return None


# --- before a line is one --------------------------------------------------------------------------------------------


async def _introduce(
    socket: ClientConnection, address: str, identity: Identity, tokens: Tokens, on_push: Callable[[Frame], None]
) -> Line:
    where = place(address)
    try:
        async with asyncio.timeout(GREETING_SECONDS):
            greeting = decoded(await socket.recv())
    except TimeoutError:
        raise NotConnected(f"{where} does not greet us; is it a mAgi exchange?") from None
    if not isinstance(greeting, Connected):
        raise BadFrame(f"{where} is no mAgi exchange: it greets with something else.")
    early: list[Frame] = []
    refusal: MagiError = TokenRefused()
    for token in [token for token in (tokens.current, tokens.previous) if token] or [""]:
        try:
            async with asyncio.timeout(IDENTIFIED_SECONDS):
                reply = await _identify(socket, identity, token, early)
        except TimeoutError:
            raise NotConnected(f"{where} does not say whether it takes us.") from None
        if isinstance(reply, Identified):
            return Line(address, socket, reply, on_push, early)
        refusal = error_of(reply)
        if not isinstance(refusal, TokenRefused):
            break
    raise refusal


async def _identify(socket: ClientConnection, identity: Identity, token: str, early: list[Frame]) -> Identified | Error:
    features = list(identity.features) or None
    request = Identify(identity.username, identity.nickname, features, token=token or None)
    await socket.send(encoded(request), text=True)
    while True:
        frame = decoded(await socket.recv())
        if isinstance(frame, Identified | Error):
            return frame
        if isinstance(frame, PUSHES):
            early.append(frame)


def _hung_up(error: ConnectionClosed, where: str) -> MagiError:
    code = error.rcvd.code if error.rcvd else ABNORMAL
    if code == CloseCode.TRY_AGAIN_LATER:
        return Unavailable(f"{where} cannot serve now.")
    return NotConnected(f"{where} closed the connection before we were in ({code}).")
