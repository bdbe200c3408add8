"""A client of the CoralMux wire that believes nothing: frames of the relay are compared key by key, those of the peer byte by
byte, and every wait is bounded."""

import asyncio
import contextlib
import json
import re
import time
import uuid
from typing import Any, Self

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from tests.harness.waiting import WAIT_SECONDS

KEYS = {"v", "type", "id", "ts", "payload"}
"""What every frame of the relay itself has, and nothing else (CORAL-3)."""
GRANTED = {"paired", "daily_quota_bytes", "daily_used_bytes", "monthly_quota_bytes", "monthly_used_bytes"}
"""What ``auth.ok`` says (CORAL-9)."""
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
LONG_AGO_MS = 1_600_000_000_000
FRAME_BYTES_MOST = 16 << 20


def envelope(type_: str, payload: object = None, **others: object) -> str:
    """Return a frame as original clients write it; ``others`` replace or add fields."""
    frame = {"v": 1, "type": type_, "id": str(uuid.uuid4()), "ts": time.time_ns() // 1_000_000}
    return json.dumps({**frame, "payload": {} if payload is None else payload, **others}, ensure_ascii=False)


def padded(size: int, type_: str = "chat.send") -> str:
    """Return a frame of exactly this many bytes."""
    head, tail = f'{{"type":"{type_}","payload":{{"text":"', '"}}'
    return head + "x" * (size - len(head) - len(tail)) + tail


class Frame(dict[str, Any]):
    """One message, parsed; ``text`` is what came over the wire."""

    def __init__(self, text: str) -> None:
        super().__init__(json.loads(text))
        self.text = text


class Client:
    """A scripted end of a pair. It answers nothing by itself and reads nothing it was not asked to."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.granted: dict[str, Any] = {}
        """The payload of its ``auth.ok``."""
        self.frozen = False
        self._ids: set[str] = set()

    @classmethod
    async def dial(cls, url: str, *, address: str, **options: Any) -> Self:
        """Open the socket and say nothing. ``address`` is the loopback address that the server sees."""
        socket = await connect(
            url,
            proxy=None,
            compression=None,
            max_size=FRAME_BYTES_MOST,
            max_queue=None,  # what a test does not read must not hold up pings and the close
            local_addr=(address, 0),
            **options,
        )
        return cls(socket)

    # --- sending -----------------------------------------------------------------------------------------------------

    async def send(self, *messages: str | bytes) -> None:
        """Send messages as they are, without reading in between; bytes go into a binary frame."""
        for message in messages:
            await self.socket.send(message)

    async def say(self, type_: str, payload: object = None, **others: object) -> str:
        """Send a frame of this type and return its text."""
        text = envelope(type_, payload, **others)
        await self.send(text)
        return text

    def write(self, data: bytes) -> None:
        """Give bytes to the kernel in one piece, framed by the caller."""
        self.socket.transport.write(data)

    # --- expecting ---------------------------------------------------------------------------------------------------

    async def next(self) -> Frame:
        """Return the next frame, whatever it is."""
        async with asyncio.timeout(WAIT_SECONDS):
            message = await self.socket.recv()
        assert isinstance(message, str), "the relay sends text frames only (CORAL-2)"
        return Frame(message)

    async def expect(self, type_: str, payload: object) -> Frame:
        """Read the next frame; it must be the relay's own and say exactly this."""
        frame = await self.next()
        assert (frame.get("type"), frame.get("payload")) == (type_, payload), frame.text[:300]
        self._check(frame)
        return frame

    async def refused(self, code: str, message: str, retry_after_ms: int | None = None) -> None:
        """Read the next frame; it must be this ``chat.error``, without a ``retry_after_ms`` if none is given."""
        retry = {} if retry_after_ms is None else {"retry_after_ms": retry_after_ms}
        await self.expect("chat.error", {"code": code, "message": message, **retry})

    async def peer(self, word: str) -> None:
        """Read the next frame; it must say that the peer is ``online`` or ``offline``."""
        await self.expect("status", {"peer": word})

    async def relayed(self, *texts: str) -> None:
        """Read the next frames; they must be these, to the byte (CORAL-4)."""
        for text in texts:
            got = (await self.next()).text
            assert got == text, f"{got[:300]} is not {text[:300]}"

    async def passes(self, to: "Client", *texts: str) -> None:
        """Send frames; they must be the next ones that the peer gets, to the byte."""
        await self.send(*texts)
        await to.relayed(*texts)

    async def answered(self, text: str) -> Frame:
        """Send a frame and return what was said to it: the pong to a ping after it if it was taken without a word."""
        await self.send(text, envelope("ping"))
        frame = await self.next()
        if frame["type"] != "pong":
            await self.expect("pong", {})
        return frame

    async def passed(self, text: str) -> None:
        """Send a frame that is taken without a word, and wait until it was."""
        frame = await self.answered(text)
        assert frame["type"] == "pong", frame

    async def nothing_more(self) -> None:
        """Prove that no frame waits: the answer to a ping of our own is the next one."""
        await self.say("ping")
        await self.expect("pong", {})

    async def expect_close(self, code: int, reason: str | None = None, seconds: float = WAIT_SECONDS) -> None:
        """Wait until the server closes, without a frame before."""
        with pytest.raises(ConnectionClosed) as caught:
            async with asyncio.timeout(seconds):
                await self.socket.recv()
        closed = caught.value.rcvd
        assert closed is not None, "the connection broke without a close frame"
        assert closed.code == code, closed
        assert reason is None or closed.reason == reason, closed

    async def outlives(self, code: int) -> bool:
        """Read one frame and tell that it came, or see that we were closed with this code instead."""
        try:
            await self.next()
        except ConnectionClosed as closed:
            if closed.rcvd is None or closed.rcvd.code != code:
                raise
            return False
        return True

    async def rest(self) -> list[Frame]:
        """Return all frames that still come before the connection is over, in order or not."""
        frames = []
        with contextlib.suppress(ConnectionClosed):
            while True:
                frames.append(await self.next())
        return frames

    # --- whole requests ----------------------------------------------------------------------------------------------

    async def auth(self, token: object, role: object, **granted: object) -> dict[str, Any]:
        """Authenticate; the first frame must be ``auth.ok`` with exactly its fields and these values (CORAL-8)."""
        await self.say("auth", {"token": token, "role": role})
        return await self.let_in(**granted)

    async def let_in(self, **granted: object) -> dict[str, Any]:
        """Read the first frame, which must be ``auth.ok``."""
        frame = await self.next()
        assert frame.get("type") == "auth.ok", frame.text
        self._check(frame)
        self.granted = frame["payload"]
        assert set(self.granted) == GRANTED
        assert isinstance(self.granted["paired"], bool)
        for name, value in granted.items():
            assert self.granted[name] == value, f"{name} of {self.granted} is not {value}"
        return self.granted

    async def turned_away(self, message: str) -> None:
        """Read ``auth.fail`` with these words, and the close that follows (CORAL-6)."""
        await self.expect("auth.fail", {"code": "UNAUTHORIZED", "message": message})
        await self.expect_close(1008)

    # --- ending ------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close in order and wait for the end."""
        if self.frozen:
            return await self.vanish()
        async with asyncio.timeout(WAIT_SECONDS):
            await (self.socket.close() if self.socket.state is State.OPEN else self.socket.wait_closed())

    async def vanish(self) -> None:
        """Let TCP end without a word."""
        if self.socket.state is not State.CLOSED:
            self.socket.transport.abort()
        async with asyncio.timeout(WAIT_SECONDS):
            await self.socket.wait_closed()

    def freeze(self) -> None:
        """Stop reading, so that pings stay unanswered: what a half-open connection looks like."""
        self.frozen = True
        self.socket.transport.pause_reading()

    def thaw(self) -> None:
        """Read again."""
        self.frozen = False
        self.socket.transport.resume_reading()

    def _check(self, frame: Frame) -> None:
        assert set(frame) == KEYS, frame.text
        assert frame["v"] == 1
        assert type(frame["ts"]) is int
        assert frame["ts"] > LONG_AGO_MS
        assert UUID4.fullmatch(frame["id"]), frame["id"]
        assert frame["id"] not in self._ids, "an id is used once"
        self._ids.add(frame["id"])


async def one_after(sender: Client, receiver: Client) -> None:
    """Prove that nothing of the sender is on its way: a frame that it sends now is the next one of the receiver."""
    await sender.passes(receiver, envelope("system.marker"))
