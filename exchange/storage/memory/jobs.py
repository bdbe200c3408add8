"""Holders of the worker's jobs in memory."""

from exchange.storage.memory.state import Memory


class Jobs:
    """Implements ``exchange.ports.Jobs``."""

    def __init__(self, state: Memory) -> None:
        self._state = state

    async def hold(self, job: str, holder: str, *, ttl_ms: int) -> bool:
        await self._state.reach()
        now_ms = self._state.now_ms()
        present, ends_ms = self._state.jobs.get(job, ("", 0))
        if present != holder and now_ms < ends_ms:
            return False
        self._state.jobs[job] = (holder, now_ms + ttl_ms)
        return True
