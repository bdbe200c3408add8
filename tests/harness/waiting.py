"""Bounded waiting: tests never sleep for a time they guessed."""

import asyncio
import time
from collections.abc import Awaitable, Callable

WAIT_SECONDS = 15.0


async def eventually(condition: Callable[[], object | Awaitable[object]], seconds: float = WAIT_SECONDS) -> object:
    """Wait until ``condition`` is true and return what it said; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {seconds} s")
        await asyncio.sleep(0.01)


def soon(condition: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
    """Wait until something is so in another thread; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {seconds} s")
        time.sleep(0.01)


def stall(seconds: float) -> None:
    """Let this process stand still, as when it is stopped and goes on: its event loop does not turn meanwhile."""
    time.sleep(seconds)
