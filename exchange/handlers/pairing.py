"""Making, showing and ending pairs for those who ask over HTTP or at a terminal (CORAL section 7)."""

from exchange.core.pairs import Role, Usage
from exchange.entropy import new_pairing_token
from exchange.ports import Limits, Pairs

HOUR_MS = 3_600_000
TOKEN_CHARACTERS_MOST = 200
"""What is longer is nobody's token; the store is not asked."""


class Desk:
    """Works on pairs by their tokens, which are compared exactly (CORAL-31). Everything raises ``StorageUnavailable``."""

    def __init__(self, pairs: Pairs, limits: Limits, *, ttl_ms: int, registrations_per_hour: int) -> None:
        """Work on the pairs of a store.

        Args:
            pairs: Where they are.
            limits: What addresses did before.
            ttl_ms: How long a new pair lasts; 0 is for ever.
            registrations_per_hour: How many an address may register in any hour, 32 at most (CORAL-30).
        """
        self.registrations_per_hour = registrations_per_hour
        self._pairs = pairs
        self._limits = limits
        self._ttl_ms = ttl_ms

    async def create(self) -> str:
        """Make a pair and return its token, which nobody can look up later."""
        token = new_pairing_token()
        await self._pairs.create(token, ttl_ms=self._ttl_ms)
        return token

    async def register(self, address: str) -> str | int:
        """Make a pair for whoever has this address: its token, or the milliseconds until it may have one (CORAL-30)."""
        most = self.registrations_per_hour
        return await self._limits.slide(address, "register", most=most, window_ms=HOUR_MS) or await self.create()

    async def delete(self, token: str) -> None:
        """End a pair, if there is one (CORAL-27)."""
        if len(token) <= TOKEN_CHARACTERS_MOST:
            await self._pairs.delete(self._pairs.pair_of(token))

    async def connected(self, token: str) -> frozenset[Role]:
        """Return who is connected anywhere in the cluster; nobody of an unknown pair (CORAL-32)."""
        if len(token) > TOKEN_CHARACTERS_MOST:
            return frozenset()
        return await self._pairs.connected(self._pairs.pair_of(token))

    async def usage(self, token: str) -> Usage | None:
        """Return what a pair passed on and may pass on (CORAL-22); ``None`` if there is no such pair."""
        if len(token) > TOKEN_CHARACTERS_MOST:
            return None
        pair = self._pairs.pair_of(token)
        return await self._pairs.usage(pair) if await self._pairs.exists(pair) else None
