"""Turns what happens on this node into counts and log lines."""

from typing import Any

from exchange.core.commands import Command, PassOn, Send
from exchange.core.errors import (
    AskLimit,
    DailyQuotaExceeded,
    ExchangeError,
    Limited,
    Malformed,
    MonthlyQuotaExceeded,
    NotIdentified,
    PairingUnusable,
    PairUnknown,
    RateExceeded,
    RoleUnknown,
    TokenInvalid,
    TooLarge,
    TooManyAttempts,
    TooManyInvites,
    Unparsed,
)
from exchange.core.model import Kind
from exchange.core.session import Session
from exchange.front import Dialect, Ending
from exchange.hotcounts import HotCounts
from exchange.logs import Journal
from exchange.metrics import Metrics

FRAMES_REFUSED: dict[type[ExchangeError], str] = {
    TooLarge: "size",
    Unparsed: "json",
    Malformed: "schema",
    NotIdentified: "state",
    Limited: "rate",
}
"""Why a message did not become an effect, by class of refusal; others are answers about the exchange's state."""

LIMITS: dict[type[ExchangeError], tuple[str, str]] = {
    AskLimit: ("user", "ask"),
    TooManyAttempts: ("address", "redeem"),
    TooManyInvites: ("user", "invite"),
    RateExceeded: ("pair", "rate"),
    DailyQuotaExceeded: ("pair", "day"),
    MonthlyQuotaExceeded: ("pair", "month"),
}

PROOFS: dict[type[ExchangeError], str] = {
    TokenInvalid: "resume",
    PairingUnusable: "pairing",
    PairUnknown: "pairing",
    RoleUnknown: "pairing",
}
"""What was not proved, by class of refusal."""
_QUESTION = int(Kind.QUESTION)


class NodeWitness:
    """Implements ``front.Witness``, and hears of refusals and closed connections."""

    def __init__(self, dialect: Dialect, counts: HotCounts, metrics: Metrics, journal: Journal) -> None:
        self._dialect = dialect
        self._counts = counts
        self._metrics = metrics
        self._note = journal.forwarded

    def forwarded(self, kind: int, sender: str, recipient: str, characters: int, *, stored: bool = False) -> None:
        if stored:
            if kind == _QUESTION:
                self._counts.stored_asks += 1
            else:
                self._counts.stored_answers += 1
        elif kind == _QUESTION:
            self._counts.asks_accepted += 1
        else:
            self._counts.answers_accepted += 1
        self._note(kind, sender, recipient, characters)

    def handled(self, command: Command[object], error: ExchangeError | None, seconds: float) -> None:
        if not isinstance(command, Send | PassOn):
            self._metrics.handled(command, error, seconds)

    def repeated(self) -> None:
        self._counts.duplicate += 1

    def invite(self, event: str) -> None:
        self._metrics.invites.inc(event)

    def refused(self, session: Session, command: Command[Any] | None, error: ExchangeError) -> None:
        """Count a refusal."""
        metrics, dialect = self._metrics, session.dialect
        metrics.errors.inc(dialect, self._dialect.code(error))
        if isinstance(command, Send | PassOn):
            self._counts.refused(error)
        for kind in type(error).__mro__:
            if kind in FRAMES_REFUSED:
                metrics.frames_refused.inc(dialect, FRAMES_REFUSED[kind])
                break
        if type(error) in LIMITS:
            metrics.rate_limited.inc(*LIMITS[type(error)])
        if type(error) in PROOFS:
            metrics.auth_failures.inc(PROOFS[type(error)])

    def closed(self, dialect: str, ending: Ending, seconds: float) -> None:
        """Count a connection that ended."""
        metrics = self._metrics
        metrics.closes.inc(dialect, ending.value)
        if ending in ABORTED:
            metrics.aborts.inc(dialect, ending.value)
        metrics.session_seconds.observe(seconds, dialect)


ABORTED = frozenset({Ending.LIVENESS, Ending.SLOW_CONSUMER, Ending.FLOOD})
"""Endings without a close frame."""
