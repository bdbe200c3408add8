"""One connection of a chaos client: dialling, saying who it is, and what waits on it for a reply."""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from tests.chaos.habits import Habits

OPEN_SECONDS = 5.0
CLOSE_SECONDS = 0.5
BROKEN = (OSError, ConnectionClosed, InvalidHandshake, InvalidMessage, TimeoutError, EOFError)
"""How a connection fails, or fails to come about."""

Frame = dict[str, Any]


@dataclass(slots=True)
class Letter:
    """A message that its client sends until it has a final state."""

    id: str
    to: str
    type: str
    text: str
    reply_to: str
    final: asyncio.Future[str]
    """``ok``, or the code of a refusal."""
    expires_ms: int = 0
    attempts: int = 0
    due: bool = True
    """Whether it waits to be sent, rather than for an answer or for its time to be sent again."""

    def frame(self, *, plain: bool) -> Frame:
        """Return the request; a plain client sends neither ids nor references to them."""
        frame: Frame = {"type": self.type, "to": self.to, "content": self.text}
        if not plain:
            frame["id"] = self.id
            if self.reply_to:
                frame["replyTo"] = self.reply_to
            if self.expires_ms:
                frame["expires"] = self.expires_ms
        return frame


@dataclass(slots=True)
class Link:
    """One connection. ``waiting`` are the ids of requests without a reply, in order (MAGI-9)."""

    socket: ClientConnection
    url: str
    session: str = ""
    waiting: deque[str] = field(default_factory=deque)
    outgoing: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    unacked: str = ""
    unacked_count: int = 0
    dying: bool = False
    """Nothing is heard any more."""

    def say(self, frame: Frame, id_: str = "") -> None:
        """Send a request, and wait for a reply under this id if it has one."""
        if id_:
            self.waiting.append(id_)
        self.outgoing.put_nowait(json.dumps(frame))

    def answered(self, frame: Frame) -> str | None:
        """Return the id of the request that a reply belongs to; ``None`` if nothing waits for it."""
        id_ = frame.get("id") or (self.waiting[0] if self.waiting else None)
        if id_ not in self.waiting:
            return None
        self.waiting.remove(id_)
        return str(id_)

    async def write(self) -> None:
        """Write what was said until the connection is gone."""
        with suppress(ConnectionClosed):
            while True:
                await self.socket.send(await self.outgoing.get())

    async def identify(self, name: str, features: tuple[str, ...] | None, token: str, hear: Callable) -> Frame:
        """Say who this is and return the answer, ``identified`` or ``error``; other frames go to ``hear``."""
        greeting = json.loads(await self.socket.recv())
        assert greeting["type"] == "connected", greeting
        frame: Frame = {"type": "identify", "username": name, "nickname": name}
        if features is not None:
            frame["features"] = list(features)
            if token:
                frame["token"] = token
        await self.socket.send(json.dumps(frame))
        while True:
            reply: Frame = json.loads(await self.socket.recv())
            if reply["type"] == "identified":
                self.session = greeting["clientId"][:8]
                return reply
            if reply["type"] == "error":
                return reply
            hear(self, reply)


def dial(url: str, habits: Habits) -> connect:
    """Return a connection that is opened by ``async with``."""
    return connect(
        url,
        open_timeout=OPEN_SECONDS,
        close_timeout=CLOSE_SECONDS,
        ping_interval=habits.ping_seconds,
        ping_timeout=habits.ping_seconds and habits.ping_seconds * 2,
        compression=None,
        proxy=None,
        max_queue=None if habits.reads else 1,
        max_size=None,
    )
