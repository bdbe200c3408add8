"""Twin of ``bench/run.py``: options and the handling of what cannot be measured."""

import json
from dataclasses import replace

import pytest

from bench import run
from bench.live import Figures, Round
from bench.process import Unmeasurable
from bench.stacks import EXCHANGE, ROOT, STACKS


@pytest.fixture
def scripted(monkeypatch):
    """Rounds without processes; tests put the names of broken stacks into the returned dict."""
    broken: dict[str, str] = {}
    order: list[tuple[str, int]] = []

    def measure(stack, number, load, program, cores):
        order.append((stack.name, number))
        if stack.name in broken:
            raise Unmeasurable(broken[stack.name])
        return Round(stack.name, number, Figures(*[float(number)] * 7), 1.0, 0.1, 0.2, 0.0, generator={})

    peers = {name: replace(stack, prepare=lambda: None) for name, stack in STACKS.items() if stack is not EXCHANGE}
    monkeypatch.setattr(run, "STACKS", {EXCHANGE.name: EXCHANGE, **peers})
    monkeypatch.setattr(run, "build", lambda: None)
    monkeypatch.setattr(run, "measure", measure)
    monkeypatch.setattr(run.signal, "signal", lambda *_: None)
    return broken, order


def test_rounds_are_interleaved(scripted, tmp_path):
    _, order = scripted
    assert run.main(["--rounds", "2", "--peers", "ordinary", "--results", str(tmp_path)]) == 0
    assert order == [("exchange", 1), ("ordinary", 1), ("exchange", 2), ("ordinary", 2)]


def test_json_and_chart_are_kept_under_the_date(scripted, tmp_path):
    run.main(["--rounds", "3", "--results", str(tmp_path)])
    kept, chart = sorted(tmp_path.iterdir())
    document = json.loads(kept.read_text())
    assert kept.name == document["started"][:10] + "-live.json"
    assert chart.name == document["started"][:10] + "-live.svg"
    assert document["medians"]["exchange"]["rate"] == 2.0
    assert set(document["ratios"]) == {"exchange/ordinary", "exchange/node_ws"}


def test_a_stack_that_fails_is_named_left_out_and_fails_the_run(scripted, tmp_path, capsys):
    broken, order = scripted
    broken["ordinary"] = f"it broke in {ROOT}/bench/x.py"
    assert run.main(["--rounds", "2", "--peers", "ordinary", "--results", str(tmp_path)]) == 1
    assert order == [("exchange", 1), ("ordinary", 1), ("exchange", 2)]
    assert "it broke in bench/x.py" in capsys.readouterr().out
    assert str(ROOT) not in next(tmp_path.glob("*.json")).read_text()


def test_a_quick_run_is_one_round_and_keeps_nothing(scripted, tmp_path, monkeypatch):
    _, order = scripted
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results")
    assert run.main(["--quick", "--peers", "none"]) == 0
    assert order == [(EXCHANGE.name, 1)]
    assert not (tmp_path / "results").exists()


def test_an_interrupted_run_keeps_nothing(scripted, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "measure", interrupted)
    assert run.main(["--results", str(tmp_path)]) == 130
    assert not list(tmp_path.iterdir())


def test_a_missing_compiler_ends_the_run_with_one_sentence(scripted, monkeypatch, capsys):
    def no_compiler():
        raise Unmeasurable("there is no C compiler")

    monkeypatch.setattr(run, "build", no_compiler)
    assert run.main(["--quick"]) == 1
    assert capsys.readouterr().err == "bench: there is no C compiler\n"


def test_an_unknown_peer_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        run.main(["--peers", "ordinary,gorilla"])
    assert "no peer is called 'gorilla'" in capsys.readouterr().err
