"""Twin of ``bench/report.py``."""

import json

import pytest

from bench.report import COLUMNS, document, medians, ratios, table
from bench.round import Figures, Round


def figures(value: float) -> Figures:
    return Figures(*[value] * 7)


def a_round(stack: str, number: int, value: float, strangers: float = 0.0) -> Round:
    return Round(stack, number, figures(value), 1.0, 0.1, 0.3, strangers, generator={"lost": 0})


ROUNDS = [
    a_round("exchange", 1, 20.0),
    a_round("peer", 1, 100.0),
    a_round("exchange", 2, 90.0),
    a_round("peer", 2, 90.0),
    a_round("exchange", 3, 22.0),
    a_round("peer", 3, 80.0),
]


def test_medians_ignore_one_bad_round():
    assert medians(ROUNDS) == {"exchange": figures(22.0), "peer": figures(90.0)}


def test_ratios_divide_ours_by_theirs():
    found = ratios(medians(ROUNDS), "exchange")
    assert list(found) == ["exchange/peer"]
    assert found["exchange/peer"]["nodes_us"] == pytest.approx(22 / 90)


def test_without_the_exchange_there_are_no_ratios():
    assert ratios({"peer": figures(1.0)}, "exchange") == {}


def test_every_figure_has_a_column():
    assert set(COLUMNS) == set(Figures.__dataclass_fields__)


def test_table_shows_titles_figures_and_ratios():
    found = medians(ROUNDS)
    lines = table(found, {"exchange": "magi-exchange"}, ratios(found, "exchange")).splitlines()
    assert lines[2].split()[:2] == ["magi-exchange", "22.0"]
    assert lines[3].split()[:2] == ["peer", "90.0"]
    assert lines[4].split()[:3] == ["exchange/peer", "×", "0.24"]
    assert len({len(line) for line in lines}) == 1


def test_a_figure_that_a_scenario_does_not_have_is_a_dash():
    found = {"chat": figures(0.0), "exchange": figures(2.0)}
    rows = table(found, {}, ratios(found, "chat")).splitlines()[2:]
    assert [row.split()[-1] for row in rows] == ["-", "2", "-"]


def test_document_is_json_with_all_rounds_warnings_and_what_is_missing():
    kept = document(
        [*ROUNDS, a_round("peer", 4, 1234.5678, strangers=0.7)],
        scenario="stored",
        started="2026-11-20T10:00:00+00:00",
        machine={"cores": 2},
        commit={"commit": "abc", "changed": False},
        settings={"rounds": 4},
        missing={"other": "node is not installed"},
        of="exchange",
    )
    assert json.loads(json.dumps(kept)) == kept
    assert len(kept["rounds"]) == 7
    assert kept["rounds"][-1]["figures"]["rate"] == 1235
    assert kept["ratios"]["exchange/peer"]["rate"] == 0.2316
    assert kept["warnings"] == ["peer, round 4: other processes used 0.70 cores: the machine was not alone"]
    assert kept["missing"] == {"other": "node is not installed"}
    assert kept["commit"] == "abc"
    assert kept["scenario"] == "stored"
