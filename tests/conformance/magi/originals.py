"""Models of the two client libraries in the field, with the habits that the wire must bear (section 15)."""

import asyncio
from collections import deque
from typing import Any

from tests.conformance.magi.client import Frame, PlainClient
from tests.conformance.magi.places import Place
from tests.harness.waiting import WAIT_SECONDS

REPLIES = {
    "identify": "identified",
    "create_invite": "invite_created",
    "connect": "connected_to_friend",
    "ask": "question_sent",
    "answer": "answer_sent",
}


class Rejected(Exception):
    """The library told its caller that a request failed."""


class Library:
    """What both have in common: they read all the time, match replies by type only and keep friends by username."""

    def __init__(self, place: Place, node: int) -> None:
        self.place = place
        self.node = node
        self.friends: dict[str, str] = {}
        self.inbox: asyncio.Queue[Frame] = asyncio.Queue()
        self.pending: dict[str, deque[asyncio.Future[Frame]]] = {reply: deque() for reply in REPLIES.values()}
        self.client: PlainClient | None = None
        self.reader: asyncio.Task[None] | None = None
        self.unclaimed: list[Frame] = []
        """Frames that nobody waited for: there must be none."""

    async def start(self) -> None:
        """Open the socket and wait for the greeting, without a time-out of its own (MAGI-6)."""
        self.client = await self.place.client(self.node, path="/bx")
        self.reader = asyncio.create_task(self._read(self.client))

    async def stop(self) -> None:
        assert self.client is not None
        assert self.reader is not None
        await self.client.close()
        await asyncio.wait({self.reader}, timeout=WAIT_SECONDS)

    async def _read(self, client: PlainClient) -> None:
        async for message in client.socket:
            self.heard(Frame(str(message)))

    def heard(self, frame: Frame) -> None:
        """Do with one frame what the library does."""
        type_ = frame["type"]
        if type_ in ("friend_connected", "connected_to_friend"):
            self.friends[frame["friend"]["username"]] = frame["friend"]["nickname"]
        if type_ == "friend_disconnected":
            self.friends.pop(frame["friend"]["username"], None)
        if type_ in ("friend_connected", "friend_disconnected", "question", "answer"):
            self.inbox.put_nowait(frame)
        elif type_ == "error":
            self.failed(frame)
        elif self.pending[type_]:
            self.pending[type_].popleft().set_result(frame)
        else:
            self.unclaimed.append(frame)

    def failed(self, frame: Frame) -> None:
        """Take an error frame."""
        raise NotImplementedError

    async def call(self, message: dict[str, Any]) -> Frame:
        """Make a request; the next frame of the matching type settles it."""
        assert self.client is not None
        waiting: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self.pending[REPLIES[message["type"]]].append(waiting)
        await self.client.send(message)
        async with asyncio.timeout(WAIT_SECONDS):
            return await waiting

    async def told(self, type_: str) -> Frame:
        """Return the next push, which must be of this type."""
        async with asyncio.timeout(WAIT_SECONDS):
            frame = await self.inbox.get()
        assert frame["type"] == type_, frame
        return frame


class ScriptLibrary(Library):
    """The JavaScript client: an error settles the oldest request; it never reconnects."""

    def failed(self, frame: Frame) -> None:
        oldest = next((queue for queue in self.pending.values() if queue), None)
        if oldest is None:
            self.unclaimed.append(frame)
        else:
            oldest.popleft().set_exception(Rejected(frame["message"]))

    async def ask(self, content: Any, to: str | None = None) -> Frame:
        """It sends ``to: null`` where no target was given."""
        return await self.call({"type": "ask", "content": content, "to": to})


class BridgeLibrary(Library):
    """The TypeScript client inside BrainBridge: lower-cases commands, drops unset keys, rejects everything on an error,
    and comes back anonymous after a lost connection."""

    def failed(self, frame: Frame) -> None:
        waiting = [future for queue in self.pending.values() for future in queue]
        for queue in self.pending.values():
            queue.clear()
        if not waiting:
            self.unclaimed.append(frame)
        for future in waiting:
            future.set_exception(Rejected(frame["message"]))

    async def command(self, line: str) -> Frame:
        """Carry out ``magi ...`` as a user types it: the whole line is lower-cased first."""
        word, _, rest = line.lower().removeprefix("magi ").partition(" ")
        if word == "invite":
            return await self.call({"type": "create_invite"})
        if word == "connect":
            return await self.call({"type": "connect", "code": rest})
        to, _, content = rest.partition(" ")
        return await self.call({"type": word, "content": content, "to": to})

    async def identify(self, username: str, nickname: str | None = None) -> Frame:
        message = {"type": "identify", "username": username, "nickname": nickname}
        return await self.call({key: value for key, value in message.items() if value is not None})

    async def reconnect(self) -> None:
        """Come back after 3, 6, 9, 12 or 15 s: a new socket and nothing else."""
        self.friends.clear()
        await self.start()
