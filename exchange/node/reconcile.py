"""Finds what wakes did not say: after a gap everything is read again, and now and then everybody is compared with the
store, in case a wake was lost without anybody noticing (DEL-34, DEL-35)."""

import asyncio
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

import structlog

from exchange.core.errors import ExchangeError
from exchange.core.events import MailLost
from exchange.core.ids import order
from exchange.hotcounts import HotCounts
from exchange.ports import Store

if TYPE_CHECKING:
    from exchange.node.hub import LocalHub
    from exchange.node.seat import Seat

log = structlog.get_logger()

RELOADS_PER_SECOND = 1000
BATCH_COUNT = 50
SECOND_LOOK_SECONDS = 1.0
"""A wake may still be under way when its effect is seen; after so long it is late."""


async def reload_all(hub: "LocalHub", store: Store) -> None:
    """Read the tables and the mail of all users of this node again, in paced batches, and tell the differences."""
    try:
        await hub.tenure.assure()
    except ExchangeError as error:
        log.warning("tables.unread", reason=str(error))  # the store went away again, and will report another gap
        return
    for batch in _batches(list(hub)):
        await asyncio.gather(*(_reload(hub, store, seat) for seat in batch))
        await asyncio.sleep(BATCH_COUNT / RELOADS_PER_SECOND)


async def _reload(hub: "LocalHub", store: Store, seat: "Seat") -> None:
    await hub.reload_quietly(seat.user)
    if seat.delivery is None or not hub.seated(seat):
        return
    try:
        seat.delivery.compare((await store.mailboxes.state(seat.user.uid))[0])
        await _look_for_loss(store, seat)
    except ExchangeError as error:
        log.warning("mail.unread", reason=str(error))


async def _look_for_loss(store: Store, seat: "Seat") -> None:
    """Tell a sender whose mail was accepted by a store that does not know it any more (DEL-36)."""
    sent = dict(seat.session.sent)
    states = await asyncio.gather(*(store.mailboxes.state(peer) for peer in sent))
    lost = [
        order(state.last)[0]
        for (state, _), offset in zip(states, sent.values(), strict=True)
        if order(state.last) < order(offset)
    ]
    if lost:
        seat.session.sent.clear()
        seat.teller.tell(MailLost(min(lost)))


class SafetyNet:
    """Compares every user with the store once in ``period_seconds``; what it finds is counted, and expected to be nothing."""

    def __init__(self, hub: "LocalHub", store: Store, counts: HotCounts, *, period_seconds: float) -> None:
        self._hub = hub
        self._store = store
        self._counts = counts
        self._period_seconds = period_seconds

    async def run(self) -> None:
        """Go through all users again and again, until cancelled."""
        while True:
            seats = list(self._hub)
            pause = self._period_seconds * random.uniform(0.8, 1.2)  # noqa: S311 - nodes shall not ask in step
            batches = list(_batches(seats)) or [[]]
            for batch in batches:
                await asyncio.sleep(pause / len(batches))
                await self._compare(batch)

    async def _compare(self, seats: "list[Seat]") -> None:
        try:
            verdicts = await asyncio.gather(*(self._differs(seat) for seat in seats))
            suspects = [seat for seat, differs in zip(seats, verdicts, strict=True) if differs]
            if suspects:
                await asyncio.sleep(SECOND_LOOK_SECONDS)
                await asyncio.gather(*(self._repair(seat) for seat in suspects))
        except ExchangeError as error:
            log.warning("users.uncompared", reason=str(error))

    async def _differs(self, seat: "Seat") -> bool:
        state, rev = await self._store.mailboxes.state(seat.user.uid)
        delivery = seat.delivery
        behind = delivery is not None and not delivery.behind and order(state.last) != order(delivery.cursor)
        return rev != seat.user.links.rev or behind

    async def _repair(self, seat: "Seat") -> None:
        state, rev = await self._store.mailboxes.state(seat.user.uid)
        if not self._hub.seated(seat):
            return
        if rev > seat.user.links.rev and not seat.user.held:
            self._counts.reconciled_links += 1
            log.error("links.reconciled", missed=rev - seat.user.links.rev)
            await self._hub.reload_quietly(seat.user)
        if seat.delivery is not None and seat.delivery.compare(state):
            self._counts.reconciled_mail += 1
            log.error("mail.reconciled")


def _batches(seats: "list[Seat]") -> "Iterator[list[Seat]]":
    random.shuffle(seats)  # no user is always the last, and nodes do not ask in step
    for start in range(0, len(seats), BATCH_COUNT):
        yield seats[start : start + BATCH_COUNT]
