"""Cluster-wide numbers on Redis: one record a node, which runs out, and totals, which do not."""

import asyncio

import msgspec

from exchange.core.model import ClusterTally, Counts, NodeTally
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.leases import REAPED, unpack_node

_FIELD = "record"

# A map, so that nodes of two releases can read each other: what one does not know it ignores or takes as default.
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(NodeTally).decode


class Tallies:
    """Implements ``exchange.ports.Tallies`` (WIRE-12)."""

    def __init__(self, lane: Lane, keyspace: Keyspace) -> None:
        self._lane = lane
        self._keyspace = keyspace

    async def report(self, node: str, tally: NodeTally, counted: Counts, *, ttl_ms: int) -> None:
        ask, key, counts = self._lane.ask, self._keyspace.node_tally(node), self._keyspace.counts()
        await asyncio.gather(
            ask("HSET", key, _FIELD, _pack(tally)),
            ask("PEXPIRE", key, ttl_ms),
            ask("HINCRBY", counts, "connections", counted.connections),
            ask("HINCRBY", counts, "messages", counted.messages),
        )

    async def read(self) -> ClusterTally:
        ask, keyspace = self._lane.ask, self._keyspace
        (connections, messages), registry = await asyncio.gather(
            ask("HMGET", keyspace.counts(), "connections", "messages"), ask("HVALS", keyspace.registry())
        )
        counts = Counts(connections=int(connections or 0), messages=int(messages or 0))
        entered = [unpack_node(record) for record in registry if record != REAPED]
        if not entered:
            return ClusterTally((), counts)
        leases, *records = await asyncio.gather(
            ask("MGET", *(keyspace.lease(node.id) for node in entered)),
            *(ask("HGET", keyspace.node_tally(node.id), _FIELD) for node in entered),
        )
        nodes = tuple(
            (node, _unpack(record) if record else NodeTally())
            for node, lease, record in zip(entered, leases, records, strict=True)
            if lease is not None
        )
        return ClusterTally(nodes, counts)
