"""Counter, gauge and histogram with closed labels."""

from itertools import product

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from exchange.instruments import Counter, Gauge, Histogram, Instrument

PAIRS = tuple(product(("a", "b"), ("x", "other")))


def scraped(instrument: Instrument) -> list[str]:
    registry = CollectorRegistry()
    registry.register(instrument)
    return generate_latest(registry).decode().splitlines()


def test_all_series_exist_from_the_start() -> None:
    assert scraped(Counter("things_total", "Things.", ("who", "what"), PAIRS)) == [
        "# HELP things_total Things.",
        "# TYPE things_total counter",
        'things_total{what="x",who="a"} 0.0',
        'things_total{what="other",who="a"} 0.0',
        'things_total{what="x",who="b"} 0.0',
        'things_total{what="other",who="b"} 0.0',
    ]


def test_an_unknown_last_label_counts_as_other_and_makes_no_series() -> None:
    counter = Counter("things_total", "Things.", ("who", "what"), PAIRS)
    counter.inc("a", "made up by a client")
    assert counter.value("a", "other") == 1
    assert len(scraped(counter)) == 2 + len(PAIRS)


@pytest.mark.parametrize("labels", [("c", "x"), (), ("a",), ("a", "x", "y")])
def test_a_series_that_does_not_exist_is_a_mistake(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="has no series"):
        Counter("things_total", "Things.", ("who", "what"), PAIRS).inc(*labels)


def test_a_series_needs_a_value_for_every_label() -> None:
    with pytest.raises(ValueError, match="every label"):
        Counter("things_total", "Things.", ("who", "what"), [("a",)])


def test_a_source_is_asked_at_every_scrape_and_added_to_what_was_counted() -> None:
    counter = Counter("things_total", "Things.")
    numbers = iter([5, 7])
    counter.inc()
    counter.inc(by=2)
    counter.watch(lambda: next(numbers))
    assert scraped(counter)[-1] == "things_total 8.0"
    assert scraped(counter)[-1] == "things_total 10.0"


def test_a_later_source_replaces_an_earlier_one() -> None:
    gauge = Gauge("things", "Things.")
    gauge.watch(lambda: 1)
    gauge.watch(lambda: True)
    assert scraped(gauge) == ["# HELP things Things.", "# TYPE things gauge", "things 1.0"]


def test_a_gauge_goes_up_and_down() -> None:
    gauge = Gauge("things", "Things.", ("who",), [("a",), ("b",)])
    gauge.set(5, "a")
    gauge.set(2, "a")
    assert scraped(gauge)[-2:] == ['things{who="a"} 2.0', 'things{who="b"} 0.0']


def test_a_histogram_counts_values_up_to_and_with_each_bound() -> None:
    histogram = Histogram("thing_seconds", "Things.", (0.5, 1.0), ("who",), [("a",)])
    for value in (0.1, 0.5, 0.50001, 1.0, 99.0):
        histogram.observe(value, "a")
    assert scraped(histogram)[2:] == [
        'thing_seconds_bucket{le="0.5",who="a"} 2.0',
        'thing_seconds_bucket{le="1.0",who="a"} 4.0',
        'thing_seconds_bucket{le="+Inf",who="a"} 5.0',
        'thing_seconds_count{who="a"} 5.0',
        f'thing_seconds_sum{{who="a"}} {0.1 + 0.5 + 0.50001 + 1.0 + 99.0}',
    ]


def test_a_histogram_has_no_series_for_an_unknown_label() -> None:
    with pytest.raises(ValueError, match="has no series"):
        Histogram("thing_seconds", "Things.", (1.0,), ("who",), [("a",)]).observe(1, "b")
