"""Ends of pairs without sockets: what a node hears for its slots, and what becomes of frames."""

from collections.abc import Callable

from exchange.core.errors import StorageUnavailable
from exchange.core.pairs import End, HandedOver, PairId, Passing, Role, SlotWake
from exchange.ports import Store
from tests.harness.waiting import eventually

MARK = HandedOver(0)
"""Sent behind everything else: what has not come before it does not come."""


class Wakes(list[SlotWake]):
    """Equal to others only if their kinds are, too: named tuples are equal if the numbers in them are."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and super().__eq__(other) and [*map(type, self)] == [*map(type, other)]

    __hash__ = None  # type: ignore[assignment]


class Ear:
    """Hears for a node and remembers."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.wakes: list[tuple[PairId, Role, SlotWake]] = []
        self.cuts = 0
        store.slots.attend(self)

    def heard(self, pair: PairId, role: Role, wake: SlotWake) -> None:
        self.wakes.append((pair, role, wake))

    def cut(self) -> None:
        self.cuts += 1

    async def listen(self, pair: PairId) -> "Ear":
        """Listen for both slots of a pair."""
        for role in Role:
            await self.store.slots.listen(pair, role)
        return self

    async def told(self, pair: PairId, role: Role) -> Wakes:
        """Return all that was sent to a slot this node listens for, since the last look."""
        self.store.slots.hand_over(pair, role, MARK.number)
        await eventually(lambda: (pair, role, MARK) in self.wakes)
        mine = [wake for at, of, wake in self.wakes if (at, of) == (pair, role)]
        self.wakes = [entry for entry in self.wakes if entry[:2] != (pair, role)]
        return Wakes(wake for wake in mine if wake != MARK)


async def enter(store: Store, pair: PairId, role: Role, sid: str = "") -> End:
    """Enter a slot, and listen for it first."""
    await store.slots.listen(pair, role)
    entered = await store.pairs.enter(pair, role, sid or f"sid-{role}", "n1")
    assert entered is not None
    return End(pair, role, entered.number)


async def pass_on(store: Store, end: End, *frames: bytes) -> list[Passing | StorageUnavailable]:
    """Pass frames on, one behind the other, and return what became of them."""
    outcomes: list[Passing | StorageUnavailable] = []
    receipt: Callable[[Passing | StorageUnavailable], None] = outcomes.append
    for frame in frames or (b"{}",):
        store.slots.pass_on(end, frame, receipt)
    await eventually(lambda: len(outcomes) == len(frames or (b"{}",)))
    return outcomes
