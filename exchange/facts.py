"""What the pages of a node tell: the cluster's numbers as its census knows them, and whether it wants traffic (WIRE-12)."""

from typing import Any

from exchange.core.errors import StorageUnavailable
from exchange.node.census import Census
from exchange.node.readiness import Readiness
from exchange.ports import Clock
from exchange.transports import statistics
from magi import __version__


class Facts:
    """Implements ``transports.http.Facts``."""

    def __init__(self, census: Census, clock: Clock, readiness: Readiness, durability: str, public_url: str) -> None:
        self._census = census
        self._clock = clock
        self._readiness = readiness
        self._about = (__version__, durability)
        self._public_url = public_url

    async def statistics(self) -> dict[str, Any]:
        """Return the body of ``/api/stats``."""
        return statistics.statistics(await self._census.read(), self._clock.now_ms(), *self._about)

    async def status(self, base_url: str) -> dict[str, Any]:
        """Return the body of ``/api/status``."""
        base_url = self._public_url or base_url
        return statistics.status(await self._census.read(), self._clock.now_ms(), *self._about, base_url)

    def health(self) -> dict[str, Any]:
        """Return the body of ``/health``, without asking the store."""
        return statistics.health(self._census.latest, self.uptime_seconds())

    async def paired(self) -> tuple[int, int]:
        """Return the connections and the pairs of the whole cluster; as last known while the store is away (WIRE-3)."""
        try:
            tally = await self._census.read()
        except StorageUnavailable:
            tally = self._census.latest
        return sum(node.ends_count for _, node in tally.nodes), sum(node.pairs_count for _, node in tally.nodes)

    def uptime_seconds(self) -> float:
        """Return for how long the oldest live node has been up."""
        latest, now_ms = self._census.latest, self._clock.now_ms()
        return (now_ms - statistics.started_ms(latest, now_ms)) / 1000

    def reasons(self) -> tuple[str, ...]:
        """Return why this node should not get traffic; empty if it should."""
        return tuple(reason.value for reason in self._readiness.reasons())
