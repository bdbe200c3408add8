"""Every metric of the exchange: one attribute of :class:`Metrics` each (OPS-9).

Label values come from the tables here, from closed lists in code, or from the composition root when the process starts;
never from a request. Hot code adds to :class:`~exchange.hotcounts.HotCounts`; what lives in other objects is read through
sources at scrape. One process has one ``Metrics`` and one registry; all of it belongs to one event loop.
"""

import time
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import product
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from exchange.core.commands import Command, Send
from exchange.core.errors import ExchangeError, Unavailable
from exchange.core.session import ALLOWED
from exchange.front import Ending
from exchange.hotcounts import HotCounts
from exchange.instruments import A_SECONDS, B_SECONDS, D_SECONDS, OTHER, Counter, Gauge, Histogram, Instrument
from exchange.labels import (
    ACCEPTED,
    INVITES,
    LIMITS,
    LIVE_REFUSED,
    MISSED,
    NODES,
    OPENED,
    PROOFS,
    REBUILDS,
    RECONCILED,
    REDIS_ERRORS,
    REFUSED_FRAMES,
    SENT,
    SENT_STORED,
    STORED,
    WAKES,
)

COMMANDS: dict[type[Command[object]], str] = {
    command: "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in command.__name__).lstrip("_")
    for command in sorted(frozenset[type[Command[object]]]().union(*ALLOWED.values()), key=lambda kind: kind.__name__)
}
"""Label of every command: ``create_invite``, ``identify``, ``redeem``, ``send``."""

CLOSED = tuple(ending.value for ending in Ending)


class LaneCounters(Protocol):
    """What a lane to the store counts."""

    unknown: int

    @property
    def errors(self) -> Mapping[str, int]: ...
    @property
    def rebuilds(self) -> Mapping[str, int]: ...


class Lane(Protocol):
    """What is read of a lane to the store."""

    @property
    def up(self) -> bool: ...
    @property
    def inflight(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def last_probe(self) -> float: ...
    @property
    def counters(self) -> LaneCounters: ...


class Metrics:
    """All metrics of one process. ``hot`` holds the counts of each wire."""

    def __init__(
        self,
        *,
        version: str = "",
        keyspace: str = "",
        durability: str = "memory",
        mode: str = "standalone",
        codes: Mapping[str, Iterable[str]] | None = None,
        sends: Mapping[str, type[Command[Any]]] | None = None,
        lanes: Iterable[str] = ("main",),
        routes: Iterable[str] = (),
    ) -> None:
        """Create all series.

        Args:
            version: Of this program.
            keyspace: Version of the layout in the store.
            durability: What the store promises.
            mode: How the store is run.
            codes: The wires spoken here, by name, each with the error codes it can tell.
            sends: The command that carries a message on each of them, where it is not ``Send``.
            lanes: The lanes to the store.
            routes: The HTTP routes, as templates; others are ``other``.
        """
        self._codes = {dialect: tuple(told) for dialect, told in (codes or {}).items()}
        self._sends = {dialect: COMMANDS[(sends or {}).get(dialect, Send)] for dialect in self._codes}
        self.hot = {dialect: HotCounts() for dialect in self._codes}
        self.build_info = Gauge(
            "exchange_build_info",
            "What runs here.",
            ("version", "keyspace", "durability", "mode"),
            [(version, keyspace, durability, mode)],
        )
        self.build_info.set(1, version, keyspace, durability, mode)
        self._connections()
        self._frames_and_commands()
        self._messages()
        self._mail()
        self._pairs()
        self._redis(tuple(lanes))
        self._node((*routes, OTHER))
        self.registry = CollectorRegistry()
        for instrument in self.instruments():
            self.registry.register(instrument)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def instruments(self) -> tuple[Instrument, ...]:
        """Return all metrics, in the order in which they are scraped."""
        return tuple(value for value in vars(self).values() if isinstance(value, Instrument))

    def exposition(self, accept: str) -> tuple[str, bytes]:
        """Return content type and body for a scrape: OpenMetrics if ``accept``, the request's header, asks for it."""
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):
            # The library fails on versions that are no numbers.
            encode, content_type = choose_encoder("")
        return content_type, encode(self.registry)

    # --- what is counted in several places at once

    def handled(self, command: Command[object], error: ExchangeError | None, seconds: float) -> None:
        """Count a command that was handled. Not for those that carry messages: ``HotCounts`` say it all (OPS-24)."""
        name = COMMANDS[type(command)]
        outcome = "ok" if error is None else "error" if _ours(error) else "refused"
        self.commands.inc(name, outcome)
        self.command_seconds.observe(seconds, name)

    def watch_lane(self, name: str, lane: Lane) -> None:
        """Read everything about a lane from ``lane`` from now on. ``last_probe`` is on the monotonic clock."""
        counters = lane.counters
        self.redis_up.watch(lambda: lane.up, name)
        self.redis_inflight.watch(lambda: lane.inflight, name)
        self.redis_unknown.watch(lambda: counters.unknown, name)
        self.channels.watch(lambda: lane.channels, name)
        self.probe_success.watch(lambda: _since_epoch(lane.last_probe), name)
        for reason in REBUILDS:
            self.lane_rebuilds.watch(partial(_count, counters.rebuilds, reason, REBUILDS), name, reason)
        for kind in REDIS_ERRORS:
            self.redis_errors.watch(partial(_count, counters.errors, kind, REDIS_ERRORS), name, kind)
        # A time-out and a lost connection are no error replies: they end the connection.
        self.redis_errors.watch(lambda: counters.rebuilds.get("timeout", 0), name, "timeout")
        self.redis_errors.watch(lambda: counters.rebuilds.get("lost", 0), name, "connection")

    # --- the metrics

    def _connections(self) -> None:
        dialects = tuple(self._codes)
        each = [(dialect,) for dialect in dialects]
        closed = list(product(dialects, CLOSED))
        self.connections = Gauge("exchange_connections", "Open connections.", ("dialect",), each)
        self.connections_limit = Gauge("exchange_connections_limit", "Connections this node accepts.")
        self.connections_opened = Counter(
            "exchange_connections_opened_total",
            "Upgrades by outcome.",
            ("dialect", "result"),
            product(dialects, OPENED),
        )
        self.sessions = Gauge("exchange_sessions", "Identified sessions.", ("dialect",), each)
        self.users = Gauge("exchange_users", "Users with a session on this node.")
        self.closes = Counter(
            "exchange_closes_total", "Closed connections by our reason.", ("dialect", "reason"), closed
        )
        self.aborts = Counter(
            "exchange_aborts_total",
            "Connections that ended without a close frame of ours, by reason.",
            ("dialect", "reason"),
            closed,
        )
        self.session_seconds = Histogram(
            "exchange_session_seconds", "Length of ended sessions.", D_SECONDS, ("dialect",), each
        )

    def _frames_and_commands(self) -> None:
        dialects = tuple(self._codes)
        self.frames = Counter(
            "exchange_frames_total",
            "Messages on WebSockets.",
            ("dialect", "direction"),
            product(dialects, ("in", "out")),
        )
        self.frames_refused = Counter(
            "exchange_frames_refused_total",
            "Messages refused before they became a command.",
            ("dialect", "reason"),
            product(dialects, REFUSED_FRAMES),
        )
        self.commands = Counter(
            "exchange_commands_total",
            "Commands by outcome.",
            ("command", "outcome"),
            product(COMMANDS.values(), ("ok", "refused", "error")),
        )
        self.command_seconds = Histogram(
            "exchange_command_seconds",
            "Time from a command to its reply; of send, samples.",
            A_SECONDS,
            ("command",),
            [(name,) for name in COMMANDS.values()],
        )
        self.errors = Counter(
            "exchange_errors_total",
            "Errors told to clients.",
            ("dialect", "code"),
            [(dialect, code) for dialect, codes in self._codes.items() for code in codes],
        )
        self.invites = Counter(
            "exchange_invites_total", "Events of invitations.", ("event",), [(event,) for event in INVITES]
        )
        self.rate_limited = Counter("exchange_rate_limited_total", "Limits that bit.", ("scope", "action"), LIMITS)
        for dialect, hot in self.hot.items():
            self.frames.watch(partial(getattr, hot, "frames_in"), dialect, "in")
            self.frames.watch(partial(getattr, hot, "frames_out"), dialect, "out")
        self.auth_failures = Counter(
            "exchange_auth_failures_total", "Proofs that were refused.", ("kind",), [(kind,) for kind in PROOFS]
        )
        for send in set(self._sends.values()):
            hots = [self.hot[dialect] for dialect, one in self._sends.items() if one == send]
            self.commands.watch(partial(_total, hots, *ACCEPTED, *STORED, "duplicate"), send, "ok")
            self.commands.watch(partial(_total, hots, *MISSED), send, "refused")
            self.commands.watch(partial(_total, hots, "unavailable", "error"), send, "error")

    def _messages(self) -> None:
        self.envelopes = Counter(
            "exchange_envelopes_total",
            "What became of each message at its sender's node; refusals by no mailbox count as live.",
            ("dialect", "tier", "outcome"),
            [
                *product(self._codes, ("live",), [sent for sent in SENT if sent != "duplicate"]),
                *product(self._codes, ("stored",), SENT_STORED),
            ],
        )
        self.live_refused = Counter(
            "exchange_live_refused_total",
            "Live messages that reached a node but no socket.",
            ("reason",),
            [(reason,) for reason in LIVE_REFUSED],
        )
        self.wakes = Counter("exchange_wakes_total", "Wakes read.", ("kind",), [(kind,) for kind in WAKES])
        self.wakes_missed = Counter("exchange_wakes_missed_total", "Wakes that did not fit the table they change.")
        self.unknown_versions = Counter(
            "exchange_unknown_versions_total",
            "Records of a newer release that were ignored.",
            ("what",),
            [("wake",), ("record",)],
        )
        for dialect, hot in self.hot.items():
            self.envelopes.watch(partial(_total, (hot,), *ACCEPTED), dialect, "live", "accepted")
            self.envelopes.watch(partial(_total, (hot,), *STORED), dialect, "stored", "accepted")
            for outcome in SENT_STORED[1:]:
                self.envelopes.watch(partial(getattr, hot, outcome), dialect, "stored", outcome)
            for outcome in SENT[1:]:
                if outcome not in SENT_STORED:
                    self.envelopes.watch(partial(getattr, hot, outcome), dialect, "live", outcome)
        every = self.hot.values()
        for reason in LIVE_REFUSED:
            self.live_refused.watch(partial(_total, every, f"live_{reason}"), reason)
        for kind in WAKES:
            self.wakes.watch(partial(_total, every, f"wakes_{kind}"), kind)

    def _mail(self) -> None:
        self.deliveries = Counter(
            "exchange_deliveries_total",
            "Mail given to clients here: what came while they were here, and what had waited for them.",
            ("attempt",),
            [("first",), ("repeat",)],
        )
        self.acked = Counter("exchange_acked_total", "Mail that clients here acknowledged.")
        self.pull_sessions = Gauge(
            "exchange_pull_sessions", "Clients that are given mail only as they make room for it."
        )
        self.reconciled = Counter(
            "exchange_reconcile_found_total",
            "What the safety net found that no wake had said; expected to be nothing.",
            ("what",),
            [(what,) for what in RECONCILED],
        )
        self.rollbacks = Counter("exchange_rollbacks_total", "Mailboxes of clients here that lost their newest mail.")
        every = self.hot.values()
        self.deliveries.watch(partial(_total, every, "mail_given"), "first")
        self.deliveries.watch(partial(_total, every, "mail_given_again"), "repeat")
        self.acked.watch(partial(_total, every, "mail_acked"))
        self.rollbacks.watch(partial(_total, every, "rollbacks"))
        for what in RECONCILED:
            self.reconciled.watch(partial(_total, every, f"reconciled_{what}"), what)

    def _pairs(self) -> None:
        self.pairs = Gauge("exchange_pairs", "Pairs with a connection on this node; with both, where the phone is.")
        self.busy_ends = Gauge("exchange_busy_ends", "Connections of pairs here whose peer is told that they are full.")
        self.relayed_bytes = Counter("exchange_relayed_bytes_total", "Bytes passed on between the ends of pairs.")
        self.relayed_bytes.watch(partial(_total, self.hot.values(), "passed_bytes"))

    def _redis(self, lanes: tuple[str, ...]) -> None:
        each = [(lane,) for lane in lanes]
        self.redis_up = Gauge("exchange_redis_up", "1 if the lane to the store is usable.", ("lane",), each)
        self.redis_inflight = Gauge("exchange_redis_inflight", "Commands without a reply.", ("lane",), each)
        self.redis_errors = Counter(
            "exchange_redis_errors_total", "Errors of the store.", ("lane", "kind"), product(lanes, REDIS_ERRORS)
        )
        self.wait_seconds = Histogram(
            "exchange_wait_seconds", "How long replicas took to confirm what was accepted.", B_SECONDS
        )
        self.waiting = Gauge("exchange_waiting", "Messages that replicas still have to confirm.")
        self.redis_unknown = Counter(
            "exchange_redis_unknown_total", "Commands whose outcome stayed unknown.", ("lane",), each
        )
        self.probe_success = Gauge(
            "exchange_probe_success_timestamp_seconds",
            "When a probe last arrived and was counted; 0 for never.",
            ("lane",),
            each,
        )
        self.lane_rebuilds = Counter(
            "exchange_lane_rebuilds_total", "Rebuilt connections.", ("lane", "reason"), product(lanes, REBUILDS)
        )
        self.channels = Gauge("exchange_channels", "Subscribed channels.", ("lane",), each)
        self.live_gaps = Counter(
            "exchange_live_gaps_total", "Times that live messages may have been lost in a gap.", ("lane",), each
        )

    def _node(self, routes: tuple[str, ...]) -> None:
        self.lease_renewal = Gauge(
            "exchange_lease_renewal_timestamp_seconds", "When the lease was last renewed; 0 for never."
        )
        self.fenced = Counter("exchange_fenced_total", "Times this node was declared dead and lived.")
        self.nodes = Gauge("exchange_nodes", "Nodes as this one sees them.", ("state",), [(state,) for state in NODES])
        self.draining = Gauge("exchange_draining", "1 while this node lets its connections go.")
        self.drain_remaining = Gauge(
            "exchange_drain_remaining", "Connections that a node in a drain still has to let go."
        )
        self.loop_lag = Histogram("exchange_loop_lag_seconds", "How late the event loop is.", A_SECONDS)
        self.write_buffer = Gauge(
            "exchange_write_buffer_bytes",
            "Output that the kernel has not taken yet, of all connections and of the worst.",
            ("stat",),
            [("sum",), ("max",)],
        )
        self.untrusted_forwarded = Counter(
            "exchange_untrusted_forwarded_total", "Forwarded headers from addresses that are no trusted proxies."
        )
        self.http_requests = Counter(
            "exchange_http_requests_total",
            "HTTP requests by route and class of status.",
            ("route", "class"),
            product(routes, ("2xx", "3xx", "4xx", "5xx")),
        )


def _ours(error: ExchangeError) -> bool:
    return isinstance(error, Unavailable) or type(error) is ExchangeError


def _total(counts: Iterable[HotCounts], *names: str) -> int:
    return sum(getattr(hot, name) for hot in counts for name in names)


def _count(counts: Mapping[str, int], name: str, names: tuple[str, ...]) -> int:
    """Return the count of ``name``, of ``other`` that of all that have no series. Case does not matter."""
    if name != OTHER:
        return sum(count for key, count in counts.items() if key.lower() == name)
    return sum(count for key, count in counts.items() if key.lower() not in names)


def _since_epoch(monotonic: float) -> float:
    """Return a moment of the monotonic clock, which event loops use too, as seconds since the epoch."""
    return time.time() - (time.monotonic() - monotonic) if monotonic else 0.0
