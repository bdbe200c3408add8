"""The store, with bells on it: whatever changes through here is heard by those who wait for it."""

import time
from collections.abc import Callable

from magi.client.bells import INBOX, Bells
from magi.client.model import Incoming, Outgoing
from magi.client.ports import Store
from magi.client.states import State


def wall_ms() -> int:
    """Return the time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Records:
    """What every part of a client shares: ``store``, ``bells`` and the time."""

    def __init__(self, store: Store, *, now_ms: Callable[[], int] = wall_ms) -> None:
        self.store = store
        self.bells = Bells()
        self.now_ms = now_ms

    async def put_out(self, message: Outgoing) -> bool:
        """As the store does."""
        added = await self.store.put_out(message)
        if added and message.reply_to:
            self.bells.ring(INBOX)
        return added

    async def advance(self, id_: str, state: State, detail: str = "") -> bool:
        """As the store does; those who wait for this message hear of it."""
        moved = await self.store.advance(id_, state, detail)
        if moved:
            self.bells.ring(id_)
        return moved

    async def put_in(self, message: Incoming) -> bool:
        """As the store does; those who wait for the message that it is about, or for any, hear of it."""
        added = await self.store.put_in(message)
        if added:
            self.bells.ring(message.reply_to)
            self.bells.ring(INBOX)
        return added

    async def settle(self, sender: str, id_: str, how: str) -> bool:
        """As the store does."""
        settled = await self.store.settle(sender, id_, how)
        if settled:
            self.bells.ring(INBOX)
        return settled
