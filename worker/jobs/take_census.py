"""Measure the mailboxes of the whole cluster, without asking more of the store than it notices."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from exchange.core.ids import NOWHERE, Uid
from exchange.ports import Store
from worker.metrics import WorkerMetrics
from worker.parallel import WIDTH_COUNT, batches, for_each

PART_COUNT = 8 * WIDTH_COUNT
"""Mailboxes looked at in one run. Few mailboxes are measured in every run; many, in as many runs as it takes."""

REST_FACTOR = 20
"""How many times longer than a round took is waited before the next: finding mailboxes means going through all keys."""


@dataclass(frozen=True, slots=True)
class Found:
    """What waits in one mailbox. ``bytes`` is estimated from the oldest envelope."""

    envelopes: int
    bytes: int
    oldest_ms: int


class TakeCensus:
    """Goes round all mailboxes, a part in each run, and publishes what it found at the end of each round."""

    def __init__(self, store: Store, metrics: WorkerMetrics) -> None:
        self._store = store
        self._metrics = metrics
        self._round: AsyncIterator[tuple[Uid, ...]] | None = None
        self._found: dict[Uid, Found] = {}
        self._took_seconds = 0.0
        self._rests_until = 0.0

    async def run(self) -> None:
        """Look at the next part.

        Raises:
            StorageUnavailable: This round is given up; the next run begins another.
        """
        started = self._store.clock.steady()
        if started < self._rests_until:
            return
        if self._round is None:
            self._round, self._found, self._took_seconds = batches(self._store.dues.owners()), {}, 0.0
        try:
            ended = await self._go_on(self._round)
        except BaseException:
            # A round that broke off cannot be resumed, and half of one is no census.
            self._round = None
            raise
        now = self._store.clock.steady()
        self._took_seconds += now - started
        if ended:
            self._publish()
            self._round = None
            self._rests_until = now + REST_FACTOR * self._took_seconds

    async def _go_on(self, owners: AsyncIterator[tuple[Uid, ...]]) -> bool:
        """Look at the next part; tell whether it was the last."""
        for _ in range(PART_COUNT // WIDTH_COUNT):
            batch = await anext(owners, None)
            if batch is None:
                return True
            await for_each(batch, self._look)
        return False

    async def _look(self, uid: Uid) -> None:
        page = await self._store.mailboxes.read(uid, NOWHERE, count=1, bytes_=1)
        if page.letters:
            oldest, count = page.letters[0], page.state.waiting_count
            self._found[uid] = Found(count, count * oldest.size_bytes, oldest.envelope.accepted_ms)

    def _publish(self) -> None:
        metrics, found = self._metrics, self._found.values()
        for gauge, values in (
            (metrics.mailbox_envelopes, sorted(one.envelopes for one in found)),
            (metrics.mailbox_bytes, sorted(one.bytes for one in found)),
        ):
            gauge.set(sum(values), "sum")
            gauge.set(values[(len(values) * 95 - 1) // 100] if values else 0, "p95")
            gauge.set(values[-1] if values else 0, "max")
        now_ms = self._store.clock.now_ms()
        metrics.oldest_mail.set(max((now_ms - one.oldest_ms) / 1000 for one in found) if found else 0)
