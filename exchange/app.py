"""The composition root of a node: settings in, a serving node out."""

import asyncio
import gc
import resource
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from exchange import logs
from exchange.core.commands import PassOn
from exchange.core.errors import ExchangeError, StorageUnavailable
from exchange.core.model import NodeInfo
from exchange.core.session import Session
from exchange.entrances import Entrances
from exchange.entropy import new_id
from exchange.facts import Facts
from exchange.front import Conversation, Upgrade
from exchange.handlers.exchange import Exchange
from exchange.hotcounts import HotCounts
from exchange.listening import NodeSockets
from exchange.node.census import Census
from exchange.node.connection import Connection
from exchange.node.drain import Drain
from exchange.node.hub import LocalHub
from exchange.node.lease import Lease
from exchange.node.readiness import Readiness
from exchange.node.reattach import attach_all
from exchange.node.reconcile import SafetyNet
from exchange.node.roster import Crowd, Roster
from exchange.node.switchboard import LocalSwitchboard
from exchange.node.witness import NodeWitness
from exchange.policies import bounds_of, desk_of, mail_rules_of, plan_of, policy_of, relay_rules_of
from exchange.ports import Store
from exchange.settings import Settings
from exchange.storage.redis.store import RedisStore
from exchange.stores import connect
from exchange.transports.ops import operations
from exchange.transports.server import Server
from exchange.wires import MAIN, RELAY, Row, metrics_of, wires
from magi import __version__

log = structlog.get_logger()

BEAT_SECONDS = 0.1
BEATS_PER_REPORT = 10
REPORTS_PER_READING = 5
"""Everybody's numbers are read less often than told: who asks for them gets them read at once anyway."""
LIVE_SECONDS = 10.0
GC_THRESHOLD = 50_000
"""Allocations between two looks of the collector. Nothing on the hot path makes cycles; the default of 700 costs."""


class Node:
    """One front node in the running event loop. ``start``, then ``stop``; each once."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        sock: socket.socket,
        ops_sock: socket.socket,
        relay_sock: socket.socket | None = None,
        on_drain: Callable[[], None] = lambda: None,
    ) -> None:
        """Wire everything up; nothing runs yet.

        Args:
            settings: What was configured.
            store: Its clock, and its wakes, are this node's own.
            sock: Listening socket for clients.
            ops_sock: Listening socket for probes and metrics.
            relay_sock: Listening socket of the relay's original port, if that is on.
            on_drain: Is called when the ops port asks this node to end; whoever has it then calls :meth:`stop`.
        """
        self.settings = settings
        self.store = store
        self._rows = rows = wires(settings, store.clock.now_ms)
        self.metrics = metrics_of(settings, rows)
        self.journal = logs.Journal(settings.log.forwarded_per_second_count)
        self._spoken = [self._speak(row) for row in rows]
        self.roster, self.witness = self._spoken[0]
        self.crowd = Crowd({row.dialect.name: roster for row, (roster, _) in zip(rows, self._spoken, strict=True)})
        self.hub = LocalHub(store, self.roster.teller, self.roster.counts, mail_rules_of(settings))
        self.switchboard = self._switchboard()
        self.safety_net = SafetyNet(
            self.hub, store, self.roster.counts, period_seconds=settings.session.reconcile_seconds
        )
        self.lease = self._lease()
        self.hub.tenure = self.lease
        self.exchange = Exchange(
            self.lease.info.id, store, self.hub, self.switchboard, self.lease, self.witness, policy_of(settings)
        )
        self.census = Census(store.tallies, self.roster, lambda: self.lease.info, self.switchboard.counted)
        self.readiness = Readiness(self.lease.current)
        self.facts = Facts(
            self.census, store.clock, self.readiness, settings.store.durability, settings.listen.public_url
        )
        self.desk = desk_of(settings, store)
        self.entrances = self._entrances({MAIN: sock} if relay_sock is None else {MAIN: sock, RELAY: relay_sock})
        self.ops_server = Server(
            operations(self.facts, lambda: self.readiness.started, self._alive, self.metrics.exposition, on_drain),
            ops_sock,
        )
        self.drain = Drain(plan_of(settings), self.crowd, others=self._others_serve, refuse=self.entrances.refuse)
        self._beat_task: asyncio.Task[None] | None = None
        self._beaten_at = time.monotonic()
        self._report_task: asyncio.Task[None] | None = None
        self._safety_task: asyncio.Task[None] | None = None
        self._watch()

    # --- parts -------------------------------------------------------------------------------------------------------

    def _switchboard(self) -> LocalSwitchboard:
        counts = next((self.metrics.hot[row.dialect.name] for row in self._rows if row.carries is PassOn), HotCounts())
        return LocalSwitchboard(self.store.slots, self.crowd.teller, counts, relay_rules_of(self.settings))

    def _entrances(self, sockets: Mapping[str, socket.socket]) -> Entrances:
        wires = zip(self._rows, self._spoken, strict=True)
        return Entrances(
            self.settings,
            self.metrics,
            [(row, self._conversations(row, *one)) for row, one in wires],
            self.facts,
            self.desk,
            connections_count=self.crowd.__len__,
            sockets=sockets,
        )

    def _lease(self) -> Lease:
        def info() -> NodeInfo:
            return NodeInfo(new_id(), __version__, self.store.clock.now_ms())

        def start_over() -> NodeInfo:
            fresh = info()
            self.exchange.node = fresh.id
            return fresh

        return Lease(
            info(),
            self.store.leases,
            self.store.clock,
            ttl_seconds=self.settings.lease.ttl_seconds,
            renew_seconds=self.settings.lease.renew_seconds,
            start_over=start_over,
            attach_all=self._attach_all,
        )

    async def _attach_all(self) -> None:
        self.switchboard.lose_all("node.fenced")
        await attach_all(self.exchange, self.roster)

    def _speak(self, row: Row) -> tuple[Roster, NodeWitness]:
        counts = self.metrics.hot[row.dialect.name]
        witness = NodeWitness(row.dialect, counts, self.metrics, self.journal)
        changes_count = (lambda: self.hub.changes_count) if row.public else (lambda: 0)
        return Roster(self.store.clock, counts, witness.closed, changes_count, public=row.public), witness

    def _conversations(self, row: Row, roster: Roster, witness: NodeWitness) -> Callable[[Upgrade], Conversation]:
        bounds = bounds_of(self.settings)

        def converse(upgrade: Upgrade) -> Conversation:
            name, now_ms = row.dialect.name, self.store.clock.now_ms()
            session = Session(new_id(), dialect=name, address=upgrade.address, since_ms=now_ms)
            return Connection(session, row.dialect, self.exchange, roster, witness.refused, bounds, row.member_rules)

        return converse

    def _watch(self) -> None:
        """Name the objects whose numbers are read at scrape."""
        metrics = self.metrics
        for row, (roster, _) in zip(self._rows, self._spoken, strict=True):
            name = row.dialect.name
            metrics.connections.watch(roster.__len__, name)
            metrics.sessions.watch((self.switchboard if row.carries is PassOn else self.hub).__len__, name)
        metrics.connections_limit.set(self.settings.limits.connections_count)
        metrics.pairs.watch(lambda: self.switchboard.pairs_count)
        metrics.busy_ends.watch(lambda: self.switchboard.busy_count)
        metrics.users.watch(lambda: len(self.hub))
        metrics.pull_sessions.watch(lambda: self.hub.behind_count)
        metrics.wakes_missed.watch(lambda: self.hub.missed_count)
        metrics.live_gaps.watch(lambda: self.hub.gaps_count, "main")
        metrics.lease_renewal.watch(lambda: self.lease.renewed_ms / 1000)
        metrics.fenced.watch(lambda: self.lease.fenced_count)
        metrics.draining.watch(lambda: self.readiness.draining)
        metrics.drain_remaining.watch(lambda: self.drain.remaining)
        metrics.nodes.watch(lambda: len(self.census.latest.nodes), "alive")
        metrics.write_buffer.watch(lambda: sum(one.buffered_bytes for one in self.crowd), "sum")
        metrics.write_buffer.watch(lambda: max((one.buffered_bytes for one in self.crowd), default=0), "max")

    def watch_store(self, store: RedisStore) -> None:
        """Take readiness and the numbers of the lane from the store behind the ports."""
        self.readiness.store_up = lambda: store.up
        self.readiness.examine = store.flaws
        self.metrics.watch_lane("main", store.lane)
        if store.bulk is not None:
            self.metrics.watch_lane("bulk", store.bulk)
            self.metrics.live_gaps.watch(lambda: self.switchboard.cuts_count, "bulk")
        if (commit := store.commit) is not None:
            self.metrics.watch_lane("commit", commit.lane)
            self.metrics.waiting.watch(lambda: commit.waiting)
            commit.on_waited = self.metrics.wait_seconds.observe
        self.metrics.unknown_versions.watch(lambda: store.unknown_records, "record")

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Serve; returns when clients can connect."""
        self.store.wakes.attend(self.hub)
        if self.settings.relay.enabled:
            self.store.slots.attend(self.switchboard)
        await self.lease.start()
        await self.census.report()
        await self.census.read()
        loop = asyncio.get_running_loop()
        self._beat_task = loop.create_task(self._beat())
        self._safety_task = loop.create_task(self.safety_net.run())
        await self.ops_server.start()
        await self.entrances.start()
        self.readiness.started = True
        log.info("node.started", node_id=self.lease.info.id, version=__version__)

    async def stop(self) -> None:
        """End in order: let the connections go as planned, then the lease, and within ``drain.total_seconds`` all of it.

        Whatever does not fit into that time is left to a worker.
        """
        try:
            async with asyncio.timeout(self.settings.drain.total_seconds):
                await self._wind_up()
        except TimeoutError:
            log.error("drain.unfinished", node_id=self.lease.info.id, connections=len(self.crowd))  # noqa: TRY400

    async def _wind_up(self) -> None:
        self.readiness.draining = True
        await self.lease.retire()
        await self.drain.run()
        unfinished = await self.exchange.settled(self.settings.drain.flush_seconds)
        for task in (self._beat_task, self._safety_task):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        self.journal.flush(float("inf"))
        with suppress(ExchangeError):
            await self.census.report()
        await self.lease.stop()
        await asyncio.gather(self.entrances.stop(), self.ops_server.stop())
        log.info("node.stopped", node_id=self.lease.info.id, unfinished=unfinished)

    async def _others_serve(self) -> bool:
        try:
            nodes = await self.store.leases.serving()
        except StorageUnavailable:
            nodes = tuple(info for info, _ in self.census.latest.nodes)  # as they were seen last
        return any(node.id != self.lease.info.id for node in nodes)

    async def _beat(self) -> None:
        """Ten times a second: measure the loop, write the log of forwarded messages; once a second: report."""
        beats = 0
        due = time.monotonic() + BEAT_SECONDS
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            now = time.monotonic()
            self.metrics.loop_lag.observe(now - due)
            self._beaten_at = now
            due = now + BEAT_SECONDS
            self.journal.flush(now)
            beats += 1
            if beats % BEATS_PER_REPORT == 0:
                self.readiness.beat(now)
                self.hub.go_on()
                self.switchboard.go_on()
                if self._report_task is None or self._report_task.done():
                    read = beats % (BEATS_PER_REPORT * REPORTS_PER_READING) == 0
                    self._report_task = asyncio.get_running_loop().create_task(self._report(read=read))

    async def _report(self, *, read: bool) -> None:
        try:
            await self.census.report()
            if read:
                await self.census.read()
                await self.readiness.look()
        except StorageUnavailable as error:
            log.warning("census.unreported", reason=str(error))

    def _alive(self) -> bool:
        return time.monotonic() - self._beaten_at < LIVE_SECONDS


SPARE_DESCRIPTORS = 100


def _make_room(connections_count: int) -> None:
    """Raise the limit of open files as far as it may go, and say so if it is too low for all connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems refuse what they called the hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft != resource.RLIM_INFINITY and soft < connections_count + SPARE_DESCRIPTORS:
        log.warning("descriptors.few", limit=soft, needed=connections_count + SPARE_DESCRIPTORS)


async def run_node(
    settings: Settings,
    *,
    index: int,
    sockets: NodeSockets,
    stop: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Be a node until ``stop`` is set.

    Args:
        settings: What was configured.
        index: Which node of this machine; logs show it.
        sockets: What it listens on.
        stop: Set from outside to end in order.
        ready: Called once when clients can connect.

    Raises:
        StartRefused: The store cannot be reached, or must not be used.
    """
    logs.configure(settings.log.level, settings.log.format, f"node{index}")
    _make_room(settings.limits.connections_count)
    store = await connect(settings, relay=settings.relay.enabled)
    try:
        node = Node(
            settings,
            store.ports,
            sock=sockets.main,
            ops_sock=sockets.ops,
            relay_sock=sockets.relay,
            on_drain=stop.set,
        )
        node.watch_store(store)
        await node.start()
        # What exists now lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        ready()
        await stop.wait()
        await node.stop()
    finally:
        await store.close()
        logs.close()
