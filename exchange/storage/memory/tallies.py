"""Cluster-wide numbers in memory."""

from exchange.core.model import ClusterTally, Counts, NodeTally
from exchange.storage.memory.state import Memory


class Tallies:
    """Implements ``exchange.ports.Tallies``."""

    def __init__(self, state: Memory) -> None:
        self._state = state

    async def report(self, node: str, tally: NodeTally, counted: Counts, *, ttl_ms: int) -> None:
        await self._state.reach()
        self._state.tallies[node] = (tally, self._state.now_ms() + ttl_ms)
        self._state.counts.connections += counted.connections
        self._state.counts.messages += counted.messages

    async def read(self) -> ClusterTally:
        await self._state.reach()
        now_ms, counts = self._state.now_ms(), self._state.counts
        nodes = tuple(
            (entry.info, self._tally(node, now_ms))
            for node, entry in self._state.nodes.items()
            if now_ms < entry.lease_ends_ms
        )
        return ClusterTally(nodes, Counts(counts.connections, counts.messages))

    def _tally(self, node: str, now_ms: int) -> NodeTally:
        tally, ends_ms = self._state.tallies.get(node, (NodeTally(), 0))
        return tally if now_ms < ends_ms else NodeTally()
