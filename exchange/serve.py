"""``magi-exchange serve``: a start from settings to the banner, and the end in the opposite order.

::

    claim the data directory -> reserve ports -> embedded Valkey -> is the store fit? -> nodes and worker -> banner
    banner -> first signal -> nodes drain -> worker ends -> embedded Valkey syncs and ends

One node with a store of its own and no worker is this very process; anything more is one child process each.
"""

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, closing
from typing import Any

from pydantic import SecretStr

from exchange import logs
from exchange.banner import LISTENER_PATH, RELAY_PATH, Console, Started, socket_url
from exchange.child import Program
from exchange.embedded import EmbeddedValkey
from exchange.listening import node_sockets, port_of, reachable, reserve
from exchange.process import on_signals, run_process
from exchange.refusal import REFUSED_STATUS, StartRefused
from exchange.settings import Settings
from exchange.stores import inspect
from exchange.supervisor import GaveUp, Supervisor

NODE_SPARE_SECONDS = 5.0  # beyond the longest drain
WORKER_STOP_SECONDS = 10.0
GAVE_UP_STATUS = 1

COMMAND = (sys.executable, "-m", "exchange")


class Ports:
    """The ports of one exchange: for clients, for the relay's old clients, and one for each node's metrics and probes."""

    def __init__(self, settings: Settings) -> None:
        """Reserve them until :meth:`close`. A port that was given as 0 is known from now on."""
        listen, ops = settings.listen, settings.ops
        with ExitStack() as reserved:
            main = reserve(listen.host, listen.port, variable="--port or EXCHANGE_LISTEN__PORT")
            reserved.enter_context(closing(main))
            self.relay = 0
            if (place := settings.relay_place) is not None:
                variable = "-addr, EXCHANGE_RELAY__LISTENER_HOST or EXCHANGE_RELAY__LISTENER_PORT"
                relay = reserve(*place, variable=variable)
                reserved.enter_context(closing(relay))
                self.relay = port_of(relay)
            ports = []
            for index in range(settings.nodes.count):
                port = ops.port + index if ops.port else 0
                placeholder = reserve(ops.host, port, variable="--ops-port or EXCHANGE_OPS__PORT")
                reserved.enter_context(closing(placeholder))
                ports.append(port_of(placeholder))
            self._reserved = reserved.pop_all()
        self.main = port_of(main)
        self.ops = tuple(ports)

    def close(self) -> None:
        self._reserved.close()

    def of_node(self, settings: Settings, index: int) -> Settings:
        """Return the settings of one node: its own ports in place of the first."""
        return settings.changed(
            listen={"port": self.main}, ops={"port": self.ops[index]}, relay={"listener_port": self.relay}
        )


def serve(settings: Settings, *, command: tuple[str, ...] = COMMAND) -> int:
    """Run the exchange until it is told to end, and return the exit status.

    ``command`` starts this program; it is followed by ``node`` or ``worker`` and their options.

    0 after an end in order, 3 if the start was refused, 1 after giving up on a program that keeps ending.
    """
    console = Console(settings.log.format)
    if settings.nodes.count == 1 and settings.redis.url.get_secret_value() and not settings.runs_worker:
        return run_process(lambda stop: _one_process(settings, console, stop))
    # What the parent does is told by the console; the nodes tell the rest.
    logs.configure("warning", settings.log.format, "serve")
    try:
        with asyncio.Runner() as runner:
            runner.run(Parent(settings, console, command).run())
    except StartRefused as refusal:
        console.complain(str(refusal))
        return REFUSED_STATUS
    except GaveUp as end:
        console.complain(str(end))
        return GAVE_UP_STATUS
    return 0


async def _one_process(settings: Settings, console: Console, stop: asyncio.Event) -> None:
    from exchange.app import run_node  # noqa: PLC0415  only processes that are nodes need it

    with closing(Ports(settings)) as ports:
        mine = ports.of_node(settings, 0)

        def ready() -> None:
            console.started(_facts(settings, ports, f"Redis or Valkey at {settings.redis.shown}"))

        listen, ops = mine.listen, mine.ops
        with node_sockets((listen.host, listen.port), (ops.host, ops.port), mine.relay_place) as sockets:
            await run_node(mine, index=0, sockets=sockets, stop=stop, ready=ready)


class Parent:
    """The process that owns the embedded Valkey, the ports and the children."""

    def __init__(self, settings: Settings, console: Console, command: tuple[str, ...]) -> None:
        self._settings = settings
        self._console = console
        self._command = command
        self._stop = asyncio.Event()
        self._store = None
        if not settings.redis.url.get_secret_value():
            self._store = EmbeddedValkey(settings.store.data_dir, durability=settings.store.durability)
        self._supervisor: Supervisor | None = None

    async def run(self) -> None:
        """Run everything until the first signal, then end it in order.

        Raises:
            StartRefused: The start was refused; what had started is ended.
            GaveUp: A program keeps ending; the others are ended.
        """
        on_signals(self._stop, at_once=self._kill)
        if self._store is None:
            with closing(Ports(self._settings)) as ports:
                await self._run_children(self._settings, ports, f"Redis or Valkey at {self._settings.redis.shown}")
        else:
            await self._run_with(self._store)
        self._console.say("stopped")

    async def _run_with(self, store: EmbeddedValkey) -> None:
        store.claim()
        try:
            with closing(Ports(self._settings)) as ports:
                if await self._unless_stopped(store.start()):
                    settings = self._settings.changed(redis={"url": SecretStr(store.url)})
                    await self._run_children(settings, ports, f"embedded Valkey in {store.data_dir}")
        finally:
            await store.stop()

    async def _run_children(self, settings: Settings, ports: Ports, store: str) -> None:
        await inspect(settings)
        self._supervisor = Supervisor(self._stages(settings, ports), store=self._store, say=self._console.say)
        try:
            await self._unless_stopped(
                self._supervisor.run(lambda: self._console.started(_facts(self._settings, ports, store)))
            )
        finally:
            await self._supervisor.stop()

    def _stages(self, settings: Settings, ports: Ports) -> list[list[Program]]:
        def program(name: str, stop_seconds: float, settings: Settings, *words: str) -> Program:
            drains = words[0] == "node"
            return Program(name, (*self._command, *words), settings.to_child(), stop_seconds, drains=drains)

        node_stop_seconds = settings.drain.total_seconds + NODE_SPARE_SECONDS
        nodes = [
            program(f"node {index}", node_stop_seconds, ports.of_node(settings, index), "node", "--index", str(index))
            for index in range(settings.nodes.count)
        ]
        return [
            nodes,
            [program("worker", WORKER_STOP_SECONDS, settings, "worker")] if self._settings.runs_worker else [],
        ]

    async def _unless_stopped(self, work: Coroutine[Any, Any, object]) -> bool:
        """Do the work unless told to stop meanwhile; tell whether it was done."""
        task, stopped = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
            return task.done()
        finally:
            task.cancel()
            stopped.cancel()
            await asyncio.gather(task, stopped, return_exceptions=True)

    def _kill(self) -> None:
        """End everything at once. Only the store gets the time to sync its file, by itself."""
        if self._supervisor is not None:
            self._supervisor.kill()
        if self._store is not None:
            self._store.terminate()
            self._store.release()


def _facts(settings: Settings, ports: Ports, store: str) -> Started:
    return Started(
        host=reachable(settings.listen.host),
        port=ports.main,
        ops_host=reachable(settings.ops.host),
        ops_ports=ports.ops,
        store=store,
        durability=settings.store.durability,
        worker=settings.runs_worker,
        public_url=settings.listen.public_url,
        relay=tuple(_relay_urls(settings, ports)),
    )


def _relay_urls(settings: Settings, ports: Ports) -> Iterator[str]:
    relay = settings.relay
    if relay.enabled:
        yield socket_url(reachable(settings.listen.host), ports.main, RELAY_PATH)
    if settings.relay_place is not None:
        host, _ = settings.relay_place
        yield socket_url(reachable(host), ports.relay, LISTENER_PATH, tls=relay.tls_certificate_file is not None)
