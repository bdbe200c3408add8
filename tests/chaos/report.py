"""What a chaos run says of itself: JSON for machines, Markdown and a picture for people (OPS-18)."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.machine import commit, describe
from magi import __version__
from tests.chaos.checker import Counts
from tests.chaos.history import Fault
from tests.chaos.plot import Track, svg
from tests.chaos.stage import Outcome
from tests.chaos.view import View
from tests.harness.cluster import ROOT

FAULT_MODEL = "process kill, no power loss"
COLUMNS = {
    "ok": "ok",
    "failed": "failed",
    "unknown": "unknown",
    "lost": "lost",
    "phantom": "phantom",
    "leaked": "leaked",
    "reordered": "reordered",
    "duplicate_effects": "twice",
    "raw_repeats": "repeats",
    "worst_delay": "worst delay s",
    "reconnects": "reconnects",
    "reconnect_p99": "reconnect p99 s",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One scenario of a run."""

    name: str
    size: int
    seed: int
    counts: Counts
    measured: Mapping[str, float]
    broken: tuple[str, ...]
    track: Track


@dataclass(slots=True)
class Report:
    """A run: what was played so far."""

    level: str
    seed: int
    started: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    entries: list[Entry] = field(default_factory=list)

    def add(self, outcome: Outcome, size: int) -> None:
        """Enter a scenario that is over."""
        broken = tuple(f"{one.rule} {one.what}: {one.text}" for one in outcome.verdict.violations)
        self.entries.append(
            Entry(outcome.name, size, outcome.seed, outcome.verdict.counts, outcome.measured, broken, track_of(outcome))
        )

    def document(self) -> dict[str, Any]:
        """Return everything that is kept, but for the picture."""
        return {
            "level": self.level,
            "seed": self.seed,
            "started": self.started.isoformat(timespec="seconds"),
            "fault_model": FAULT_MODEL,
            "exchange": __version__,
            **commit(),
            "machine": describe(),
            "scenarios": {
                entry.name: {
                    "size": entry.size,
                    "seed": entry.seed,
                    **asdict(entry.counts),
                    "measured": dict(entry.measured),
                    "broken": list(entry.broken),
                }
                for entry in self.entries
            },
        }


def track_of(outcome: Outcome) -> Track:
    """Return when each message was sent and how long it took, and the faults, in seconds from the beginning."""
    view = View(outcome.history)
    start = view.records[0].at if view.records else 0.0
    points = sorted(
        (message.invokes[0].at - start, message.delivered.at - message.invokes[0].at)
        for message in view.messages.values()
        if message.invokes and message.delivered is not None
    )
    faults = [Fault(fault.at - start, fault.until - start, fault.what) for fault in view.faults]
    return Track(outcome.name, tuple(points), tuple(faults))


def markdown(document: Mapping[str, Any], picture: str) -> str:
    """Return the page for people."""
    machine = document["machine"]
    rows: list[Sequence[object]] = [("scenario", "size", *COLUMNS.values())]
    for name, entry in document["scenarios"].items():
        rows.append((name, entry["size"], *(_shown(entry[column]) for column in COLUMNS)))
    broken = [f"- {name}: {text}" for name, entry in document["scenarios"].items() for text in entry["broken"]]
    measured = [
        f"- {name}: {what} {_shown(value)}"
        for name, entry in document["scenarios"].items()
        for what, value in entry["measured"].items()
    ]
    versions = f"Exchange {document['exchange']}, Python {machine['python']}, Valkey {machine['valkey']}"
    return "\n".join(
        [
            f"# Chaos, {document['started'][:10]}",
            "",
            f"Level {document['level']}, seed {document['seed']}. Fault model: {document['fault_model']}.",
            f"{versions}; {machine['cores']} cores, {machine['kernel']}.",
            "",
            *_table(rows),
            "",
            "Broken: nothing." if not broken else "Broken:",
            "",
            *broken,
            *(["Measured besides:", "", *measured, ""] if measured else []),
            f"![How long messages took, and the faults]({picture})",
            "",
        ]
    )


def _table(rows: Sequence[Sequence[object]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield "| " + " | ".join(str(cell) for cell in row) + " |"
        if number == 0:
            yield "|" + "---|" * len(row)


def _shown(value: float) -> str:
    return f"{value:.3g}" if isinstance(value, float) and not value.is_integer() else f"{int(value)}"


def folder_of(level: str) -> Path:
    """Return where the report of a level is kept: that of the night stays."""
    return ROOT / "docs" / "results" if level == "nightly" else Path(__file__).parent / "results"


def write(report: Report, folder: Path) -> list[Path]:
    """Write JSON, Markdown and the picture; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"chaos-{report.started:%Y-%m-%d}"
    document = report.document()
    picture = svg([entry.track for entry in report.entries], f"{FAULT_MODEL}; level {report.level}, seed {report.seed}")
    texts = {
        stem.with_suffix(".json"): json.dumps(document, indent=1, ensure_ascii=False) + "\n",
        stem.with_suffix(".md"): markdown(document, stem.with_suffix(".svg").name),
        stem.with_suffix(".svg"): picture,
    }
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return list(texts)
