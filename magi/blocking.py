"""The client for programs without an event loop: one thread, one loop, nothing of its own (CLI-15); see ``magi.Client``."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import ExitStack, aclosing
from typing import Any, Self, TypeVar

from magi.client.asks import Answer, Ask
from magi.client.client import Client as AsyncClient
from magi.client.inbox import Question, Receipt
from magi.client.model import Friend, Invite

_Result = TypeVar("_Result")


class Client:
    """As ``magi.Client``, and a context manager. Its methods may be called from several threads."""

    def __init__(self, *servers_and_username: Any, **options: Any) -> None:
        """Take what ``magi.Client`` takes."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="magi", daemon=True)
        self._client = AsyncClient(*servers_and_username, **options)

    def __enter__(self) -> Self:
        self._thread.start()
        with ExitStack() as undone:
            undone.callback(self.__exit__)
            self._wait(self._client.open())
            undone.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._wait(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def invite(self, **options: Any) -> Invite:
        """Open an invitation."""
        return self._wait(self._client.invite(**options))

    def connect(self, code: str) -> Friend:
        """Redeem a code."""
        return self._wait(self._client.connect(code))

    def friends(self) -> list[Friend]:
        """Return all friends."""
        return self._wait(self._client.friends())

    def ask(self, to: str, text: str, *, wait_seconds: float | None = None, **options: Any) -> Answer:
        """Ask, and wait for the answer."""
        return self._wait(self._wait(self._client.ask(to, text, **options)).answer(wait_seconds=wait_seconds))

    def note(self, to: str, text: str) -> Ask:
        """Tell a friend something that wants no answer."""
        return self._wait(self._client.note(to, text))

    def question(self, *, wait_seconds: float | None = None) -> Question:
        """Wait for the next question; ``TimeoutError`` if none comes."""
        return self._wait(asyncio.wait_for(self._question(), wait_seconds))

    def answer(self, question: Question, text: str) -> Receipt:
        """Answer a question."""
        return self._wait(question.answer(text))

    async def _question(self) -> Question:
        async with aclosing(self._client.questions()) as questions:
            return await anext(questions)

    def _wait(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        result = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return result.result()
        finally:
            result.cancel()  # Ctrl-C ends the wait there too
