"""Whether this node should get traffic (WIRE-3, OPS-7)."""

from collections.abc import Callable
from enum import Enum

DOWN_AFTER_SECONDS = 10.0
UP_AFTER_COUNT = 2


class Reason(Enum):
    """Why not; a closed list."""

    STARTING = "starting"
    STORE = "store"
    DRAINING = "draining"
    LEASE = "lease"


class Readiness:
    """Remembers how long the store has been away, so that a blink does not move traffic and a return is sure."""

    def __init__(self, lease_current: Callable[[], bool]) -> None:
        self.store_up: Callable[[], bool] = lambda: True
        """Whether the store answers; a store in memory always does."""
        self.started = False
        self.draining = False
        self._lease_current = lease_current
        self._down_since: float | None = None
        self._down = False
        self._good_count = 0

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

    def reasons(self) -> tuple[Reason, ...]:
        """Return why the node should not get traffic; empty if it should."""
        verdicts = {
            Reason.STARTING: not self.started,
            Reason.STORE: self._down,
            Reason.DRAINING: self.draining,
            Reason.LEASE: self.started and not self._down and self._down_since is None and not self._lease_current(),
        }
        return tuple(reason for reason, holds in verdicts.items() if holds)
