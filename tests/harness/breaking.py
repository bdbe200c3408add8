"""A store that is out of reach, or whose user is killed, at one chosen call: so that a test can break off anywhere."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import fields
from itertools import count
from typing import Any, TypeVar

from exchange.core.errors import StorageUnavailable
from exchange.ports import Store

CALLS_MOST = 500
W = TypeVar("W")

ERRORS = {
    "killed before": (asyncio.CancelledError, False),
    "killed after": (asyncio.CancelledError, True),
    "refused before": (lambda: StorageUnavailable(sent=False), False),
    "unknown after": (lambda: StorageUnavailable(sent=True), True),
}
"""How the chosen call breaks: with what, and whether the store did what was asked."""


class Breaking:
    """Passes calls on to a store until the chosen one. That one fails, and so does everything after it."""

    def __init__(self, store: Store, call: int, error: Callable[[], BaseException], *, done: bool) -> None:
        self._call = call
        self._error = error
        self._done = done
        self._count = 0
        self.ports = Store(**{one.name: _Port(self, getattr(store, one.name)) for one in fields(store)})

    @property
    def broke(self) -> bool:
        return self._count >= self._call

    async def pass_on(self, step: Callable[[], Awaitable[Any]]) -> Any:
        self._count += 1
        if self._count < self._call:
            return await step()
        if self._count == self._call and self._done:
            await step()
        raise self._error()


class _Port:
    def __init__(self, breaking: Breaking, port: object) -> None:
        self._breaking = breaking
        self._port = port

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if inspect.iscoroutinefunction(method):
            return lambda *args, **words: self._breaking.pass_on(lambda: method(*args, **words))
        if inspect.isasyncgenfunction(method):
            return lambda *args, **words: self._iterate(method(*args, **words))
        return method

    async def _iterate(self, items: Any) -> Any:
        async def ready() -> None: ...

        await self._breaking.pass_on(ready)
        async for item in items:
            yield item


async def break_everywhere(
    how: str,
    begin: Callable[[], Awaitable[W]],
    run: Callable[[W, Callable[[Store], Store]], Awaitable[None]],
    finish: Callable[[W], Awaitable[None]],
) -> int:
    """Do the same in many worlds, broken off at another call in each; return how many calls there were.

    Args:
        how: A key of :data:`ERRORS`.
        begin: Make a world.
        run: Do in a world what is broken off; the function it gets turns a store into one that breaks.
        finish: Go on in a world after the break, and check it.
    """
    error, done = ERRORS[how]
    for call in count(1):
        assert call < CALLS_MOST
        world, broken = await begin(), []

        def breaking(store: Store, call: int = call, broken: list[Breaking] = broken) -> Store:
            broken.append(Breaking(store, call, error, done=done))
            return broken[0].ports

        try:
            await run(world, breaking)
        except (StorageUnavailable, asyncio.CancelledError):
            assert broken[0].broke
        await finish(world)
        if not broken[0].broke:
            return call - 1
    raise AssertionError("unreachable")
