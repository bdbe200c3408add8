"""Going through the whole store without holding it up."""

from collections.abc import AsyncIterator

from exchange.storage.redis.lane import Lane

PAGE_COUNT = 512


async def scan(lane: Lane, *patterns: str) -> AsyncIterator[bytes]:
    """Iterate over the keys that match, one pattern after the other.

    Keys that are there from beginning to end are all named, some perhaps twice; others may or may not be. What is named
    may be gone by then.
    """
    for pattern in patterns:
        cursor = b"0"
        while True:
            cursor, keys = await lane.ask("SCAN", cursor, "MATCH", pattern, "COUNT", PAGE_COUNT)
            for key in keys:
                yield key
            if cursor == b"0":
                break
