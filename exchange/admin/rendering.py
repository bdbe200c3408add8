"""Pairings as operators read them: tables for people, lines for programs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import typer

from exchange.core.pairs import PairInfo, Usage

COLUMNS = ("pairing", "created", "expires", "connected", "used today")
UNITS = ("KiB", "MiB", "GiB", "TiB")


def bytes_of(count: int) -> str:
    """Return a number of bytes as people read it: ``1.5 MiB``."""
    value, unit = float(count), "bytes"
    for larger in UNITS:
        if round(value, 1) < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f}".removesuffix(".0") + f" {unit}"


def moment_of(ms: int) -> str:
    """Return a time as people read it; 0 is never."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC") if ms else "never"


def connected_of(info: PairInfo) -> str:
    """Return who is connected."""
    return " and ".join(sorted(info.connected)) or "nobody"


def record_of(info: PairInfo) -> dict[str, object]:
    """Return a pairing for programs."""
    usage = info.usage
    return {
        "pairing": info.shown,
        "id": info.pair,
        "created_ms": info.created_ms,
        "expires_ms": info.expires_ms or None,
        "connected": sorted(info.connected),
        **{name: getattr(usage, name) for name in Usage.__slots__},
    }


def json_of(value: object) -> str:
    """Return a value as one line of JSON."""
    return json.dumps(value, separators=(",", ":"))


def details_of(info: PairInfo) -> str:
    """Return all of one pairing, a line each."""
    usage = info.usage
    rows = (
        ("Pairing", info.shown),
        ("Id", info.pair),
        ("Created", moment_of(info.created_ms)),
        ("Expires", moment_of(info.expires_ms)),
        ("Connected", connected_of(info)),
        ("Today", _share(usage.daily_used_bytes, usage.daily_quota_bytes)),
        ("This month", _share(usage.monthly_used_bytes, usage.monthly_quota_bytes)),
    )
    return "\n".join(f"{name:<11} {value}" for name, value in rows)


def print_table(infos: Sequence[PairInfo], *, terminal: bool) -> None:
    """Print pairings in their order: drawn on a terminal, else a line each, with tabs."""
    rows = [_row(info) for info in infos]
    if not terminal:
        typer.echo("\n".join("\t".join(row) for row in (COLUMNS, *rows)))
        return
    from rich.console import Console  # noqa: PLC0415  a pipe does not need it
    from rich.table import Table  # noqa: PLC0415

    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*row)
    Console(markup=False, emoji=False, highlight=False).print(table)


def _row(info: PairInfo) -> tuple[str, ...]:
    used = _share(info.usage.daily_used_bytes, info.usage.daily_quota_bytes)
    return info.shown, moment_of(info.created_ms), moment_of(info.expires_ms), connected_of(info), used


def _share(used: int, quota: int) -> str:
    return f"{bytes_of(used)} of {bytes_of(quota)}"
