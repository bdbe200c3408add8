"""Twin of ``bench/run.py``: options and the handling of what cannot be measured."""

import json
from dataclasses import replace

import pytest

from bench import run
from bench.process import Unmeasurable
from bench.round import Figures, Round
from bench.stacks import EXCHANGE, PEERS, ROOT


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

    peers = {name: replace(peer, prepare=lambda: None) for name, peer in PEERS.items()}
    monkeypatch.setattr(run, "PEERS", peers)
    monkeypatch.setattr(run, "build", lambda: None)
    monkeypatch.setattr(run, "measure", measure)
    monkeypatch.setattr(run.signal, "signal", lambda *_: None)
    return broken, order


LIVE = ("--scenario", "live")


def test_rounds_are_interleaved(scripted, tmp_path):
    _, order = scripted
    assert run.main([*LIVE, "--rounds", "2", "--peers", "ordinary", "--results", str(tmp_path)]) == 0
    assert order == [("exchange", 1), ("ordinary", 1), ("exchange", 2), ("ordinary", 2)]


def test_scenarios_share_the_rounds_of_what_is_in_both(scripted, tmp_path):
    _, order = scripted
    assert run.main(["--rounds", "2", "--peers", "node_ws", "--results", str(tmp_path)]) == 0
    assert order == [
        (name, number) for number in (1, 2) for name in ("exchange", "node_ws", "stored", "stored_8", "chat")
    ]
    chat, live, stored = (json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.json")))
    assert (chat["scenario"], live["scenario"], stored["scenario"]) == ("chat", "live", "stored")
    assert list(chat["ratios"]) == ["chat/exchange", "chat/node_ws"]
    assert chat["settings"]["chunk_bytes"] == 200
    assert list(live["medians"]) == ["exchange", "node_ws"]
    assert list(stored["medians"]) == ["stored", "stored_8", "exchange", "node_ws"]
    assert list(stored["ratios"]) == ["stored/stored_8", "stored/exchange", "stored/node_ws"]
    assert [each["number"] for each in stored["rounds"]] == [1] * 4 + [2] * 4
    assert stored["settings"]["ack_every"] == {"stored": 1, "stored_8": 8}
    assert not {"ack_every", "chunk_bytes"}.intersection(live["settings"])


def test_one_scenario_alone_can_be_measured(scripted, tmp_path, capsys):
    _, order = scripted
    run.main(["--scenario", "stored", "--rounds", "1", "--peers", "none", "--results", str(tmp_path)])
    assert [name for name, _ in order] == ["stored", "stored_8", "exchange"]
    assert {path.stem[11:] for path in tmp_path.iterdir()} == {"stored"}
    shown = capsys.readouterr().out
    assert "magi-exchange (stored) " in shown
    assert "magi-exchange (live) " in shown


def test_a_scenario_that_fails_leaves_the_other(scripted, tmp_path, capsys):
    broken, _ = scripted
    broken["stored"] = broken["stored_8"] = "mail is not offered"
    assert run.main(["--rounds", "1", "--peers", "none", "--results", str(tmp_path)]) == 1
    chat, live, stored = (json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.json")))
    assert chat["missing"] == live["missing"] == {}
    assert stored["missing"] == broken
    assert stored["ratios"] == {}
    assert "not measured: magi-exchange (stored): mail is not offered" in capsys.readouterr().out


def test_json_and_chart_are_kept_under_the_date(scripted, tmp_path):
    run.main([*LIVE, "--rounds", "3", "--results", str(tmp_path)])
    kept, chart = sorted(tmp_path.iterdir())
    document = json.loads(kept.read_text())
    assert kept.name == document["started"][:10] + "-live.json"
    assert chart.name == document["started"][:10] + "-live.svg"
    assert document["medians"]["exchange"]["rate"] == 2.0
    assert set(document["ratios"]) == {"exchange/ordinary", "exchange/node_ws"}


def test_a_stack_that_fails_is_named_left_out_and_fails_the_run(scripted, tmp_path, capsys):
    broken, order = scripted
    broken["ordinary"] = f"it broke in {ROOT}/bench/x.py"
    assert run.main([*LIVE, "--rounds", "2", "--peers", "ordinary", "--results", str(tmp_path)]) == 1
    assert order == [("exchange", 1), ("ordinary", 1), ("exchange", 2)]
    assert "it broke in bench/x.py" in capsys.readouterr().out
    assert str(ROOT) not in next(tmp_path.glob("*.json")).read_text()


def test_a_quick_run_is_one_round_and_keeps_nothing(scripted, tmp_path, monkeypatch):
    _, order = scripted
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results")
    assert run.main([*LIVE, "--quick", "--peers", "none"]) == 0
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
