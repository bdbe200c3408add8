"""Whether this node should get traffic (WIRE-3, OPS-7)."""

from collections.abc import Awaitable, Callable
from enum import Enum

DOWN_AFTER_SECONDS = 10.0
UP_AFTER_COUNT = 2


class Reason(Enum):
    """Why not; a closed list."""

    STARTING = "starting"
    STORE = "store"
    DRAINING = "draining"
    LEASE = "lease"
    POLICY = "policy"  # the store would evict data when it is full
    DURABILITY = "durability"  # the store is set up below the level that we promise (DEL-2)


class Readiness:
    """Remembers how long the store has been away, so that a blink does not move traffic and a return is sure."""

    def __init__(self, lease_current: Callable[[], bool]) -> None:
        self.store_up: Callable[[], bool] = lambda: True
        """Whether the store answers; a store in memory always does."""
        self.examine: Callable[[], Awaitable[frozenset[str]]] = _nothing_wrong
        """What is wrong with the store itself: values of ``Reason``. Raises StorageUnavailable if it cannot be asked."""
        self.started = False
        self.draining = False
        self._lease_current = lease_current
        self._down_since: float | None = None
        self._down = False
        self._good_count = 0
        self._flaws: frozenset[str] = frozenset()

    def beat(self, now: float) -> None:
        """Look at the store; called once a second with a steady clock in seconds."""
        if self.store_up():
            self._down_since = None
            self._good_count += 1
            if self._good_count >= UP_AFTER_COUNT:
                self._down = False
            return
        self._good_count = 0
        if self._down_since is None:
            self._down_since = now
        if now - self._down_since >= DOWN_AFTER_SECONDS:
            self._down = True

    async def look(self) -> None:
        """Examine the store; called every few seconds. What cannot be examined is as it was.

        Raises:
            StorageUnavailable: It could not be asked.
        """
        self._flaws = await self.examine()

    def reasons(self) -> tuple[Reason, ...]:
        """Return why the node should not get traffic; empty if it should."""
        verdicts = {
            Reason.STARTING: not self.started,
            Reason.STORE: self._down,
            Reason.DRAINING: self.draining,
            Reason.POLICY: Reason.POLICY.value in self._flaws,
            Reason.DURABILITY: Reason.DURABILITY.value in self._flaws,
            Reason.LEASE: self.started and not self._down and self._down_since is None and not self._lease_current(),
        }
        return tuple(reason for reason, holds in verdicts.items() if holds)


async def _nothing_wrong() -> frozenset[str]:
    return frozenset()
