"""What a metric is called, and what it is made of."""

import re

import pytest

from exchange.core.commands import PassOn
from exchange.dialects.coralmux import CoralMux
from exchange.dialects.magi1 import Magi1
from exchange.instruments import Counter, Gauge, Histogram
from exchange.metrics import Metrics
from exchange.transports.http import ROUTES
from exchange.transports.pairing import PAIRING_ROUTES
from worker.metrics import WorkerMetrics

EXCHANGE = Metrics(
    codes={wire.name: wire.codes for wire in (Magi1, CoralMux)},
    sends={CoralMux.name: PassOn},
    lanes=("main", "commit", "bulk"),
    routes=(*ROUTES, *PAIRING_ROUTES),
)
METRICS = (*EXCHANGE.instruments(), *WorkerMetrics().instruments())
EVERY_METRIC = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)

BASE_UNITS = ("_seconds", "_bytes")
OTHER_UNITS = r"_(ms|us|milliseconds|microseconds|minutes|hours|kb|mb|kib|mib|percent)(_|$)"
LABELS = frozenset(
    {
        *(
            "action",
            "attempt",
            "class",
            "code",
            "command",
            "dialect",
            "direction",
            "event",
            "job",
            "kind",
            "lane",
            "outcome",
        ),
        *("reason", "result", "route", "scope", "stat", "state", "tier", "what"),
        *("durability", "keyspace", "mode", "version"),  # of a process, on one metric
    }
)
SERIES_MOST = 200
"""Of one metric on one node: what a scrape of a thousand nodes can bear."""


@EVERY_METRIC
def test_a_metric_is_named_for_its_program_and_its_kind(metric):
    assert re.fullmatch(r"(exchange|worker)(_[a-z0-9]+)+", metric.name)
    assert isinstance(metric, Counter) == metric.name.endswith("_total")
    assert isinstance(metric, Counter | Gauge | Histogram)
    assert not metric.name.endswith(("_count", "_sum", "_bucket", "_created")), "these are made by histograms"


@EVERY_METRIC
def test_a_metric_has_a_base_unit_if_it_has_one(metric):
    assert not re.search(OTHER_UNITS, metric.name)
    if isinstance(metric, Histogram):
        assert metric.name.endswith(BASE_UNITS)
        assert list(metric.bounds) == sorted(set(metric.bounds))
    if "timestamp" in metric.name:
        assert metric.name.endswith("_timestamp_seconds")


@EVERY_METRIC
def test_the_help_of_a_metric_is_one_sentence(metric):
    assert re.fullmatch(r"[A-Z0-9][^\n|]{8,}[^.]\.", metric.description), metric.description


@EVERY_METRIC
def test_labels_are_from_closed_lists(metric):
    assert set(metric.labels) <= LABELS
    assert len(set(metric.series)) == len(metric.series) <= SERIES_MOST
    if not metric.name.endswith("_info"):
        assert all(
            re.fullmatch(r"[a-z0-9_]+|[2-5]xx|/[a-z0-9/{}]*", value) for series in metric.series for value in series
        )


def test_no_two_metrics_share_a_name():
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
