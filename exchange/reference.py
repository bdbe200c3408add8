"""The metrics as tables: the reference page, and one line a metric."""

from exchange.dialects.errors import CODES
from exchange.dialects.magi1 import Magi1
from exchange.instruments import Instrument
from exchange.metrics import Metrics
from exchange.transports.http import ROUTES
from worker.metrics import WorkerMetrics

HEAD = """# Metrics

This page is printed by `magi-exchange metrics --markdown`.

A node serves its metrics on its ops port under `/metrics`, as Prometheus text or, if the scraper asks for it,
OpenMetrics. All series exist from the start, at 0, and no others can appear: the values of every label are listed here.
The metrics `process_*` and `python_gc_*` of the Prometheus library are there too. A worker serves those that begin with
`worker_` on its own port, `EXCHANGE_WORKER__METRICS_PORT`.

| metric | type | labels | meaning |
|---|---|---|---|
"""


def markdown() -> str:
    """Return the reference page: every metric with all values of its labels. The same on every machine."""
    rows = (
        f"| `{one.name}` | {_type(one)} | {'<br>'.join(_labels(one))} | {one.description} |\n" for one in _instruments()
    )
    return HEAD + "".join(rows)


def text() -> str:
    """Return one line a metric: its name, its type and what it means."""
    instruments = _instruments()
    width = max(len(one.name) for one in instruments)
    return "".join(f"{one.name:<{width}}  {_type(one):<9}  {one.description}\n" for one in instruments)


def _instruments() -> tuple[Instrument, ...]:
    return (*Metrics(codes={Magi1.name: CODES}, routes=ROUTES).instruments(), *WorkerMetrics().instruments())


def _type(instrument: Instrument) -> str:
    return type(instrument).__name__.lower()


def _labels(instrument: Instrument) -> list[str]:
    """Return every label with its values; what only a start knows (a version) has none here."""
    lines = []
    for place, label in enumerate(instrument.labels):
        values = sorted({series[place] for series in instrument.series} - {""})
        known = "" if instrument.name.endswith("_info") else ": " + ", ".join(values)
        lines.append(f"`{label}`{known}")
    return lines
