"""Every metric: names, labels, series, and where the values come from."""

import re
import time
from collections import Counter as Tally
from dataclasses import dataclass, field

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from exchange.core import errors as e
from exchange.core.commands import Identify, PassOn, Redeem
from exchange.core.session import ALLOWED
from exchange.dialects.errors import CODES
from exchange.front import Ending
from exchange.hotcounts import HotCounts
from exchange.instruments import Counter, Gauge, Histogram, Instrument
from exchange.labels import LIVE_REFUSED, REBUILDS, SENT, WAKES
from exchange.metrics import CLOSED, COMMANDS, Metrics
from exchange.storage.redis.connection import Break, Counters
from exchange.storage.redis.endpoint import Endpoint
from exchange.storage.redis.lane import Lane

NAMES = """
exchange_build_info exchange_connections exchange_connections_limit exchange_connections_opened_total exchange_sessions
exchange_users exchange_closes_total exchange_aborts_total exchange_session_seconds exchange_frames_total
exchange_frames_refused_total exchange_commands_total exchange_command_seconds exchange_errors_total
exchange_invites_total exchange_rate_limited_total exchange_auth_failures_total exchange_envelopes_total
exchange_live_refused_total
exchange_wakes_total exchange_wakes_missed_total exchange_unknown_versions_total
exchange_deliveries_total exchange_acked_total exchange_pull_sessions exchange_reconcile_found_total
exchange_rollbacks_total exchange_pairs exchange_busy_ends exchange_relayed_bytes_total
exchange_redis_up exchange_redis_inflight exchange_redis_errors_total exchange_wait_seconds exchange_waiting
exchange_redis_unknown_total
exchange_probe_success_timestamp_seconds exchange_lane_rebuilds_total exchange_channels exchange_live_gaps_total
exchange_lease_renewal_timestamp_seconds exchange_fenced_total exchange_nodes exchange_draining
exchange_drain_remaining
exchange_loop_lag_seconds exchange_write_buffer_bytes exchange_untrusted_forwarded_total exchange_http_requests_total
""".split()

UNITS = ("_seconds", "_bytes", "_total", "_info")
COUNTED_THINGS = {
    # A gauge without a unit is a number of the things it is named for, or 1 and 0.
    "exchange_connections",
    "exchange_connections_limit",
    "exchange_sessions",
    "exchange_users",
    "exchange_redis_up",
    "exchange_redis_inflight",
    "exchange_channels",
    "exchange_nodes",
    "exchange_draining",
    "exchange_drain_remaining",
    "exchange_waiting",
    "exchange_pull_sessions",
    "exchange_pairs",
    "exchange_busy_ends",
}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(
        version="1.0",
        keyspace="1",
        codes={"magi": sorted(CODES)},
        routes=("/", "/health"),
    )


def samples(metrics: Metrics) -> dict[str, float]:
    """Everything that is not 0, as it is scraped."""
    text = metrics.exposition("")[1].decode()
    rows = (line.rpartition(" ") for line in text.splitlines() if line.startswith(("exchange_", "worker_")))
    return {series: float(value) for series, _, value in rows if float(value)}


def test_the_metrics_of_this_release_are_these(metrics: Metrics) -> None:
    assert [instrument.name for instrument in metrics.instruments()] == NAMES


def instrument_named(metrics: Metrics, name: str) -> Instrument:
    return next(instrument for instrument in metrics.instruments() if instrument.name == name)


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_keeps_the_rules_of_naming(metrics: Metrics, name: str) -> None:
    instrument = instrument_named(metrics, name)
    assert re.fullmatch(r"(exchange|worker)(_[a-z]+)+", name)
    assert name.endswith(UNITS) or name in COUNTED_THINGS
    assert name.endswith("_total") == isinstance(instrument, Counter)
    assert not name.endswith(("_count", "_sum", "_bucket", "_created"))
    assert not re.search(r"_(ms|milliseconds|minutes|kilobytes|percent|gauge|counter|histogram)(_|$)", name)
    assert not (isinstance(instrument, Histogram) and name.endswith("_info"))
    assert isinstance(instrument, Counter | Gauge | Histogram)


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_has_a_sentence_of_help(metrics: Metrics, name: str) -> None:
    assert re.fullmatch(r"[A-Z1].{5,100}\.", instrument_named(metrics, name).description)


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_has_closed_labels_without_repeats(metrics: Metrics, name: str) -> None:
    instrument = instrument_named(metrics, name)
    assert instrument.series
    assert len(set(instrument.series)) == len(instrument.series)
    assert not {"le", "quantile", "job_name", "instance"} & set(instrument.labels)
    for series in instrument.series:
        assert all(re.fullmatch(r"[a-z0-9_./]+", value) for value in series), series


def test_all_series_start_at_zero_but_the_build(metrics: Metrics) -> None:
    assert samples(metrics) == {
        'exchange_build_info{durability="memory",keyspace="1",mode="standalone",version="1.0"}': 1
    }


def test_a_node_with_its_worker_has_a_bounded_number_of_series(metrics: Metrics) -> None:
    text = metrics.exposition("")[1].decode()
    assert 200 < sum(not line.startswith("#") for line in text.splitlines()) <= 1500


def test_no_amount_of_use_makes_a_new_series(metrics: Metrics) -> None:
    before = len(metrics.exposition("")[1].splitlines())
    for number in range(100):
        metrics.http_requests.inc(f"/user/{number}", "2xx")
        with pytest.raises(ValueError, match="has no series"):
            metrics.errors.inc("magi", f"code{number}")
    assert len(metrics.exposition("")[1].splitlines()) == before
    assert metrics.http_requests.value("other", "2xx") == 100


def test_tables_follow_the_lists_in_code() -> None:
    assert set(CLOSED) == {ending.value for ending in Ending}
    assert set(COMMANDS) == set().union(*ALLOWED.values())
    assert {"identify", "create_invite", "redeem", "send", "ack", "list_friends"} < set(COMMANDS.values())
    assert set(REBUILDS) == {reason.value for reason in Break} | {"other"}
    assert {f"live_{reason}" for reason in LIVE_REFUSED} == {
        name for name in HotCounts.__slots__ if name.startswith("live_")
    }
    assert {f"wakes_{kind}" for kind in WAKES} == {name for name in HotCounts.__slots__ if name.startswith("wakes_")}


def test_every_hot_count_reaches_a_series(metrics: Metrics) -> None:
    seen = samples(metrics)
    for name in HotCounts.__slots__:
        setattr(metrics.hot["magi"], name, 1)
        now = samples(metrics)
        assert now != seen, name
        seen = now


def test_hot_counts_become_series_at_scrape(metrics: Metrics) -> None:
    hot = metrics.hot["magi"]
    hot.frames_in, hot.frames_out = 100, 200
    hot.asks_accepted, hot.answers_accepted, hot.duplicate, hot.not_linked = 10, 5, 2, 3
    hot.unavailable, hot.live_late, hot.wakes_linked = 4, 6, 7
    found = samples(metrics)
    del found['exchange_build_info{durability="memory",keyspace="1",mode="standalone",version="1.0"}']
    assert found == {
        'exchange_frames_total{dialect="magi",direction="in"}': 100,
        'exchange_frames_total{dialect="magi",direction="out"}': 200,
        'exchange_envelopes_total{dialect="magi",outcome="accepted",tier="live"}': 15,
        'exchange_envelopes_total{dialect="magi",outcome="duplicate",tier="stored"}': 2,
        'exchange_envelopes_total{dialect="magi",outcome="not_linked",tier="live"}': 3,
        'exchange_envelopes_total{dialect="magi",outcome="unavailable",tier="live"}': 4,
        'exchange_commands_total{command="send",outcome="ok"}': 17,
        'exchange_commands_total{command="send",outcome="refused"}': 3,
        'exchange_commands_total{command="send",outcome="error"}': 4,
        'exchange_live_refused_total{reason="late"}': 6,
        'exchange_wakes_total{kind="linked"}': 7,
    }


def test_what_carries_a_message_may_differ_from_wire_to_wire() -> None:
    wires = {"magi": (), "other": (), "coralmux": ()}
    metrics = Metrics(codes=wires, sends={"coralmux": PassOn})
    for number, name in enumerate(wires):
        hot = metrics.hot[name]
        hot.asks_accepted, hot.passed, hot.passed_bytes = (0, 10, 1000) if name == "coralmux" else (number + 1, 0, 0)
    found = samples(metrics)
    assert found['exchange_commands_total{command="send",outcome="ok"}'] == 3
    assert found['exchange_commands_total{command="pass_on",outcome="ok"}'] == 10
    assert found['exchange_envelopes_total{dialect="coralmux",outcome="accepted",tier="live"}'] == 10
    assert found["exchange_relayed_bytes_total"] == 1000


def test_outcomes_of_messages_are_counts_of_the_hot_path() -> None:
    assert set(SENT[1:]) <= set(HotCounts.__slots__)


def test_a_command_is_counted_by_outcome_and_timed(metrics: Metrics) -> None:
    metrics.handled(Identify(name="john"), None, 0.002)
    metrics.handled(Identify(name="john"), e.NameTaken(), 0.002)
    metrics.handled(Redeem(), e.StorageUnavailable(), 2.0)
    metrics.handled(Redeem(), e.ExchangeError(), 2.0)
    found = samples(metrics)
    assert found['exchange_commands_total{command="identify",outcome="ok"}'] == 1
    assert found['exchange_commands_total{command="identify",outcome="refused"}'] == 1
    assert found['exchange_commands_total{command="redeem",outcome="error"}'] == 2
    assert found['exchange_command_seconds_bucket{command="identify",le="0.0025"}'] == 2
    assert found['exchange_command_seconds_sum{command="redeem"}'] == 4


@dataclass
class FakeLane:
    up: bool = True
    inflight: int = 3
    channels: int = 4
    last_probe: float = 0.0
    counters: Counters = field(default_factory=Counters)


def test_a_lane_is_read_at_scrape(metrics: Metrics) -> None:
    lane = FakeLane()
    metrics.watch_lane("main", lane)
    lane.inflight = 9
    lane.counters.unknown = 2
    lane.counters.errors.update({"OOM": 1, "WRONGTYPE": 2, "ERR": 3})
    lane.counters.rebuilds.update({Break.TIMEOUT: 1, Break.LOST: 2, Break.PROBE: 3})
    found = samples(metrics)
    assert found['exchange_redis_up{lane="main"}'] == 1
    assert found['exchange_redis_inflight{lane="main"}'] == 9
    assert found['exchange_channels{lane="main"}'] == 4
    assert found['exchange_redis_unknown_total{lane="main"}'] == 2
    assert found['exchange_redis_errors_total{kind="oom",lane="main"}'] == 1
    assert found['exchange_redis_errors_total{kind="other",lane="main"}'] == 5
    assert found['exchange_redis_errors_total{kind="timeout",lane="main"}'] == 1
    assert found['exchange_redis_errors_total{kind="connection",lane="main"}'] == 2
    assert found['exchange_lane_rebuilds_total{lane="main",reason="probe"}'] == 3
    assert 'exchange_probe_success_timestamp_seconds{lane="main"}' not in found


def test_the_last_probe_is_told_in_seconds_since_the_epoch(metrics: Metrics) -> None:
    metrics.watch_lane("main", FakeLane(last_probe=time.monotonic() - 1000))
    at = samples(metrics)['exchange_probe_success_timestamp_seconds{lane="main"}']
    assert at == pytest.approx(time.time() - 1000, abs=60)


async def test_a_real_lane_can_be_watched(metrics: Metrics) -> None:
    lane = Lane(Endpoint.parse("redis://127.0.0.1:1"), probe_channel="probe", scripts=())
    metrics.watch_lane("main", lane)
    lane.counters.unknown = 3
    found = samples(metrics)
    assert found['exchange_redis_unknown_total{lane="main"}'] == 3
    assert 'exchange_redis_up{lane="main"}' not in found


def test_plain_text_is_what_a_scraper_gets_by_default(metrics: Metrics) -> None:
    content_type, body = metrics.exposition("")
    assert content_type.startswith("text/plain; version=0.0.4")
    families = {family.name: family.type for family in prometheus(body.decode())}
    assert families["exchange_frames"] == "counter"
    assert families["exchange_loop_lag_seconds"] == "histogram"
    assert "process_open_fds" in families
    assert "python_gc_collections" in families


def test_openmetrics_is_what_a_scraper_gets_that_asks_for_it(metrics: Metrics) -> None:
    content_type, body = metrics.exposition("application/openmetrics-text; version=1.0.0,text/plain;q=0.5")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    names = Tally(family.name for family in openmetrics(body.decode()))
    assert max(names.values()) == 1
    assert {name.removesuffix("_total") for name in NAMES} <= set(names)


@pytest.mark.parametrize("accept", ["*/*", "text/html", "\x00", "application/openmetrics-text; version=x"])
def test_an_odd_accept_header_gets_an_answer(metrics: Metrics, accept: str) -> None:
    assert metrics.exposition(accept)[1]


def test_two_of_them_do_not_share_anything() -> None:
    one, two = Metrics(codes={"magi": ()}), Metrics(codes={"magi": ()})
    one.fenced.inc()
    one.hot["magi"].frames_in += 1
    assert two.fenced.value() == 0
    assert two.frames.value("magi", "in") == 0


def test_a_process_that_speaks_no_wire_has_no_series_of_wires() -> None:
    metrics = Metrics()
    assert metrics.connections.series == ()
    assert metrics.fenced.series == ((),)
