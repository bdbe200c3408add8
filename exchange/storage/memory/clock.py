"""The clock of a store in memory: the one its tests can move."""

from exchange.storage.memory.state import Memory


class Clock:
    """Implements ``exchange.ports.Clock``. Both readings follow the shared clock, so that moving it moves leases too."""

    def __init__(self, state: Memory) -> None:
        self._state = state

    def now_ms(self) -> int:
        return self._state.now_ms()

    def steady(self) -> float:
        return self._state.now_ms() / 1000
