"""Leases and session indexes in memory."""

from collections.abc import AsyncIterator
from dataclasses import replace

from exchange.core.model import NodeInfo, Presence
from exchange.storage.memory.state import Memory, Node


class Leases:
    """Implements ``exchange.ports.Leases`` for one simulated node."""

    def __init__(self, state: Memory) -> None:
        self._state = state
        self._entered: set[str] = set()
        self._since_ms = state.now_ms()

    async def renew(self, node: NodeInfo, *, ttl_ms: int, draining: bool) -> bool:
        await self._state.reach()
        entry = self._state.nodes.get(node.id)
        if entry.reaped if entry else node.id in self._entered:
            return False
        self._state.nodes[node.id] = Node(node, self._state.now_ms() + ttl_ms, draining)
        self._entered.add(node.id)
        return True

    async def leave(self, node: str) -> None:
        await self._state.reach()
        self._state.nodes.pop(node, None)
        self._state.tallies.pop(node, None)
        self._entered.discard(node)

    async def alive(self, node: str) -> bool:
        await self._state.reach()
        entry = self._state.nodes.get(node)
        return entry is not None and self._leased(entry)

    async def nodes(self) -> tuple[NodeInfo, ...]:
        await self._state.reach()
        return tuple(entry.info for entry in self._state.nodes.values() if self._leased(entry))

    async def serving(self) -> tuple[NodeInfo, ...]:
        await self._state.reach()
        nodes = self._state.nodes.values()
        return tuple(entry.info for entry in nodes if self._leased(entry) and not entry.draining)

    async def lapsed(self) -> tuple[str, ...]:
        await self._state.reach()
        return tuple(node for node, entry in self._state.nodes.items() if not self._leased(entry))

    async def reap(self, node: str) -> bool:
        await self._state.reach()
        entry = self._state.nodes.get(node)
        if entry is None or self._leased(entry):
            return False
        entry.reaped = True
        return True

    async def forget(self, node: str) -> None:
        await self._state.reach()
        self._state.noted.pop(node, None)
        self._state.tallies.pop(node, None)
        self._state.nodes.pop(node, None)

    async def note(self, presence: Presence) -> None:
        await self._state.reach()
        self._state.noted.setdefault(presence.node, {})[presence.sid] = replace(presence, address="")

    async def unnote(self, node: str, sid: str) -> None:
        await self._state.reach()
        self._state.noted.get(node, {}).pop(sid, None)

    async def noted(self, node: str) -> AsyncIterator[Presence]:
        await self._state.reach()
        for presence in tuple(self._state.noted.get(node, {}).values()):
            yield presence

    async def store_up_seconds(self) -> float:
        await self._state.reach()
        return (self._state.now_ms() - self._since_ms) / 1000

    def _leased(self, entry: Node) -> bool:
        return self._state.now_ms() < entry.lease_ends_ms
