"""Finds what wakes did not say: after a gap everything is read again, and now and then everybody is compared with the
store, in case a wake was lost without anybody noticing (DEL-34, DEL-35)."""

import asyncio
import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import structlog

from exchange.core.errors import ExchangeError
from exchange.core.events import MailLost
from exchange.core.ids import Offset, Uid, order
from exchange.core.model import MailState
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


async def reload_all(hub: "LocalHub", store: Store, sent: "list[tuple[Seat, dict[Uid, tuple[Offset, str]]]]") -> None:
    """Read the tables and the mail of all users of this node again, in paced batches, and tell the differences.

    ``sent`` is what sessions had got accepted before the gap: offset and id of the newest mail, by recipient.
    """
    try:
        await hub.tenure.assure()
    except ExchangeError as error:
        log.warning("tables.unread", reason=str(error))  # the store went away again, and will report another gap
        return
    for batch in _batches(list(hub)):
        await asyncio.gather(*(_reload(hub, store, seat) for seat in batch))
        await asyncio.sleep(BATCH_COUNT / RELOADS_PER_SECOND)
    for seat, newest in sent:
        await _look_for_loss(store, seat, newest)


async def _reload(hub: "LocalHub", store: Store, seat: "Seat") -> None:
    await hub.reload_quietly(seat.user)
    try:
        if await _displaced(hub, store, seat) or seat.delivery is None or not hub.seated(seat):
            return
        seat.delivery.say()
        seat.delivery.compare((await store.mailboxes.state(seat.user.uid))[0])
    except ExchangeError as error:
        log.warning("mail.unread", reason=str(error))


async def _displaced(hub: "LocalHub", store: Store, seat: "Seat") -> bool:
    """End a session that was taken over while nobody could tell this node (MAGI-46)."""
    sid = seat.session.sid
    if not await store.users.displaced(seat.user.uid, sid):
        return False
    if hub.seated(seat) and seat.session.sid == sid:
        log.warning("session.displaced", client=seat.session.client)
        hub.displace(seat)
    return True


async def _look_for_loss(store: Store, seat: "Seat", newest: Mapping[Uid, tuple[Offset, str]]) -> None:
    """Tell a sender whose mail was accepted by a store that does not know it any more (DEL-36)."""
    sender = seat.user.uid
    try:
        known = await asyncio.gather(*(store.mailboxes.knows(peer, sender, id_) for peer, (_, id_) in newest.items()))
    except ExchangeError as error:
        log.warning("mail.unchecked", reason=str(error))
        return
    lost = [offset for (offset, _), stored in zip(newest.values(), known, strict=True) if not stored]
    if lost:
        seat.teller.tell(MailLost(min(order(offset)[0] for offset in lost)))


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
                try:
                    await self._compare(batch)
                except ExchangeError as error:
                    log.warning("users.uncompared", reason=str(error))
                except Exception:
                    # One user must not cost all others their safety net.
                    log.exception("users.uncompared")

    async def _compare(self, seats: "list[Seat]") -> None:
        looks = await asyncio.gather(*(self._look(seat) for seat in seats))
        suspects = [
            (seat, *look) for seat, look in zip(seats, looks, strict=True) if look is not None and _missed(seat, *look)
        ]
        if suspects:
            await asyncio.sleep(SECOND_LOOK_SECONDS)
            await asyncio.gather(*(self._repair(*suspect) for suspect in suspects))

    async def _look(self, seat: "Seat") -> tuple[MailState, int] | None:
        """Return where mailbox and table of a user stand; ``None`` if it is not for this session any more."""
        if seat.delivery is not None:
            seat.delivery.say()
        if await _displaced(self._hub, self._store, seat):
            return None
        return await self._store.mailboxes.state(seat.user.uid)

    async def _repair(self, seat: "Seat", state: MailState, rev: int) -> None:
        """Repair what is still missing of what was there at the first look."""
        if not self._hub.seated(seat) or not _missed(seat, state, rev):
            return
        if rev > seat.user.links.rev:
            self._counts.reconciled_links += 1
            log.error("links.reconciled", missed=rev - seat.user.links.rev)
            await self._hub.reload_quietly(seat.user)
        now, _ = await self._store.mailboxes.state(seat.user.uid)
        if seat.delivery is not None and seat.delivery.compare(now):
            self._counts.reconciled_mail += 1
            log.error("mail.reconciled")


def _missed(seat: "Seat", state: MailState, rev: int) -> bool:
    """Tell whether a node has not heard of something that was in the store when somebody looked."""
    if rev > seat.user.links.rev and not seat.user.held:
        return True
    delivery = seat.delivery
    if delivery is None or delivery.behind:
        return False
    return state.epoch != delivery.epoch or order(state.last) > order(delivery.cursor)


def _batches(seats: "list[Seat]") -> "Iterator[list[Seat]]":
    random.shuffle(seats)  # no user is always the last, and nodes do not ask in step
    for start in range(0, len(seats), BATCH_COUNT):
        yield seats[start : start + BATCH_COUNT]
