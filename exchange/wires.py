"""The wires that a node speaks: one row each, and nothing else in the node knows how many there are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from exchange.core.commands import Command, PassOn, Send
from exchange.dialects.coralmux import CoralMux
from exchange.dialects.magi1 import Magi1
from exchange.front import Dialect, Ending, SocketRules
from exchange.metrics import Metrics
from exchange.settings import Settings
from exchange.storage.redis import keyspace
from exchange.transports.http import ROUTES
from exchange.transports.pairing import PAIRING_ROUTES
from magi import __version__
from magi.wire import limits

MAIN = "main"
RELAY = "relay"
"""The listeners: the port of all wires, and the original port of the relay."""

RELAY_PATH = "/coralmux"
"""Where the relay is on the main port."""


@dataclass(frozen=True, slots=True)
class Row:
    """One wire: its dialect, the paths it owns on each listener, and what it demands of sockets.

    ``rules`` hold until a session has said who it is, ``member_rules`` from then on, if they are set. ``carries`` is the
    command that stands for one message. ``public`` wires are those whose users and numbers the pages show. The list of
    origins does not hold for a wire with ``any_origin``.
    """

    dialect: Dialect
    owns: Mapping[str, Callable[[str], bool]]
    rules: SocketRules
    member_rules: SocketRules | None = None
    carries: type[Command[Any]] = Send
    public: bool = False
    any_origin: bool = False


def wires(settings: Settings, now_ms: Callable[[], int]) -> tuple[Row, ...]:
    """Return the rows of all wires that are switched on; the public one comes first. ``now_ms`` is the store's clock."""
    return (_magi(settings), *((_coralmux(settings, now_ms),) if settings.relay.enabled else ()))


def _magi(settings: Settings) -> Row:
    session, dialect = settings.session, Magi1()
    rules = SocketRules(
        message_bytes=session.message_bytes,
        outer_bytes=limits.OVERSIZE_FACTOR * session.message_bytes,
        ping_seconds=session.ping_seconds,
        silence_seconds=session.silence_seconds,
        stall_seconds=session.stall_seconds,
        idle_seconds=session.idle_seconds,
        idle_close=dialect.closes[Ending.IDLE],
        buffer_bytes=session.buffer_bytes,
    )
    # MAGI-1
    return Row(dialect, {MAIN: lambda path: path == "/" or path.startswith("/bx")}, rules, public=True)


def _coralmux(settings: Settings, now_ms: Callable[[], int]) -> Row:
    relay, dialect = settings.relay, CoralMux(lambda: str(uuid4()), now_ms)
    stranger = SocketRules(
        message_bytes=limits.RELAY_FIRST_BYTES,
        outer_bytes=limits.RELAY_FIRST_BYTES,
        ping_seconds=relay.ping_seconds,
        silence_seconds=relay.silence_seconds,
        stall_seconds=relay.stall_seconds,
        idle_seconds=relay.auth_seconds,
        idle_close=dialect.closes[Ending.IDLE],
    )
    member = SocketRules(
        message_bytes=limits.RELAY_MESSAGE_BYTES,
        outer_bytes=limits.RELAY_OUTER_BYTES,
        ping_seconds=relay.ping_seconds,
        silence_seconds=relay.silence_seconds,
        stall_seconds=relay.stall_seconds,
        idle_seconds=0.0,
        buffer_bytes=relay.queue_bytes,
    )
    # CORAL-1, WIRE-1: on the main port /ws is nobody's.
    owns = {MAIN: lambda path: path == f"{RELAY_PATH}/ws", RELAY: lambda path: path == "/ws"}
    return Row(dialect, owns, stranger, member, carries=PassOn, any_origin=True)


def metrics_of(settings: Settings, rows: Sequence[Row]) -> Metrics:
    """Return the metrics of a node that speaks these wires."""
    lanes = [
        "main",
        *(["commit"] if settings.store.durability == "replicated" else []),
        *(["bulk"] if settings.relay.enabled else []),
    ]
    return Metrics(
        version=__version__,
        keyspace=str(keyspace.VERSION),
        durability=settings.store.durability,
        codes={row.dialect.name: row.dialect.codes for row in rows},
        sends={row.dialect.name: row.carries for row in rows},
        lanes=lanes,
        routes=(*ROUTES, *(PAIRING_ROUTES if settings.relay.enabled else ())),
    )
