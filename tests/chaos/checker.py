"""The verdict on a history: what it breaks, and the numbers that a report shows."""

import math
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from tests.chaos.history import REPEAT, History, Op
from tests.chaos.rules import RULES, Violation
from tests.chaos.view import View

SHOWN_MOST = 5
"""Violations that are printed in full; one cause often breaks thousands of messages."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How a run went. Delays are in seconds: from the first send of a message to its first receive."""

    ok: int = 0
    failed: int = 0
    unknown: int = 0
    lost: int = 0
    phantom: int = 0
    leaked: int = 0
    reordered: int = 0
    duplicate_effects: int = 0
    raw_repeats: int = 0
    received: int = 0
    worst_delay: float = 0.0
    reconnects: int = 0
    reconnect_p99: float = 0.0

    def __add__(self, other: "Counts") -> "Counts":
        worst = {name: max(getattr(self, name), getattr(other, name)) for name in ("worst_delay", "reconnect_p99")}
        sums = {name: value + getattr(other, name) for name, value in asdict(self).items() if name not in worst}
        return Counts(**sums, **worst)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: nothing broken, if it is true."""

    counts: Counts
    violations: tuple[Violation, ...]

    def __bool__(self) -> bool:
        return not self.violations

    def __str__(self) -> str:
        if not self.violations:
            return f"nothing broken: {self.counts}"
        kinds = Counter(f"{one.rule} {one.what}" for one in self.violations)
        head = ", ".join(f"{count} x {kind}" for kind, count in kinds.most_common())
        return "\n".join([head, *(str(one) for one in self.violations[:SHOWN_MOST])])


def check(history: History, *, extra: Iterable[Violation] = ()) -> Verdict:
    """Judge a history that is over. ``extra`` are violations found elsewhere, as in the store (C6)."""
    view = View(history)
    violations = [violation for rule in RULES.values() for violation in rule(view)]
    violations += extra
    return Verdict(_count(view, violations), tuple(violations))


def _count(view: View, violations: Sequence[Violation]) -> Counts:
    kinds = Counter(one.what for one in violations)
    messages = [one for one in view.messages.values() if one.invokes]
    delays = [one.delivered.at - one.invokes[0].at for one in messages if one.delivered is not None]
    waits = reconnects(view)
    return Counts(
        ok=sum(bool(one.oks) for one in messages),
        failed=sum(bool(one.fails) and not one.oks and not one.unknowns for one in messages),
        unknown=sum(not one.oks and not one.refused for one in messages),
        lost=kinds["lost"] + kinds["false receipt"],
        phantom=kinds["phantom"] + kinds["ghost"],
        leaked=kinds["leak"],
        reordered=kinds["reorder"],
        duplicate_effects=kinds["duplicate effect"] + kinds["stored twice"] + kinds["live repeat"],
        raw_repeats=sum(record.op is Op.RECV and record.result == REPEAT for record in view.records),
        received=len(delays),
        worst_delay=round(max(delays, default=0.0), 4),
        reconnects=len(waits),
        reconnect_p99=round(percentile(waits, 0.99), 4),
    )


def reconnects(view: View, clients: Container[str] | None = None) -> list[float]:
    """Return how long some clients, or all, were without a session when they lost one and came back, in seconds."""
    return [
        max(0.0, after.since - before.until)
        for client, stays in view.stays.items()
        if clients is None or client in clients
        for before, after in pairwise(stays)
        if math.isfinite(before.until)
    ]


def percentile(values: Sequence[float], part: float) -> float:
    """Return the smallest value that at least ``part`` of them do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)] if ordered else 0.0
