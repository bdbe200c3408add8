"""Settings of the server that make large frames risky (docs/operations.md). It serves all the same, so they are only told.

A node whose subscription the server cuts off loses all its relay connections at once, and its log says only that the lane
was lost. So whoever runs it hears of the cause beforehand.
"""

import asyncio
from functools import partial

import structlog

from exchange.storage.redis.connection import resolve
from exchange.storage.redis.lane import Lane

log = structlog.get_logger()

BUFFER = "client-output-buffer-limit"
BUFFER_LEAST_BYTES = 64 << 20
BUFFER_ADVISED = "pubsub 256mb 64mb 60"
SHARING = "min-string-size-avoid-copy-reply"


async def give_advice(lane: Lane) -> None:
    """Log ``store.unsuited`` for every setting that should be another one; nothing if we may not ask for them."""
    limits = await _setting(lane, BUFFER)
    if limits is not None and not _roomy(limits):
        log.warning("store.unsuited", setting=BUFFER, value=limits, advised=BUFFER_ADVISED)
    sharing = await _setting(lane, SHARING)
    if sharing not in (None, "0"):
        log.warning("store.unsuited", setting=SHARING, value=sharing, advised="0")


def _roomy(limits: str) -> bool:
    """Tell whether subscribers may be behind by enough: ``<class> <hard> <soft> <seconds>``, again and again; 0 is no limit."""
    words = limits.split()
    for name, *numbers in zip(words[::4], words[1::4], words[2::4], strict=True):
        if name == "pubsub":
            return all(int(number) == 0 or int(number) >= BUFFER_LEAST_BYTES for number in numbers)
    return True


async def _setting(lane: Lane, name: str) -> str | None:
    """Return a setting; ``None`` if this server has no such one, or keeps ``CONFIG`` to itself."""
    future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    lane.call(("CONFIG", "GET", name), partial(resolve, future))
    match await future:
        case [_, bytes(value)]:
            return value.decode()
    return None
