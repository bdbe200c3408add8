"""Publishes this node's numbers and gathers everybody's (WIRE-12)."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from exchange.core.errors import StorageUnavailable
from exchange.core.model import ClusterTally, Counts, NodeInfo, NodeTally
from exchange.node.roster import Roster
from exchange.ports import Tallies

TALLY_TTL_MS = 15_000


class Census:
    """The numbers of the cluster. ``latest`` is as of the last reading: a few seconds old at most."""

    def __init__(
        self,
        tallies: Tallies,
        roster: Roster,
        info: Callable[[], NodeInfo],
        paired: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ) -> None:
        """``roster`` is that of the wire whose users are shown; ``paired`` counts ends and pairs on this node."""
        self._tallies = tallies
        self._roster = roster
        self._paired = paired
        self._info = info
        self._lock = asyncio.Lock()
        self.latest = ClusterTally((), Counts())

    async def report(self) -> None:
        """Publish this node's numbers; called about once a second.

        Raises:
            StorageUnavailable: The store cannot be asked.
        """
        async with self._lock:
            counted = self._roster.unreported()
            try:
                await self._tallies.report(self._info().id, self._tally(), counted, ttl_ms=TALLY_TTL_MS)
            except StorageUnavailable as error:
                if error.sent:
                    # Perhaps added, perhaps not: counting twice is worse than missing a second.
                    self._roster.reported(counted)
                raise
            self._roster.reported(counted)

    async def read(self) -> ClusterTally:
        """Return everybody's numbers, this node's as of now.

        Raises:
            StorageUnavailable: The store cannot be asked.
        """
        tally = await self._tallies.read()
        mine, pending = self._info(), self._roster.unreported()
        others = (one for one in tally.nodes if one[0].id != mine.id)
        counts = Counts(tally.counts.connections + pending.connections, tally.counts.messages + pending.messages)
        self.latest = ClusterTally(((mine, self._tally()), *others), counts)
        return self.latest

    def _tally(self) -> NodeTally:
        ends_count, pairs_count = self._paired()
        return replace(self._roster.tally(), ends_count=ends_count, pairs_count=pairs_count)
