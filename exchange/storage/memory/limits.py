"""Allowances in memory: token buckets of users and failure windows of addresses."""

from exchange.core.ids import Uid
from exchange.storage.memory.state import Memory

_PARTS = 60_000
"""Tokens are counted in parts of which one millisecond adds ``per_minute``, so that all sums are whole."""


class Limits:
    """Implements ``exchange.ports.Limits``."""

    def __init__(self, state: Memory) -> None:
        self._state = state

    async def take(self, uid: Uid, action: str, *, per_minute: int, burst: int) -> int:
        await self._state.reach()
        return self._pay(uid, action, per_minute, burst, cost=1)

    async def give_back(self, uid: Uid, action: str, *, per_minute: int, burst: int) -> None:
        await self._state.reach()
        self._pay(uid, action, per_minute, burst, cost=-1)

    def _pay(self, uid: Uid, action: str, per_minute: int, burst: int, *, cost: int) -> int:
        """Refill a bucket by the time that went by, then take ``cost`` tokens or return the milliseconds to wait."""
        now_ms, full = self._state.now_ms(), burst * _PARTS
        tokens, at_ms = self._state.buckets.get((uid, action), (full, now_ms))
        filled = min(full, int(tokens) + max(0, now_ms - at_ms) * per_minute)
        left = min(full, filled - cost * _PARTS)
        if left < 0:
            return -(left // per_minute)
        self._state.buckets[uid, action] = (left, now_ms)
        return 0

    async def failures(self, address: str, action: str) -> int:
        await self._state.reach()
        return self._window(address, action)[0]

    async def fail(self, address: str, action: str, *, window_ms: int) -> int:
        await self._state.reach()
        count, ends_ms = self._window(address, action)
        if count == 0:
            ends_ms = self._state.now_ms() + window_ms
        self._state.failures[address, action] = (count + 1, ends_ms)
        return count + 1

    def _window(self, address: str, action: str) -> tuple[int, int]:
        count, ends_ms = self._state.failures.get((address, action), (0, 0))
        return (count, ends_ms) if self._state.now_ms() < ends_ms else (0, 0)
