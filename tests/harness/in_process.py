"""Exchanges in the process of the test: real nodes with real sockets, over memory or a real server."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from socket import socket

from pydantic import SecretStr

from exchange import stores
from exchange.app import Node
from exchange.listening import node_socket, port_of, reserve
from exchange.settings import Settings
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.valkey import Valkey

HOST = "127.0.0.1"
Overrides = Mapping[str, Mapping[str, object]]
STANDARD: Overrides = {
    "limits": {"asks_per_minute_count": 0},
    "drain": {"notice_seconds": 0.5, "window_seconds": 0.2},
    "store": {"durability": "memory"},
}
"""Defaults of the wires, but without the ask limit, which has dialogues of its own, without long farewells, and on servers
that keep nothing on disk."""

_exchanges = itertools.count(1)


@dataclass(slots=True)
class Running:
    """An exchange in this process: its nodes, their ports, and the store of those that run over memory."""

    memory: Memory = field(default_factory=Memory)
    nodes: list[Node] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    relay_ports: list[int] = field(default_factory=list)
    """Of the relay's own listener, if it is on."""


Opener = Callable[[str, Overrides], AbstractAsyncContextManager[Running]]
"""Opens an exchange of a kind with these settings."""


@contextlib.asynccontextmanager
async def in_process(kind: str, overrides: Overrides, valkey: Valkey | None = None) -> AsyncIterator[Running]:
    """Run an exchange in this process, with two nodes (kind ``one``: with one)."""
    url = SecretStr("" if valkey is None else valkey.url)
    redis = {"url": url, "prefix": f"t{next(_exchanges)}", **overrides.get("redis", {})}
    settings = Settings().changed(**{**STANDARD, **overrides, "redis": redis})
    running = Running()
    async with contextlib.AsyncExitStack() as stack:

        def listening() -> socket:
            # A placeholder keeps each port ours.
            placeholder = stack.enter_context(reserve(HOST, 0, variable="none"))
            return stack.enter_context(node_socket(HOST, port_of(placeholder)))

        for _ in range(1 if kind == "one" else 2):
            if valkey is None:
                store = memory_store(running.memory, stores._caps(settings), stores._allowances(settings))
            else:
                opened = await stores.connect(settings, relay=True)
                stack.push_async_callback(opened.close)
                store = opened.ports
            sock, ops_sock = listening(), listening()
            relay_sock = listening() if settings.relay.listener else None
            running.nodes.append(Node(settings, store, sock=sock, ops_sock=ops_sock, relay_sock=relay_sock))
            running.ports.append(port_of(sock))
            if relay_sock is not None:
                running.relay_ports.append(port_of(relay_sock))
        await asyncio.gather(*(node.start() for node in running.nodes))
        try:
            yield running
        finally:
            await asyncio.gather(*(node.stop() for node in running.nodes))
