"""From rounds to what is shown and kept: medians, ratios to the exchange, a table, JSON."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from bench.round import Figures, Round

COLUMNS = {
    "nodes_us": ("nodes µs/msg", "{:.1f}"),
    "redis_us": ("Redis µs/msg", "{:.1f}"),
    "rate": ("msg/s", "{:,.0f}"),
    "delivery_p50_us": ("p50 µs", "{:,.0f}"),
    "delivery_p99_us": ("p99 µs", "{:,.0f}"),
    "receipt_p50_us": ("receipt p50", "{:,.0f}"),
    "receipt_p99_us": ("receipt p99", "{:,.0f}"),
}


def medians(rounds: Sequence[Round]) -> dict[str, Figures]:
    """Return the median of every figure for each stack, in the order in which stacks first appear."""
    names = list(dict.fromkeys(each.stack for each in rounds))
    return {name: _median([each.figures for each in rounds if each.stack == name]) for name in names}


def _median(figures: Sequence[Figures]) -> Figures:
    return Figures(**{f.name: statistics.median(getattr(each, f.name) for each in figures) for f in fields(Figures)})


def ratios(found: Mapping[str, Figures], of: str) -> dict[str, dict[str, float]]:
    """Return the figures of stack ``of`` divided by those of every other; nothing if ``of`` was not measured."""
    if of not in found:
        return {}
    own = asdict(found[of])
    return {
        f"{of}/{name}": {figure: own[figure] / value if value else 0.0 for figure, value in asdict(other).items()}
        for name, other in found.items()
        if name != of
    }


def table(found: Mapping[str, Figures], titles: Mapping[str, str], ratio: Mapping[str, Mapping[str, float]]) -> str:
    """Return a table for a terminal: medians first, then the ratios."""
    rows = [["", *(heading for heading, _ in COLUMNS.values())]]
    for name, figures in found.items():
        row = asdict(figures)
        rows.append([titles.get(name, name), *(_cell(row[figure], form) for figure, (_, form) in COLUMNS.items())])
    for name, values in ratio.items():
        rows.append([name, *(_cell(values[figure], "× {:.2f}") for figure in COLUMNS)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) if not column else cell.rjust(width) for column, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _cell(value: float, form: str) -> str:
    """Write a figure; what a scenario does not have (a receipt) is zero."""
    return form.format(value) if value else "-"


def document(
    rounds: Sequence[Round],
    *,
    scenario: str,
    started: str,
    machine: Mapping[str, Any],
    commit: Mapping[str, Any],
    settings: Mapping[str, Any],
    missing: Mapping[str, str],
    of: str,
) -> dict[str, Any]:
    """Return what is kept of a run; ``missing`` says why a stack is not in it."""
    found = medians(rounds)
    return {
        "scenario": scenario,
        "started": started,
        **commit,
        "machine": dict(machine),
        "settings": dict(settings),
        "medians": _rounded({name: asdict(figures) for name, figures in found.items()}),
        "ratios": _rounded(ratios(found, of)),
        "warnings": [warning for each in rounds for warning in each.warnings()],
        "missing": dict(missing),
        "rounds": [_rounded(asdict(each)) for each in rounds],
    }


def _rounded(value: Any) -> Any:
    """Keep four significant figures below 1000 and whole numbers above: more would be noise."""
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, float):
        return float(f"{value:.4g}") if abs(value) < 1000 else round(value)
    return value
