"""Allowances, and what was answered before."""

from typing import Protocol

from exchange.core.ids import Uid


class Limits(Protocol):
    """Allowances that hold across nodes and reconnects."""

    async def take(self, uid: Uid, action: str, *, per_minute: int, burst: int) -> int:
        """Take one token from a user's bucket; return 0, or the milliseconds until there is one again.

        Not safe to repeat blindly: a repeat takes another token.
        """

    async def give_back(self, uid: Uid, action: str, *, per_minute: int, burst: int) -> None:
        """Put a token back: the action it was taken for did not happen (SEC-23)."""

    async def failures(self, address: str, action: str) -> int:
        """Return the failures of an address in its running window."""

    async def slide(self, address: str, action: str, *, most: int, window_ms: int) -> int:
        """Do something that an address may do ``most`` times, 32 at most, in any ``window_ms``.

        Returns 0 if it counted, or the milliseconds until it may be done again. IPv6 addresses count by their /64. Not safe
        to repeat blindly: a repeat counts again.
        """

    async def fail(self, address: str, action: str, *, window_ms: int) -> int:
        """Count a failure of an address and return their number; the first one starts a window."""


class Repeats(Protocol):
    """First replies by message id, for 10 minutes (MAGI-45)."""

    async def reserve(self, uid: Uid, id_: str, sid: str, digest: str) -> bytes | None:
        """Reserve an id for ``sid``; return ``None`` if it may proceed, or the reply that was kept.

        A reservation left behind by another session, which therefore never replied, is taken over.

        Raises:
            IdReused: It was reserved for a request with another digest (16 characters).
        """

    async def keep(self, uid: Uid, id_: str, sid: str, digest: str, reply: bytes) -> None:
        """Keep the first reply to an id that ``sid`` has reserved; it holds no content. Not reserved by it: no effect."""

    async def drop(self, uid: Uid, id_: str, sid: str) -> None:
        """Give up a reservation of ``sid``: the request had no effect and may be tried again."""
