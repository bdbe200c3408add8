"""Counter, gauge and histogram with closed labels, for one event loop.

All series exist from the start, at 0, and no other can appear (OPS-9): a label value outside its set counts as ``other``
if there is such a series, and is a mistake of ours if not. A series is a plain number, or it has a source that is asked
when somebody scrapes (OPS-24), so code on the hot path only adds to an integer of its own. The Prometheus library, whose
own metrics take a lock and grow with every label they see, does the formats.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

OTHER = "other"

A_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
B_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0)
D_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0, 604800.0)
"""Buckets: of requests, of what takes much less, of what takes hours."""

Series = tuple[str, ...]
Source = Callable[[], float]


class Instrument:
    """A metric: its name as it is scraped, its help, its label names, and its series as tuples of label values."""

    def __init__(
        self, name: str, description: str, labels: tuple[str, ...] = (), series: Iterable[Series] = ((),)
    ) -> None:
        self.name = name
        self.description = description
        self.labels = labels
        self.series = tuple(series)
        self._known = frozenset(self.series)
        if any(len(one) != len(labels) for one in self.series):
            raise ValueError(f"{name} has a series without a value for every label")

    def collect(self) -> Iterator[Metric]:
        """Give the samples of this moment to a registry."""
        raise NotImplementedError

    def _known_series(self, series: Series) -> Series:
        if series in self._known:
            return series
        for position in range(len(series)):
            other = (*series[:position], OTHER, *series[position + 1 :])
            if other in self._known:
                return other
        raise ValueError(f"{self.name} has no series {series}")


class _Numbers(Instrument):
    """One number a series."""

    def __init__(
        self, name: str, description: str, labels: tuple[str, ...] = (), series: Iterable[Series] = ((),)
    ) -> None:
        super().__init__(name, description, labels, series)
        self._values: dict[Series, float] = dict.fromkeys(self.series, 0)
        self._sources: dict[Series, Source] = {}

    def watch(self, source: Source, *labels: str) -> None:
        """Ask ``source`` for the value of a series at every scrape; it replaces an earlier source."""
        self._sources[self._known_series(labels)] = source

    def value(self, *labels: str) -> float:
        """Return the value of a series now."""
        series = self._known_series(labels)
        source = self._sources.get(series)
        return self._values[series] + (source() if source else 0)

    def collect(self) -> Iterator[Metric]:
        """Give the samples of this moment to a registry."""
        family = self._family()
        for series in self.series:
            family.add_metric(series, self.value(*series))
        yield family

    def _family(self) -> CounterMetricFamily | GaugeMetricFamily:
        raise NotImplementedError


class Counter(_Numbers):
    """Only grows. What was counted and what a source says are added."""

    def inc(self, *labels: str, by: float = 1) -> None:
        """Count."""
        self._values[self._known_series(labels)] += by

    def _family(self) -> CounterMetricFamily:
        return CounterMetricFamily(self.name, self.description, labels=self.labels)


class Gauge(_Numbers):
    """Goes up and down."""

    def set(self, value: float, *labels: str) -> None:
        """Set the value of a series that has no source."""
        self._values[self._known_series(labels)] = value

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(self.name, self.description, labels=self.labels)


class Histogram(Instrument):
    """Counts values by size. For what is rare or sampled: not for every message."""

    def __init__(
        self,
        name: str,
        description: str,
        bounds: tuple[float, ...],
        labels: tuple[str, ...] = (),
        series: Iterable[Series] = ((),),
    ) -> None:
        """``bounds`` are the upper ends of the buckets, growing; one without an end is added."""
        super().__init__(name, description, labels, series)
        self.bounds = bounds
        self._ends = (*(repr(float(bound)) for bound in bounds), "+Inf")
        self._counts = {one: [0] * len(self._ends) for one in self.series}
        self._sums: dict[Series, float] = dict.fromkeys(self.series, 0.0)

    def observe(self, value: float, *labels: str) -> None:
        """Count a value."""
        series = self._known_series(labels)
        self._counts[series][bisect_left(self.bounds, value)] += 1
        self._sums[series] += value

    def collect(self) -> Iterator[Metric]:
        """Give the samples of this moment to a registry."""
        family = HistogramMetricFamily(self.name, self.description, labels=self.labels)
        for series in self.series:
            buckets = list(zip(self._ends, accumulate(self._counts[series]), strict=True))
            family.add_metric(series, buckets, self._sums[series])
        yield family
