"""The program ``magi-exchange``, up to where its processes begin."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from exchange.__main__ import program
from exchange.refusal import REFUSED_STATUS


@pytest.fixture
def run(monkeypatch):
    monkeypatch.delenv("PORT", raising=False)
    return lambda *words: CliRunner().invoke(program, list(words))


@pytest.fixture
def served(monkeypatch):
    """What ``serve`` was called with."""
    calls = []
    monkeypatch.setattr("exchange.serve.serve", lambda settings: calls.append(settings) or 0)
    return calls


def test_help_shows_the_commands_for_people_only(run):
    text = run("--help").output
    assert all(command in text for command in ("serve", "worker", "settings"))
    assert "node" not in text.replace("nodes", "")
    assert "report-fd" not in run("worker", "--help").output


def test_help_loads_neither_settings_nor_server():
    script = "import sys; sys.argv = ['magi-exchange', '--help']\nfrom exchange.__main__ import main\n"
    script += "try: main()\nfinally: sys.stderr.write(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=30
    ).stderr.split()
    assert "exchange.__main__" in loaded
    assert not {"pydantic", "redis", "uvicorn", "exchange.settings", "exchange.serve"} & set(loaded)


def test_the_version_is_printed(run):
    assert run("--version").output.startswith("magi-exchange ")


def test_options_of_serve_are_settings(run, served):
    words = "--host ::1 --port 1 --ops-port 2 --nodes 3 --redis-url redis://h --data-dir /d --no-worker".split()
    assert run("serve", *words).exit_code == 0
    (settings,) = served
    assert (settings.listen.host, settings.listen.port, settings.ops.port, settings.nodes.count) == ("::1", 1, 2, 3)
    assert settings.redis.shown == "redis://h:6379/0"
    assert str(settings.store.data_dir) == "/d"
    assert settings.runs_worker is False


def test_an_option_wins_over_its_variable(run, served, monkeypatch):
    monkeypatch.setenv("EXCHANGE_LISTEN__PORT", "1")
    run("serve", "--port", "2")
    assert served[0].listen.port == 2


def test_a_settings_file_can_be_named(run, served, tmp_path):
    (tmp_path / "magi.toml").write_text("[nodes]\ncount = 4\n")
    run("serve", "--config", str(tmp_path / "magi.toml"))
    assert served[0].nodes.count == 4


def test_a_wrong_setting_is_one_sentence_and_a_status_of_its_own(run, served, monkeypatch):
    monkeypatch.setenv("EXCHANGE_LISTEN__PROT", "1")
    result = run("serve")
    assert result.exit_code == REFUSED_STATUS
    assert result.stderr == "There is no setting EXCHANGE_LISTEN__PROT; the nearest name is EXCHANGE_LISTEN__PORT.\n"
    assert not served


def test_settings_prints_values_or_the_reference(run):
    assert "EXCHANGE_LISTEN__PORT" in run("settings").output
    assert run("settings", "--markdown").output.startswith("# Settings")
