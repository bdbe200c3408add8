"""Steps that do not wait for each other, a bounded number at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

WIDTH_COUNT = 256
"""Steps under way at a time: as many commands as leave in one write (DEL-9)."""


async def for_each(items: Iterable[T], step: Callable[[T], Awaitable[object]]) -> None:
    """Take a step for every item. All steps of a batch end before the first error of theirs is raised."""
    left = iter(items)
    while batch := tuple(islice(left, WIDTH_COUNT)):
        outcomes = await asyncio.gather(*(step(item) for item in batch), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome


async def batches(items: AsyncIterator[T]) -> AsyncIterator[tuple[T, ...]]:
    """Cut what comes one by one into batches that :func:`for_each` does at once."""
    batch: list[T] = []
    async for item in items:
        batch.append(item)
        if len(batch) >= WIDTH_COUNT:
            yield tuple(batch)
            batch = []
    if batch:
        yield tuple(batch)
