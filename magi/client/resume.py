"""When to connect, where to, and whether at all: the table of CLI-4.

A :class:`Course` is told what happened and says what to do next. It has no clock and no chance of its own: ``now`` is in
seconds of any clock that never goes back, and ``random`` is passed in. The one who owns it does the waiting::

    while True:
        address, delay_seconds = course.next_attempt(now())
        ...  # wait, then open a line
        course.opened(now())  # if that worked
        verdict = course.ended(what, now())  # when the line ended, or why it did not come about
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final

from magi.client.errors import MagiError, NameTaken, NotConnected, RateLimited, Refused, TokenRefused, Unavailable
from magi.wire.codes import CloseCode

ABNORMAL: Final = 1006
"""Not on any wire: the connection broke without a close frame (RFC 6455 section 7.1.5)."""

FIRST_SECONDS: Final = 0.5
MOST_SECONDS: Final = 30.0
LIVED_SECONDS: Final = 60.0
"""A connection that lived this long was a good one: delays begin anew."""
SKIP_SECONDS: Final = 600.0
DISPLACED_RETRY_SECONDS: Final = 30.0
DISPLACED_AGAIN_SECONDS: Final = 300.0
HELD_SECONDS: Final = 60.0
"""How long the exchange may believe that we still hold our name over a connection that is dead (CLI-6)."""
RETRY_AFTER_MOST_SECONDS: Final = 3600.0
"""Nobody is believed who wants us away for longer."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a line ended. ``code`` is what the exchange said, 1006 if it said nothing; ``asked`` if we closed it ourselves."""

    code: int
    reason: str = ""
    retry_after_seconds: float = 0.0
    asked: bool = False


class Verdict(Enum):
    """What to do after an end."""

    COME_BACK = "come_back"
    DISPLACED = "displaced"
    """Somebody else uses this identity, and takes it back each time we do: coming back would throw them out."""
    GIVE_UP = "give_up"
    """Trying again changes nothing now. Who stays all the same may still ask for the next attempt."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows from one kind of end, but for 1000 and taken names.

    ``least_seconds`` is how long to wait at least, ``skip_seconds`` how long not to try this address.
    """

    verdict: Verdict = Verdict.COME_BACK
    least_seconds: float = 0.0
    skip_seconds: float = 0.0


ELSEWHERE: Final = Rule()
LATER: Final = Rule(least_seconds=1.0)
NOT_HERE: Final = Rule(skip_seconds=SKIP_SECONDS)
NEVER: Final = Rule(Verdict.GIVE_UP)

CLOSED: Final[dict[int, Rule]] = {
    CloseCode.GOING_AWAY: ELSEWHERE,
    ABNORMAL: ELSEWHERE,
    CloseCode.TOO_BIG: ELSEWHERE,  # the message that caused it has failed (``Line.request``)
    1011: ELSEWHERE,
    1012: ELSEWHERE,
    CloseCode.TRY_AGAIN_LATER: LATER,
    CloseCode.INACTIVITY: ELSEWHERE,  # whether anybody needs the line is its owner's to say
}
"""By close code (MAGI-7); unknown ones mean ``ELSEWHERE``."""

STATUSES: Final[dict[int, Rule]] = {401: NOT_HERE, 403: NOT_HERE, 404: NOT_HERE, 429: LATER, 503: LATER}
"""By HTTP status; others, and 0 for a network error, mean ``ELSEWHERE``."""

REFUSED: Final[dict[type[MagiError], Rule]] = {
    MagiError: ELSEWHERE,
    Unavailable: LATER,
    RateLimited: LATER,
    Refused: NEVER,
    TokenRefused: NEVER,
}
"""By error of ``Line.open``, looked up along its ancestors."""


class Course:
    """The way back of one client. Not for several lines at once."""

    def __init__(self, addresses: Sequence[str], *, random: Random) -> None:
        """``addresses`` are tried in turn, from a random one on. There is at least one."""
        self._addresses = tuple(addresses)
        self._random = random
        self._place = random.randrange(len(self._addresses))
        self._address = self._addresses[self._place]
        self._failures = 0
        self._least_seconds = 0.0
        self._due: float | None = float("-inf")  # nobody has to make room for the very first attempt
        self._rests: dict[str, float] = {}  # address -> not before
        self._shut: dict[str, float] = {}  # the same, of those only that refused us
        self._opened_at: float | None = None
        self._held_until: float | None = None
        self._displaced_at: float | None = None

    def next_attempt(self, now: float) -> tuple[str, float]:
        """Return the address to try, and the seconds to wait before.

        The wait is uniform in 0 .. min(30, 0.5 * 2^n) s, n attempts after the last good connection, on top of what the
        exchange asked for. A planned moment (after :meth:`draining`, or a first displacement) is kept exactly.
        """
        if self._due is None:
            least_seconds, jitter_seconds = self._least_seconds, self._random.uniform(0.0, bound(self._failures))
            self._failures += 1
        else:
            least_seconds, jitter_seconds = max(0.0, self._due - now), 0.0
        self._due, self._least_seconds = None, 0.0
        self._address = self._choose(now + least_seconds + jitter_seconds)
        rest_seconds = self._rests.get(self._address, now) - now
        return self._address, max(least_seconds, rest_seconds) + jitter_seconds

    def opened(self, now: float) -> None:
        """Say that the attempt led to a line: connected and identified."""
        self._opened_at = now

    def draining(self, after_ms: int, until_ms: int, now: float) -> float:
        """Take note that the node goes away; return the seconds until this client should leave it.

        They are a random moment of the announced window. The next attempt is then due, at another address if there is one.
        """
        after_seconds = max(0, after_ms) / 1000
        seconds = self._random.uniform(after_seconds, max(after_seconds, until_ms / 1000))
        self._due = now + seconds
        return seconds

    def ended(self, what: Ended | MagiError, now: float) -> Verdict:
        """Say how the line ended, or why it did not come about; return what to do."""
        if self._opened_at is not None:
            if now - self._opened_at >= LIVED_SECONDS:
                self._failures = 0
            self._held_until, self._opened_at = now, None
        if isinstance(what, Ended) and what.asked:
            return Verdict.COME_BACK
        self._due = None
        if isinstance(what, Ended) and what.code == CloseCode.NORMAL:
            return self._displaced(now)
        if isinstance(what, NameTaken):
            held = self._held_until is not None and now - self._held_until < HELD_SECONDS
            return Verdict.COME_BACK if held else Verdict.GIVE_UP
        rule, retry_after_seconds = _rule_of(what)
        self._least_seconds = rule.least_seconds
        rest_seconds = max(rule.skip_seconds, min(retry_after_seconds, RETRY_AFTER_MOST_SECONDS))
        if rest_seconds > 0:
            self._rests[self._address] = now + rest_seconds
        return self._without_address(now) if rule.skip_seconds else rule.verdict

    def _choose(self, then: float) -> str:
        """Return the next address that rests no more by then; if all do, the one whose rest ends first."""
        count = len(self._addresses)
        ring = [(self._place + step) % count for step in range(count)]
        free = next((place for place in ring if self._rest(place) <= then), None)
        place = min(ring, key=self._rest) if free is None else free
        self._place = (place + 1) % count
        return self._addresses[place]

    def _rest(self, place: int) -> float:
        return self._rests.get(self._addresses[place], float("-inf"))

    def _displaced(self, now: float) -> Verdict:
        before, self._displaced_at = self._displaced_at, now
        if before is not None and now - before < DISPLACED_AGAIN_SECONDS:
            return Verdict.DISPLACED
        self._due = now + DISPLACED_RETRY_SECONDS
        return Verdict.COME_BACK

    def _without_address(self, now: float) -> Verdict:
        """The address has shut us out: is any other left?"""
        self._shut[self._address] = now + SKIP_SECONDS
        left = any(self._shut.get(one, now) <= now for one in self._addresses)
        return Verdict.COME_BACK if left else Verdict.GIVE_UP


def bound(failures: int) -> float:
    """Return how long the next attempt may have to wait, in seconds, after so many that led to no good connection."""
    return min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures, 16))


def _rule_of(what: Ended | MagiError) -> tuple[Rule, float]:
    """Return the rule for an end, and how long the exchange wants to be left alone."""
    if isinstance(what, Ended):
        return CLOSED.get(what.code, ELSEWHERE), what.retry_after_seconds
    if isinstance(what, NotConnected):
        return STATUSES.get(what.status, ELSEWHERE), what.retry_after_seconds
    rule = next(REFUSED[kind] for kind in type(what).__mro__ if kind in REFUSED)
    retry_after_ms = what.retry_after_ms if isinstance(what, Refused | Unavailable) else 0
    return rule, retry_after_ms / 1000
