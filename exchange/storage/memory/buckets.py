"""Token buckets in memory."""

from exchange.storage.memory.state import Memory

_PARTS = 60_000
"""Tokens are counted in parts of which one millisecond adds ``per_minute``, so that all sums are whole."""


def pay(state: Memory, owner: str, action: str, per_minute: int, burst: int, *, cost: int = 1) -> int:
    """Refill a bucket by the time that went by, then take ``cost`` tokens or return the milliseconds to wait."""
    now_ms, full = state.now_ms(), burst * _PARTS
    tokens, at_ms = state.buckets.get((owner, action), (full, now_ms))
    filled = min(full, int(tokens) + max(0, now_ms - at_ms) * per_minute)
    left = min(full, filled - cost * _PARTS)
    if left < 0:
        return -(left // per_minute)
    state.buckets[owner, action] = (left, now_ms)
    return 0
