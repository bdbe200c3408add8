"""Leases and session indexes on Redis.

The registry holds a record for each node that lives or died without being cleared, and the word ``reaped`` once a node was
declared dead. Who was reaped stays fenced even after its entry is gone: a renewal says whether this process entered the
node before, and then the entry must be there.
"""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from exchange.core.model import NodeInfo, Presence
from exchange.storage.redis.clock import Clock, steady
from exchange.storage.redis.fitness import server_info
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.records import pack_presence, unpack_presence
from exchange.storage.redis.scripts import REAP_NODE, RENEW_NODE

_PAGE_COUNT = 256
_OK = b"ok"
_SERVING = b"serving"
_DRAINING = b"draining"
REAPED = b"reaped"

# A map, so that nodes of two releases can read each other: what one does not know it ignores or takes as default.
pack_node = msgspec.msgpack.Encoder().encode
unpack_node = msgspec.msgpack.Decoder(NodeInfo).decode


class Leases:
    """Implements ``exchange.ports.Leases`` (DEL-27, DEL-28) and keeps ``clock`` up to date."""

    def __init__(self, lane: Lane, keyspace: Keyspace, clock: Clock) -> None:
        self._lane = lane
        self._keyspace = keyspace
        self._clock = clock
        self._entered: set[str] = set()
        self.unknown_records = 0
        """Records of a newer release that were left out."""

    async def renew(self, node: NodeInfo, *, ttl_ms: int, draining: bool) -> bool:
        keys = (self._keyspace.lease(node.id), self._keyspace.registry())
        state = _DRAINING if draining else _SERVING
        history = "entered" if node.id in self._entered else "new"
        sent = steady()
        word, store_us = await self._lane.ask_script(
            RENEW_NODE, keys, (node.id, pack_node(node), state, ttl_ms, history)
        )
        self._clock.learn(store_us, sent, steady())
        if word == _OK:
            self._entered.add(node.id)
        return bool(word == _OK)

    async def leave(self, node: str) -> None:
        # The lease goes first: a crash between the two leaves an entry that is reaped, not one that is lost.
        await asyncio.gather(
            self._lane.ask("DEL", self._keyspace.lease(node)),
            self._lane.ask("DEL", self._keyspace.node_tally(node)),
            self._lane.ask("HDEL", self._keyspace.registry(), node),
        )
        self._entered.discard(node)

    async def alive(self, node: str) -> bool:
        return bool(await self._lane.ask("EXISTS", self._keyspace.lease(node)))

    async def nodes(self) -> tuple[NodeInfo, ...]:
        return tuple(unpack_node(record) for _, record, lease in await self._registry() if lease is not None)

    async def serving(self) -> tuple[NodeInfo, ...]:
        return tuple(unpack_node(record) for _, record, lease in await self._registry() if lease == _SERVING)

    async def lapsed(self) -> tuple[str, ...]:
        return tuple(node for node, _, lease in await self._registry() if lease is None)

    async def _registry(self) -> list[tuple[str, bytes, bytes | None]]:
        """Return id, record and lease, if there is one, for every node in the registry."""
        flat: list[bytes] = await self._lane.ask("HGETALL", self._keyspace.registry())
        entries = [(node.decode(), record) for node, record in zip(flat[::2], flat[1::2], strict=True)]
        if not entries:
            return []
        leases = await self._lane.ask("MGET", *(self._keyspace.lease(node) for node, _ in entries))
        return [(node, record, lease) for (node, record), lease in zip(entries, leases, strict=True)]

    async def reap(self, node: str) -> bool:
        word: bytes = await self._lane.ask_script(
            REAP_NODE, (self._keyspace.lease(node), self._keyspace.registry()), (node,)
        )
        return word == REAPED

    async def forget(self, node: str) -> None:
        # The entry goes last: as long as it is there the clearing is known to be unfinished.
        await asyncio.gather(
            self._lane.ask("DEL", self._keyspace.node_sessions(node)),
            self._lane.ask("DEL", self._keyspace.node_tally(node)),
            self._lane.ask("HDEL", self._keyspace.registry(), node),
        )

    async def note(self, presence: Presence) -> None:
        key = self._keyspace.node_sessions(presence.node)
        await self._lane.ask("HSET", key, presence.sid, pack_presence(presence))

    async def unnote(self, node: str, sid: str) -> None:
        await self._lane.ask("HDEL", self._keyspace.node_sessions(node), sid)

    async def noted(self, node: str) -> AsyncIterator[Presence]:
        key = self._keyspace.node_sessions(node)
        cursor = b"0"
        while True:
            cursor, flat = await self._lane.ask("HSCAN", key, cursor, "COUNT", _PAGE_COUNT)
            for sid, record in zip(flat[::2], flat[1::2], strict=True):
                presence = unpack_presence(sid, record)
                if presence is None:
                    self.unknown_records += 1
                else:
                    yield presence
            if cursor == b"0":
                return

    async def store_up_seconds(self) -> float:
        info = await server_info(self._lane, "server")
        unbroken = asyncio.get_running_loop().time() - self._lane.up_since
        return min(float(info["uptime_in_seconds"]), unbroken)
