"""Twin of ``bench/round.py``: the reduction of a round, and who its clients are."""

import contextlib
import os

import pytest

from bench import round as rounds
from bench.generator import Clients, Load
from bench.round import Cores, Figures, Round, reduce
from bench.stacks import EXCHANGE, STORED_8

TIMES = {"count": 10, "p50": 100.0, "p90": 200.0, "p99": 300.0, "max": 400.0}
SAID = {
    "saturated": {
        "seconds": 2.0,
        "messages": 10_000,
        "rate": 5000.0,
        "own_cpu_us": 500_000.0,
        "cpu_us": {"11": 900_000.0, "12": 1_000_000.0, "13": 100_000.0},
        "delivery_us": TIMES,
    },
    "paced": {"delivery_us": TIMES, "receipt_us": {**TIMES, "p50": 50.0, "p99": 150.0}},
    "lost": 0,
}
CLEAN = {"nodes_share": 0.99, "redis_share": 0.1, "generator_share": 0.3, "strangers": 0.01}


def a_round(**shares: float) -> Round:
    return Round("exchange", 2, Figures(*[1.0] * 7), **{**CLEAN, **shares}, generator={})


def test_cpu_is_divided_by_messages_apart_for_nodes_and_redis():
    figures = reduce("exchange", 1, SAID, [11, 12], 0.0).figures
    assert figures.nodes_us == pytest.approx(190.0)
    assert figures.redis_us == pytest.approx(10.0)
    assert figures.rate == 5000.0


def test_latencies_are_those_of_the_paced_phase():
    figures = reduce("exchange", 1, SAID, [11, 12], 0.0).figures
    assert (figures.delivery_p50_us, figures.delivery_p99_us) == (100.0, 300.0)
    assert (figures.receipt_p50_us, figures.receipt_p99_us) == (50.0, 150.0)


def test_shares_are_of_one_core():
    found = reduce("exchange", 1, SAID, [11, 12], 0.2)
    assert (found.nodes_share, found.redis_share, found.generator_share) == pytest.approx((0.95, 0.05, 0.25))
    assert found.strangers == 0.2


@pytest.mark.parametrize("stack", [EXCHANGE, STORED_8], ids=lambda stack: stack.name)
def test_each_stack_is_driven_by_its_own_clients(stack, monkeypatch, tmp_path):
    driven: list[Clients] = []

    class Silent:
        def pids(self):
            return [os.getpid()]

        def check(self):
            pass

    def drive(_program, _load, _ports, watched, _cores, clients):
        driven.append(clients)
        return {**SAID, "saturated": {**SAID["saturated"], "cpu_us": {str(pid): 1.0 for pid in watched}}}

    monkeypatch.setattr(rounds, "run_redis", lambda *_: contextlib.nullcontext((Silent(), "unix:///x")))
    monkeypatch.setattr(rounds, "run_node", lambda *_: contextlib.nullcontext(Silent()))
    monkeypatch.setattr(rounds, "await_listening", lambda *_: None)
    monkeypatch.setattr(rounds, "drive", drive)
    found = rounds.measure(stack, 1, Load(), tmp_path, Cores.choose())
    assert found.stack == stack.name
    assert driven == [stack.clients]


def test_a_clean_round_has_no_warnings():
    assert a_round().warnings() == []


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"redis_share": 0.3, "generator_share": 0.65}, "core of Redis and the generator was full"),
        ({"nodes_share": 0.6}, "only 60% of their core"),
        ({"strangers": 0.5}, "0.50 cores"),
    ],
)
def test_what_speaks_against_a_round_is_said(shares, words):
    (warning,) = a_round(**shares).warnings()
    assert warning.startswith("exchange, round 2: ")
    assert words in warning


def test_idle_nodes_are_explained_by_a_full_generator():
    (warning,) = a_round(nodes_share=0.5, generator_share=0.95).warnings()
    assert "lower bound" in warning
