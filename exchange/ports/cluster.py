"""What nodes and workers know of each other."""

from collections.abc import AsyncIterator
from typing import Protocol

from exchange.core.model import (
    ClusterTally,
    Counts,
    NodeInfo,
    NodeTally,
    Presence,
)


class Leases(Protocol):
    """Which nodes live, and which sessions each of them holds."""

    async def renew(self, node: NodeInfo, *, ttl_ms: int, draining: bool) -> bool:
        """Extend a node's lease, or enter it. ``False``: it was reaped meanwhile and must take a new id (DEL-27).

        Renewing and reaping exclude each other. Also brings the clock up to date.
        """

    async def leave(self, node: str) -> None:
        """End a lease in order; the node has no sessions any more."""

    async def alive(self, node: str) -> bool:
        """Tell whether a node has a lease now."""

    async def nodes(self) -> tuple[NodeInfo, ...]:
        """Return the nodes that have a lease."""

    async def serving(self) -> tuple[NodeInfo, ...]:
        """Return the nodes that have a lease and are not draining (DEL-49)."""

    async def lapsed(self) -> tuple[str, ...]:
        """Return nodes that neither have a lease nor left in order, and nodes being reaped."""

    async def reap(self, node: str) -> bool:
        """Declare a node without a lease dead, in one step; ``False`` if it lives after all. Repeatable."""

    async def forget(self, node: str) -> None:
        """Remove all traces of a reaped node whose sessions are cleared."""

    async def note(self, presence: Presence) -> None:
        """Enter a session, or what it is called now, in its node's index, so that it can be cleared if the node dies."""

    async def unnote(self, node: str, sid: str) -> None:
        """Remove a session from its node's index."""

    def noted(self, node: str) -> AsyncIterator[Presence]:
        """Iterate over the sessions in a node's index; entries may be removed meanwhile."""

    async def store_up_seconds(self) -> float:
        """Return for how long the store has been up and reachable without a break, as far as this process knows."""


class Tallies(Protocol):
    """Cluster-wide numbers (WIRE-12)."""

    async def report(self, node: str, tally: NodeTally, counted: Counts, *, ttl_ms: int) -> None:
        """Publish a node's numbers and add ``counted`` to the totals. A repeat counts twice; totals are not exact."""

    async def read(self) -> ClusterTally:
        """Return the numbers of all nodes that have a lease and the totals."""


class Jobs(Protocol):
    """One holder for each of the worker's jobs."""

    async def hold(self, job: str, holder: str, *, ttl_ms: int) -> bool:
        """Become or stay the holder of a job, in one step; ``False`` if somebody else is."""
