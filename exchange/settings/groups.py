"""Every setting: one frozen group a subject, the unit in every name, bounds and a description on every field (OPS-1).

A setting stands here only if it has an effect. Times are seconds unless the name says otherwise.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from exchange.settings.group import Group
from exchange.settings.kinds import REVEAL, Count, Key, Networks, Port, RedisUrl, Texts, WebUrl
from exchange.settings.relay import Relay
from exchange.storage.redis.durability import Level
from exchange.storage.redis.endpoint import Endpoint


def data_home() -> Path:
    """``$XDG_DATA_HOME/magi-exchange``, else ``~/.local/share/magi-exchange``"""
    home = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    return (Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "share") / "magi-exchange"


class Listen(Group):
    """The port that clients use."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 or :: for all.")
    port: Port = Field(
        default=8082, description="Port for WebSockets and pages, shared by all nodes; 0 picks a free one."
    )
    trusted_proxies: Networks = Field(
        default=(), description="Networks whose X-Forwarded-For is believed, with commas."
    )
    public_url: WebUrl = Field(
        default="", description="Where people reach the exchange if it stands behind a proxy, as https://host."
    )
    origins: Texts = Field(
        default=(), description="Origins that browsers may connect from, with commas; empty allows all."
    )


class Ops(Group):
    """The port for metrics and probes."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: Port = Field(default=9082, description="Port of node 0; node i has this plus i. 0 picks free ones.")


class Redis(Group):
    """The store that nodes share."""

    url: RedisUrl = Field(
        default=SecretStr(""), description="redis://, rediss:// or unix:// address; empty starts the embedded Valkey."
    )
    prefix: str = Field(
        default="magi", pattern=r"^[a-z0-9_.-]{1,32}$", description="First part of every key and channel."
    )
    command_timeout_seconds: float = Field(default=1.0, ge=0.1, le=30, description="How long a command may take.")
    connect_timeout_seconds: float = Field(
        default=1.0, ge=0.1, le=30, description="How long a connection attempt may take."
    )
    probe_seconds: float = Field(
        default=5.0, ge=0.5, le=60, description="How often the wakes of a node are proven to arrive."
    )

    @property
    def shown(self) -> str:
        """The address without user and password, fit to be printed; empty for the embedded Valkey."""
        url = self.url.get_secret_value()
        return str(Endpoint.parse(url)) if url else ""


class Store(Group):
    """What the store promises, and what is kept on disk."""

    durability: Level = Field(
        default="local", description="What accepted means, from weak to strong; the server must be set up for it."
    )
    wait_replicas_count: int = Field(
        default=1, ge=1, le=16, description="Replicas that must have what is accepted, at level replicated."
    )
    wait_ms: int = Field(default=150, ge=10, le=10_000, description="How long they are waited for.")
    data_dir: Path = Field(default_factory=data_home, description="Directory of the embedded Valkey.")
    dedupe_seconds: float = Field(
        default=86_400.0, ge=600, le=604_800, description="How long a stored message is recognised when it is repeated."
    )
    inline_bytes: int = Field(
        default=16 << 10, ge=0, le=1 << 20, description="A larger message is not sent along when its reader is woken."
    )


class Mailbox(Group):
    """What is stored for one user until it is acknowledged (DEL-41)."""

    envelopes_count: Count = Field(default=10_000, description="Messages that may wait.")
    bytes: int = Field(default=64 << 20, ge=1 << 20, le=1 << 30, description="Bytes that may wait.")
    ttl_seconds: float = Field(default=604_800.0, ge=1, le=31_536_000, description="How long a message waits.")
    share_percent: int = Field(default=50, ge=1, le=100, description="Share of it that one sender may fill.")
    attempts_count: int = Field(
        default=20, ge=1, le=1000, description="Deliveries without an acknowledgement before a message is parked."
    )
    parked_seconds: float = Field(
        default=604_800.0, ge=1, le=31_536_000, description="How long a parked message is kept."
    )


class History(Group):
    """What was said in friendships whose two ends want it kept (MAGI-49)."""

    retention_seconds: float = Field(
        default=0.0,
        ge=0,
        le=315_360_000,
        description="How long it is kept; 0 keeps none and offers the feature to nobody.",
    )


class Live(Group):
    """Questions and answers on their way."""

    deadline_ms: int = Field(
        default=4000, ge=100, le=60_000, description="When a message that got nowhere is given up."
    )
    reply_deadline_ms: int = Field(
        default=7500, ge=100, le=60_000, description="When its sender is told at the latest (MAGI-10)."
    )


class Session(Group):
    """One connection of a client. 0 turns a rule off where 0 is allowed."""

    ping_seconds: float = Field(default=20.0, ge=0, le=3600, description="How often a client is pinged.")
    silence_seconds: float = Field(
        default=30.0, ge=0, le=7200, description="Without a sign of life for so long it is gone."
    )
    idle_seconds: float = Field(
        default=1800.0, ge=0, le=604_800, description="Without messages for so long it is closed (MAGI-33)."
    )
    stall_seconds: float = Field(
        default=30.0, ge=1, le=600, description="When it reads nothing for so long it is aborted."
    )
    grace_seconds: float = Field(
        default=5.0, ge=0, le=60, description="How long name and friends wait for a reconnect (MAGI-32)."
    )
    buffer_bytes: int = Field(
        default=4 << 20, ge=64 << 10, le=256 << 20, description="Unread output above this aborts it."
    )
    message_bytes: int = Field(
        default=1 << 20, ge=1 << 10, le=8 << 20, description="Size limit of one message (MAGI-4)."
    )
    window_count: int = Field(
        default=64, ge=1, le=10_000, description="Mail that a client is given before it acknowledges some."
    )
    window_bytes: int = Field(default=1 << 20, ge=1 << 10, le=256 << 20, description="Bytes of that mail.")
    high_bytes: int = Field(
        default=256 << 10,
        ge=1 << 10,
        le=256 << 20,
        description="With more unread output a client is given no more mail.",
    )
    low_bytes: int = Field(default=64 << 10, ge=0, le=256 << 20, description="With so little it is given mail again.")
    flap_seconds: float = Field(
        default=10.0,
        ge=0,
        le=300,
        description="How long friends do not hear that a persistent friend is gone (DEL-30).",
    )
    resume_seconds: float = Field(
        default=2_592_000.0,
        ge=60,
        le=315_360_000,
        description="How long a name is kept for the holder of its token if nothing else is.",
    )
    reconcile_seconds: float = Field(
        default=37.0, ge=1, le=3600, description="How often what a node knows is compared with the store (DEL-35)."
    )


class Lease(Group):
    """How nodes know that each other live."""

    ttl_seconds: float = Field(
        default=10.0, ge=1, le=120, description="How long a node counts as alive without a renewal."
    )
    renew_seconds: float = Field(default=3.0, ge=0.1, le=60, description="How often a node renews its lease.")
    reap_seconds: float = Field(default=2.0, ge=0.1, le=60, description="How often the worker looks for dead nodes.")
    store_up_seconds: float = Field(
        default=12.0, ge=0, le=600, description="How long the store is up before a node is called dead."
    )


class Drain(Group):
    """How a node ends (DEL-48). With no other node in service there is no notice and little pacing."""

    notice_seconds: float = Field(
        default=5.0, ge=0, le=300, description="Not ready, but everything is served as ever: balancers take notice."
    )
    window_seconds: float = Field(default=25.0, ge=0, le=3600, description="Connections are closed over this time.")
    flush_seconds: float = Field(
        default=5.0, ge=0, le=300, description="For what is left then: last replies, farewells, HTTP requests."
    )
    total_seconds: float = Field(default=40.0, ge=1, le=4200, description="After this time the process ends anyhow.")


class Limits(Group):
    """Allowances."""

    asks_per_minute_count: int = Field(
        default=10, ge=0, le=1_000_000, description="Questions per user and minute; 0 is no limit."
    )
    asks_burst_count: Count = Field(default=10, description="Questions a user may ask at once.")
    redeem_failures_connection_count: Count = Field(
        default=10, description="Wrong codes per connection and minute (MAGI-30)."
    )
    redeem_failures_address_count: Count = Field(
        default=30, description="Wrong codes per address and minute (MAGI-30)."
    )
    open_invites_count: Count = Field(default=20, description="Open invitations per user.")
    connections_count: Count = Field(default=10_000, description="Connections per node.")
    pending_frames_count: int = Field(
        default=32, ge=1, le=10_000, description="Requests a connection may have waiting."
    )
    pending_bytes: int = Field(
        default=2 << 20, ge=64 << 10, le=256 << 20, description="Bytes of the requests that wait."
    )


class Invites(Group):
    """Invitation codes."""

    ttl_seconds: float = Field(default=1800.0, ge=1, le=604_800, description="How long a code is good (MAGI-29).")
    code_length_count: int = Field(default=6, ge=6, le=16, description="Characters of a code.")


class Secrets(Group):
    """Keys."""

    index_key: Key = Field(
        default=SecretStr(""),
        description="Key of the hashes in the store, 16 characters or more; empty keeps one in the store.",
    )


class Log(Group):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is logged."
    )
    format: Literal["text", "json"] = Field(
        default="text", description="For people, or one JSON object a line (MAGI-42)."
    )
    forwarded_per_second_count: Count = Field(
        default=100, description="Log lines per second of one node that admins can read."
    )


class Worker(Group):
    """Background jobs."""

    embedded: bool | None = Field(
        default=None, description="Run a worker beside the nodes; unset: with the embedded Valkey only."
    )
    expire_seconds: float = Field(default=30.0, ge=0.1, le=3600, description="How often old mail is looked for.")
    metrics_port: Port = Field(default=9081, description="Port of the worker's metrics; 0 picks a free one.")
    metrics_host: str = Field(default="", description="Address it listens on; empty: EXCHANGE_OPS__HOST.")


class Nodes(Group):
    """Processes."""

    count: int = Field(default=1, ge=1, le=64, description="Node processes that share the port.")


class Settings(Group):
    """Everything that can be set. Made once, by :func:`exchange.settings.load`, and read by composition roots only."""

    listen: Listen = Listen()
    ops: Ops = Ops()
    redis: Redis = Redis()
    store: Store = Field(default_factory=Store)
    mailbox: Mailbox = Mailbox()
    history: History = History()
    live: Live = Live()
    session: Session = Session()
    lease: Lease = Lease()
    drain: Drain = Drain()
    limits: Limits = Limits()
    invites: Invites = Invites()
    relay: Relay = Relay()
    secrets: Secrets = Secrets()
    log: Log = Log()
    worker: Worker = Worker()
    nodes: Nodes = Nodes()

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.lease.renew_seconds * 2 > self.lease.ttl_seconds:
            raise ValueError("EXCHANGE_LEASE__TTL_SECONDS should be at least twice EXCHANGE_LEASE__RENEW_SECONDS")
        if 0 < self.session.silence_seconds < self.session.ping_seconds + 1:
            raise ValueError(
                "EXCHANGE_SESSION__SILENCE_SECONDS should be longer than EXCHANGE_SESSION__PING_SECONDS by a second or more"
            )
        if self.live.reply_deadline_ms < self.live.deadline_ms:
            raise ValueError("EXCHANGE_LIVE__REPLY_DEADLINE_MS should not be less than EXCHANGE_LIVE__DEADLINE_MS")
        if self.ops.port and self.ops.port + self.nodes.count - 1 > 65535:
            raise ValueError("EXCHANGE_OPS__PORT leaves no ports for EXCHANGE_NODES__COUNT nodes")
        drain = self.drain
        if drain.notice_seconds + drain.window_seconds + drain.flush_seconds > drain.total_seconds:
            raise ValueError(
                "EXCHANGE_DRAIN__TOTAL_SECONDS should not be less than the notice, window and flush seconds together"
            )
        if self.session.low_bytes > self.session.high_bytes:
            raise ValueError("EXCHANGE_SESSION__LOW_BYTES should not be more than EXCHANGE_SESSION__HIGH_BYTES")
        if self.relay.enabled and self.relay.unproven_seconds < 2 * self.redis.probe_seconds:
            raise ValueError(
                "EXCHANGE_RELAY__UNPROVEN_SECONDS should be at least twice EXCHANGE_REDIS__PROBE_SECONDS, or quiet "
                "connections are closed for nothing"
            )
        if self.store.durability == "replicated" and not self.redis.url.get_secret_value():
            raise ValueError(
                "EXCHANGE_STORE__DURABILITY replicated needs a primary with replicas; the embedded Valkey has none: name "
                "one in EXCHANGE_REDIS__URL or choose synced"
            )
        return self

    @property
    def runs_worker(self) -> bool:
        """Tell whether ``serve`` runs a worker beside its nodes."""
        if self.worker.embedded is None:
            return not self.redis.url.get_secret_value()
        return self.worker.embedded

    @property
    def worker_metrics_host(self) -> str:
        """Where a worker shows its metrics."""
        return self.worker.metrics_host or self.ops.host

    @property
    def relay_place(self) -> tuple[str, int] | None:
        """Host and port of the relay's own listener, if it is on."""
        relay = self.relay
        return (relay.listener_host or self.listen.host, relay.listener_port) if relay.listener else None

    def changed(self, **groups: Mapping[str, object]) -> "Settings":
        """Return a copy with some fields replaced, by group and name; the values are trusted."""
        return self.model_copy(
            update={group: getattr(self, group).model_copy(update=dict(fields)) for group, fields in groups.items()}
        )

    def to_child(self) -> bytes:
        """Return one line that :meth:`from_parent` reads back. It holds the secrets: for a private pipe only."""
        return self.model_dump_json(context={REVEAL: True}).encode() + b"\n"

    @classmethod
    def from_parent(cls, line: bytes) -> Self:
        """Return the settings that a parent process resolved."""
        return cls.model_validate_json(line)
