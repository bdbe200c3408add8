"""The composition root of a node: settings in, a serving node out."""

import asyncio
import gc
import resource
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog

from exchange import logs
from exchange.core.errors import ExchangeError, StorageUnavailable
from exchange.core.features import FEATURES, HISTORY
from exchange.core.model import NodeInfo
from exchange.core.session import Session
from exchange.dialects.errors import CODES
from exchange.dialects.magi1 import Magi1
from exchange.entropy import new_id
from exchange.front import Conversation, Ending, SocketRules, Upgrade
from exchange.handlers.exchange import Exchange, Policy
from exchange.metrics import Metrics
from exchange.node.census import Census
from exchange.node.connection import Bounds, Connection
from exchange.node.delivery import MailRules
from exchange.node.drain import Drain, Plan
from exchange.node.hub import LocalHub
from exchange.node.lease import Lease
from exchange.node.readiness import Readiness
from exchange.node.reattach import attach_all
from exchange.node.reconcile import SafetyNet
from exchange.node.roster import Roster
from exchange.node.witness import NodeWitness
from exchange.ports import Store
from exchange.settings import Settings
from exchange.storage.redis import keyspace
from exchange.storage.redis.store import RedisStore
from exchange.stores import connect
from exchange.transports import http1, statistics
from exchange.transports.doorman import Doorman, Wire
from exchange.transports.http import ROUTES, website
from exchange.transports.ops import operations
from exchange.transports.proxies import Proxies
from exchange.transports.server import Server
from exchange.transports.wheel import Wheel
from magi import __version__
from magi.wire.limits import OVERSIZE_FACTOR

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
        on_drain: Callable[[], None] = lambda: None,
    ) -> None:
        """Wire everything up; nothing runs yet.

        Args:
            settings: What was configured.
            store: Its clock, and its wakes, are this node's own.
            sock: Listening socket for clients.
            ops_sock: Listening socket for probes and metrics.
            on_drain: Is called when the ops port asks this node to end; whoever has it then calls :meth:`stop`.
        """
        self.settings = settings
        self.store = store
        self._about = (__version__, settings.store.durability)
        self.dialect = dialect = Magi1()
        self.metrics = Metrics(
            version=__version__,
            keyspace=str(keyspace.VERSION),
            durability=settings.store.durability,
            codes={dialect.name: CODES},
            lanes=("main", "commit") if settings.store.durability == "replicated" else ("main",),
            routes=ROUTES,
        )
        self.journal = logs.Journal(settings.log.forwarded_per_second_count)
        counts = self.metrics.hot[dialect.name]
        self.witness = NodeWitness(dialect, counts, self.metrics, self.journal)
        self.roster = Roster(store.clock, counts, self.witness.closed, lambda: self.hub.changes_count)
        self.hub = LocalHub(store, self.roster.teller, counts, mail_rules_of(settings))
        self.safety_net = SafetyNet(self.hub, store, counts, period_seconds=settings.session.reconcile_seconds)
        self.lease = self._lease()
        self.hub.tenure = self.lease
        self.exchange = Exchange(self.lease.info.id, store, self.hub, self.lease, self.witness, policy_of(settings))
        self.census = Census(store.tallies, self.roster, lambda: self.lease.info)
        self.readiness = Readiness(self.lease.current)
        self.doorman = self._doorman()
        proxies = Proxies(settings.listen.trusted_proxies, self.metrics.untrusted_forwarded.inc)
        transport = http1.options(self.doorman, Wheel(), proxies.client_address)
        self.server = Server(website(self, self._count_response), sock, **transport)
        self.ops_server = Server(
            operations(self, lambda: self.readiness.started, self._alive, self.metrics.exposition, on_drain), ops_sock
        )
        drain = settings.drain
        plan = Plan(drain.notice_seconds, drain.window_seconds, drain.flush_seconds)
        self.drain = Drain(plan, self.roster, others=self._others_serve, refuse=self.doorman.refuse)
        self._beat_task: asyncio.Task[None] | None = None
        self._beaten_at = time.monotonic()
        self._report_task: asyncio.Task[None] | None = None
        self._safety_task: asyncio.Task[None] | None = None
        self._watch()

    # --- parts -------------------------------------------------------------------------------------------------------

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
            attach_all=lambda: attach_all(self.exchange, self.roster),
        )

    def _doorman(self) -> Doorman:
        settings, dialect = self.settings, self.dialect
        return Doorman(
            # A wire is its dialect, the paths it owns (MAGI-1), and its socket rules.
            [Wire(dialect.name, lambda path: path == "/" or path.startswith("/bx"), self._rules(), self._converse)],
            origins=frozenset(origin.lower() for origin in settings.listen.origins),
            connections_count=self.roster.__len__,
            connections_most=settings.limits.connections_count,
            count=self.metrics.connections_opened.inc,
        )

    def _rules(self) -> SocketRules:
        session = self.settings.session
        return SocketRules(
            message_bytes=session.message_bytes,
            outer_bytes=OVERSIZE_FACTOR * session.message_bytes,
            ping_seconds=session.ping_seconds,
            silence_seconds=session.silence_seconds,
            stall_seconds=session.stall_seconds,
            idle_seconds=session.idle_seconds,
            idle_close=self.dialect.closes[Ending.IDLE],
            buffer_bytes=session.buffer_bytes,
        )

    def _converse(self, upgrade: Upgrade) -> Conversation:
        limits = self.settings.limits
        session = Session(
            new_id(), dialect=self.dialect.name, address=upgrade.address, since_ms=self.store.clock.now_ms()
        )
        bounds = Bounds(limits.pending_frames_count, limits.pending_bytes)
        return Connection(session, self.dialect, self.exchange, self.roster, self.witness.refused, bounds)

    def _watch(self) -> None:
        """Name the objects whose numbers are read at scrape."""
        metrics, name = self.metrics, self.dialect.name
        metrics.connections.watch(lambda: len(self.roster), name)
        metrics.connections_limit.set(self.settings.limits.connections_count)
        metrics.sessions.watch(lambda: len(self.hub), name)
        metrics.users.watch(lambda: len(self.hub))
        metrics.pull_sessions.watch(lambda: self.hub.behind_count)
        metrics.wakes_missed.watch(lambda: self.hub.missed_count)
        metrics.live_gaps.watch(lambda: self.hub.gaps_count, "main")
        metrics.lease_renewal.watch(lambda: self.lease.renewed_ms / 1000)
        metrics.fenced.watch(lambda: self.lease.fenced_count)
        metrics.draining.watch(lambda: self.readiness.draining)
        metrics.drain_remaining.watch(lambda: self.drain.remaining)
        metrics.nodes.watch(lambda: len(self.census.latest.nodes), "alive")
        metrics.write_buffer.watch(lambda: sum(one.buffered_bytes for one in self.roster), "sum")
        metrics.write_buffer.watch(lambda: max((one.buffered_bytes for one in self.roster), default=0), "max")

    def watch_store(self, store: RedisStore) -> None:
        """Take readiness and the numbers of the lane from the store behind the ports."""
        self.readiness.store_up = lambda: store.up
        self.readiness.examine = store.flaws
        self.metrics.watch_lane("main", store.lane)
        if (commit := store.commit) is not None:
            self.metrics.watch_lane("commit", commit.lane)
            self.metrics.waiting.watch(lambda: commit.waiting)
            commit.on_waited = self.metrics.wait_seconds.observe
        self.metrics.unknown_versions.watch(lambda: store.unknown_records, "record")

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Serve; returns when clients can connect."""
        self.store.wakes.attend(self.hub)
        await self.lease.start()
        await self.census.report()
        await self.census.read()
        loop = asyncio.get_running_loop()
        self._beat_task = loop.create_task(self._beat())
        self._safety_task = loop.create_task(self.safety_net.run())
        await self.ops_server.start()
        await self.server.start()
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
            log.error("drain.unfinished", node_id=self.lease.info.id, connections=len(self.roster))  # noqa: TRY400

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
        await asyncio.gather(self.server.stop(), self.ops_server.stop())
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

    def _count_response(self, route: str, status: int) -> None:
        self.metrics.http_requests.inc(route, f"{status // 100}xx")

    # --- what the pages tell (transports.http.Facts) -----------------------------------------------------------------

    async def statistics(self) -> dict[str, Any]:
        return statistics.statistics(await self.census.read(), self.store.clock.now_ms(), *self._about)

    async def status(self, base_url: str) -> dict[str, Any]:
        base_url = self.settings.listen.public_url or base_url
        return statistics.status(await self.census.read(), self.store.clock.now_ms(), *self._about, base_url)

    def health(self) -> dict[str, Any]:
        latest, now_ms = self.census.latest, self.store.clock.now_ms()
        return statistics.health(latest, (now_ms - statistics.started_ms(latest, now_ms)) / 1000)

    def reasons(self) -> tuple[str, ...]:
        return tuple(reason.value for reason in self.readiness.reasons())


def policy_of(settings: Settings) -> Policy:
    """Return what the settings decide for the handlers."""
    limits = settings.limits
    return Policy(
        grace_ms=int(settings.session.grace_seconds * 1000),
        invite_life_ms=int(settings.invites.ttl_seconds * 1000),
        code_characters=settings.invites.code_length_count,
        open_invites=limits.open_invites_count,
        asks_per_minute=limits.asks_per_minute_count,
        asks_burst=limits.asks_burst_count,
        failures_connection=limits.redeem_failures_connection_count,
        failures_address=limits.redeem_failures_address_count,
        deadline_ms=settings.live.deadline_ms,
        reply_seconds=settings.live.reply_deadline_ms / 1000,
        store_up_seconds=settings.lease.store_up_seconds,
        available=FEATURES if settings.history.retention_seconds else FEATURES - {HISTORY},
        resume_ms=int(settings.session.resume_seconds * 1000),
        mail_ttl_ms=int(settings.mailbox.ttl_seconds * 1000),
        history_keep_ms=int(settings.history.retention_seconds * 1000),
    )


def mail_rules_of(settings: Settings) -> MailRules:
    """Return what the settings decide about mail."""
    session, mailbox = settings.session, settings.mailbox
    return MailRules(
        window_count=session.window_count,
        window_bytes=session.window_bytes,
        high_bytes=session.high_bytes,
        low_bytes=session.low_bytes,
        attempts_count=mailbox.attempts_count,
        ttl_ms=int(mailbox.ttl_seconds * 1000),
        flap_seconds=session.flap_seconds,
    )


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
    sock: socket.socket,
    ops_sock: socket.socket,
    stop: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Be a node until ``stop`` is set.

    Args:
        settings: What was configured.
        index: Which node of this machine; logs show it.
        sock: Listening socket for clients.
        ops_sock: Listening socket for probes and metrics.
        stop: Set from outside to end in order.
        ready: Called once when clients can connect.

    Raises:
        StartRefused: The store cannot be reached, or must not be used.
    """
    logs.configure(settings.log.level, settings.log.format, f"node{index}")
    _make_room(settings.limits.connections_count)
    store = await connect(settings)
    try:
        node = Node(settings, store.ports, sock=sock, ops_sock=ops_sock, on_drain=stop.set)
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
