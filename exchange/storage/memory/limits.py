"""Allowances in memory: token buckets of users, failure windows and sliding windows of addresses."""

from exchange.core.ids import Uid
from exchange.storage.address import block_of
from exchange.storage.memory.buckets import pay
from exchange.storage.memory.state import Memory


class Limits:
    """Implements ``exchange.ports.Limits``."""

    def __init__(self, state: Memory) -> None:
        self._state = state

    async def take(self, uid: Uid, action: str, *, per_minute: int, burst: int) -> int:
        await self._state.reach()
        return pay(self._state, uid, action, per_minute, burst)

    async def give_back(self, uid: Uid, action: str, *, per_minute: int, burst: int) -> None:
        await self._state.reach()
        pay(self._state, uid, action, per_minute, burst, cost=-1)

    async def failures(self, address: str, action: str) -> int:
        await self._state.reach()
        return self._window(address, action)[0]

    async def slide(self, address: str, action: str, *, most: int, window_ms: int) -> int:
        await self._state.reach()
        now_ms = self._state.now_ms()
        stamps = self._state.stamps.setdefault((block_of(address), action), [])
        if most < 1:
            return window_ms
        if len(stamps) >= most and stamps[-most] > now_ms - window_ms:
            return stamps[-most] + window_ms - now_ms
        stamps.append(now_ms)
        del stamps[:-most]
        return 0

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
