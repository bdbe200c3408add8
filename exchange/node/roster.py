"""The connections of this node, and what is counted about them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from exchange.core.errors import ExchangeError, TooLarge, Unavailable, Unparsed
from exchange.core.ids import short
from exchange.core.model import Counts, NodeTally, UserGlimpse
from exchange.core.session import Session
from exchange.front import Ending, Teller
from exchange.hotcounts import HotCounts
from exchange.ports import Clock
from exchange.privacy import initial

if TYPE_CHECKING:
    from exchange.node.connection import Connection

log = structlog.get_logger()

Closed = Callable[[str, Ending, float], None]
"""Is told the dialect of a connection that ended, why it did, and how many seconds it was open."""

GLIMPSES_MOST = 1000
"""Users that one node shows on public pages: the newest."""


class Roster:
    """Who is connected here over one wire. Numbers are plain additions; they are read once a second and at a scrape."""

    def __init__(
        self,
        clock: Clock,
        counts: HotCounts,
        closed: Closed,
        changes_count: Callable[[], int] = lambda: 0,
        *,
        public: bool = True,
    ) -> None:
        """Begin empty.

        Args:
            clock: The store's.
            counts: Of this wire.
            closed: Is told of every end.
            changes_count: Grows whenever :meth:`tally` has something new to look at.
            public: Whether :meth:`tally` is asked for. If not, log lines name the wire instead.
        """
        self.counts = counts
        self._public = public
        self._clock = clock
        self._closed = closed
        self._connections: dict[str, Connection] = {}
        self._opened_count = 0
        self._heard_count = 0
        self._last_message = b""
        self._last_ms = 0
        self._last_characters = 0
        self._reported = Counts()
        self._rate_at = clock.steady()
        self._rate_count = 0
        self._last_rate = 0.0
        self._changes_count = changes_count
        self._seen_changes = -1
        self._people = NodeTally()

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> "Iterator[Connection]":
        return iter(list(self._connections.values()))

    def enter(self, connection: "Connection") -> None:
        """Enter an open connection."""
        self._connections[connection.session.client] = connection
        self._opened_count += 1
        session = connection.session
        log.info("connection.opened", client=session.client, address=session.address, wire=self._wire(session))

    def exit(self, connection: "Connection", ending: Ending) -> None:
        """Remove a connection that ended."""
        session = connection.session
        if self._connections.pop(session.client, None) is None:
            return
        seconds = max(0.0, (self._clock.now_ms() - session.since_ms) / 1000)
        self._closed(session.dialect, ending, seconds)
        name = session.user.name if session.user is not None else ""
        log.info(
            "connection.closed",
            client=session.client,
            user=name,
            reason=ending.value,
            open_seconds=round(seconds, 1),
            wire=self._wire(session),
        )

    def _wire(self, session: Session) -> str | None:
        return None if self._public else session.dialect

    def teller(self, session: Session) -> Teller:
        """Return where events for a session go.

        Raises:
            Unavailable: Its connection ended while its request was under way.
        """
        connection = self._connections.get(session.client)
        if connection is None:
            raise Unavailable
        return connection

    # --- counting ----------------------------------------------------------------------------------------------------

    def heard(self, message: bytes) -> None:
        """Count a message that parsed. It is measured later, when somebody looks; only the newest one is kept till then."""
        self.counts.frames_in += 1
        self._heard_count += 1
        if self._public:
            self._last_message = message
            self._last_ms = self._clock.now_ms()

    def misheard(self, message: bytes, error: ExchangeError) -> None:
        """Count a message that was no request of its wire; JSON of another kind counts as heard (MAGI section 3)."""
        if isinstance(error, TooLarge | Unparsed):
            self.counts.frames_in += 1
        else:
            self.heard(message)

    # --- numbers -----------------------------------------------------------------------------------------------------

    def tally(self) -> NodeTally:
        """Return this node's numbers as of now."""
        self._measure()
        changes = self._changes_count()
        if changes != self._seen_changes:
            # Among thousands of idle users this is work worth saving.
            self._seen_changes = changes
            self._people = self._look()
        return replace(
            self._people,
            connections_count=len(self._connections),
            messages_per_second=self._rate(),
            last_message_ms=self._last_ms,
            last_message_characters=self._last_characters,
        )

    def unreported(self) -> Counts:
        """Return what was counted since the last :meth:`reported`."""
        return Counts(self._opened_count - self._reported.connections, self._heard_count - self._reported.messages)

    def reported(self, counted: Counts) -> None:
        """Take note that these counts are in the store's totals now."""
        self._reported.connections += counted.connections
        self._reported.messages += counted.messages

    def _look(self) -> NodeTally:
        sessions = [connection.session for connection in self if connection.session.user is not None]
        newest = sorted(sessions, key=lambda session: session.since_ms, reverse=True)[:GLIMPSES_MOST]
        return NodeTally(
            identified_count=len(sessions),
            link_ends_count=sum(_links_count(session) for session in sessions),
            users=tuple(_glimpse(session) for session in newest),
        )

    def _measure(self) -> None:
        if self._last_message:
            self._last_characters = len(self._last_message.decode(errors="replace"))
            self._last_message = b""  # content is held no longer than it is needed (MAGI-44)

    def _rate(self) -> float:
        now = self._clock.steady()
        seconds = now - self._rate_at
        if seconds < 1.0:
            return self._last_rate
        self._last_rate = round((self._heard_count - self._rate_count) / seconds, 1)
        self._rate_at, self._rate_count = now, self._heard_count
        return self._last_rate


class Crowd:
    """The connections of this node over all wires."""

    def __init__(self, rosters: Mapping[str, Roster]) -> None:
        """``rosters`` are by dialect."""
        self._rosters = rosters

    def __len__(self) -> int:
        return sum(len(roster) for roster in self._rosters.values())

    def __iter__(self) -> "Iterator[Connection]":
        for roster in self._rosters.values():
            yield from roster

    def teller(self, session: Session) -> Teller:
        """Return where events for a session go.

        Raises:
            Unavailable: Its connection ended while its request was under way.
        """
        return self._rosters[session.dialect].teller(session)


def _glimpse(session: Session) -> UserGlimpse:
    user = session.user
    assert user is not None
    return UserGlimpse(short(session.client), initial(user.nick), session.since_ms, _links_count(session) > 0)


def _links_count(session: Session) -> int:
    user = session.user
    return 0 if user is None else sum(1 for link in user.links if not link.waiting)
