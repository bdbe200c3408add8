"""A desk that answers from memory, for tests of what stands between a face and the desk."""

import asyncio
from typing import Any

from magi.daemon.port import Caller, FriendView, Inbox, Item, Status, Waiting
from magi.daemon.protocol import METHODS, Hello

MODEL = Caller(face="mcp", origin="model", session="s1")
BOB = FriendView(
    petname="bob", username="bob@example.com", nickname="Bob", online=True, mode="ask", capabilities=("x",)
)
ITEM = Item(id="q1", who="bob", kind="ask", text="Which Redis?", received_ms=1)
STATUS = Status(
    username="alice",
    nickname="Alice",
    profile="default",
    server="ws://127.0.0.1:1/",
    connection="connected",
    detail="",
    granted=("ids",),
    missing=(),
    durable=True,
    encrypted_transport=False,
    paused=False,
    waiting=Waiting(),
)


class FakeDesk:
    """Implements the port and ``Host``: every call is noted; ``answers`` says what a method returns, raises, or waits for."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {
            "status": STATUS,
            "friends": (BOB,),
            "inbox": Inbox((ITEM,), Waiting(questions=("bob",))),
            **answers,
        }
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.cancelled: list[str] = []
        self.here: list[Hello] = []
        self.waiting = asyncio.Queue[Inbox]()

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS:
            raise AttributeError(name)

        async def call(**args: Any) -> Any:
            self.calls.append((name, args))
            answer = self.answers.get(name)
            try:
                if isinstance(answer, asyncio.Event):
                    await answer.wait()
                    return self.answers[f"{name} then"]
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return call

    async def events(self) -> Any:
        try:
            while True:
                yield await self.waiting.get()
        finally:
            self.cancelled.append("events")

    def attach(self, face: Hello) -> "FakeDesk":
        self.here.append(face)
        return self

    async def detach(self, face: Hello) -> None:
        self.here.remove(face)

    async def close(self) -> None:
        """Nothing to do."""
