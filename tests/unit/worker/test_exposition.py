import socket
import threading

import httpx2
import pytest

from exchange.refusal import StartRefused
from worker.exposition import exposed
from worker.metrics import WorkerMetrics

HOST = "127.0.0.1"


def test_whoever_scrapes_gets_the_metrics_of_this_moment():
    metrics = WorkerMetrics()
    with exposed(metrics.registry, HOST, 0) as port, httpx2.Client(trust_env=False) as http:
        metrics.reaped.inc("node")
        answer = http.get(f"http://{HOST}:{port}/metrics")
    assert answer.status_code == 200
    assert 'worker_reaped_total{what="node"} 1.0' in answer.text


def test_port_and_thread_are_free_at_the_end():
    before = threading.active_count()
    with exposed(WorkerMetrics().registry, HOST, 0) as port:
        assert threading.active_count() > before
    assert threading.active_count() == before
    with exposed(WorkerMetrics().registry, HOST, port) as again:
        assert again == port


def test_a_port_in_use_is_refused_with_the_setting_that_chose_it():
    with (
        socket.create_server((HOST, 0)) as other,
        pytest.raises(StartRefused, match=r"in use by another program; .* EXCHANGE_WORKER__METRICS_PORT\.$"),
        exposed(WorkerMetrics().registry, HOST, other.getsockname()[1]),
    ):
        raise AssertionError("it is not exposed")


def test_an_address_of_another_machine_is_refused():
    with (
        pytest.raises(StartRefused, match=r"^This machine has no address 192\.0\.2\.1 to listen on\.$"),
        exposed(WorkerMetrics().registry, "192.0.2.1", 0),
    ):
        raise AssertionError("it is not exposed")
