"""The program ``magi-exchange``, up to where its processes begin."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from exchange.__main__ import program
from exchange.refusal import REFUSED_STATUS


@pytest.fixture
def run(monkeypatch):
    for name in ("PORT", "LOG_FORMAT", "RELAY_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    return lambda *words: CliRunner().invoke(program, list(words))


@pytest.fixture
def served(monkeypatch):
    """What ``serve`` was called with."""
    calls = []
    monkeypatch.setattr("exchange.serve.serve", lambda settings: calls.append(settings) or 0)
    return calls


def test_help_shows_the_commands_for_people_only(run):
    text = run("--help").output
    assert all(command in text for command in ("serve", "relay", "worker", "settings", "admin"))
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
    words = (
        "--host ::1 --port 1 --ops-port 2 --nodes 3 --redis-url redis://h --data-dir /d --no-worker --relay-listener"
    )
    assert run("serve", *words.split()).exit_code == 0
    (settings,) = served
    assert (settings.listen.host, settings.listen.port, settings.ops.port, settings.nodes.count) == ("::1", 1, 2, 3)
    assert settings.redis.shown == "redis://h:6379/0"
    assert str(settings.store.data_dir) == "/d"
    assert settings.runs_worker is False
    assert settings.relay_place == ("::1", 8443)


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


# --- the flags of the original relay ----------------------------------------------------------------------------------


def test_the_relay_is_served_at_its_original_place(run, served):
    result = run("relay")
    assert (result.exit_code, result.stderr) == (0, "")
    assert served[0].relay_place == ("0.0.0.0", 8443)


@pytest.mark.parametrize("dashes", ["-", "--"])
@pytest.mark.parametrize("joined", [False, True])
def test_flags_are_taken_as_the_original_took_them(run, served, dashes, joined):
    flags = {"addr": "127.0.0.1:9443", "admin-key": "hidden", "domain": "relay.example.com", "db": "relay.db"}
    words = [f"{dashes}{name}={value}" for name, value in flags.items()]
    if not joined:
        words = [part for word in words for part in word.split("=")]
    result = run("relay", *words)
    assert result.exit_code == 0, result.output
    (settings,) = served
    assert settings.relay_place == ("127.0.0.1", 9443)
    assert settings.relay.admin_key.get_secret_value() == "hidden"
    assert settings.relay.public_url == "wss://relay.example.com/ws"
    assert "hidden" not in result.output


def test_flags_that_mean_something_else_here_come_with_cautions(run, served):
    lines = run("relay", "-admin-key", "k", "-domain", "h.example", "-db", "relay.db").stderr.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("magi-exchange: ") for line in lines)
    for word in (
        "RELAY_ADMIN_KEY is safer",
        "EXCHANGE_RELAY__PUBLIC_URL",
        "EXCHANGE_RELAY__TLS_CERTIFICATE_FILE",
        "-db is ignored",
    ):
        assert any(word in line for line in lines)


def test_cautions_are_json_where_the_log_is(run, served, monkeypatch):
    monkeypatch.setenv("LOG_FORMAT", "json")
    (line,) = run("relay", "-db", "relay.db").stderr.splitlines()
    assert "-db is ignored" in json.loads(line)["context"]["text"]


def test_the_key_may_be_in_the_environment_and_a_flag_wins(run, served, monkeypatch):
    monkeypatch.setenv("RELAY_ADMIN_KEY", "old")
    run("relay")
    run("relay", "-admin-key", "new")
    assert [settings.relay.admin_key.get_secret_value() for settings in served] == ["old", "new"]


def test_the_relay_is_on_whatever_the_settings_say(run, served, monkeypatch):
    monkeypatch.setenv("EXCHANGE_RELAY__ENABLED", "false")
    assert run("relay").exit_code == 0
    assert served[0].relay.enabled


@pytest.mark.parametrize("words", [("-addr", "8443"), ("-addr=:https",), ("-domain", "https://h")])
def test_a_flag_that_cannot_be_meant_is_an_error_that_names_it(run, served, words):
    result = run("relay", *words)
    assert result.exit_code == 2
    assert f"{words[0].partition('=')[0]}" in result.stderr
    assert not served


@pytest.mark.parametrize("flag", ["-h", "-help", "--help"])
def test_the_flags_are_explained(run, flag):
    text = " ".join(run("relay", flag).output.split())
    assert all(name in text for name in ("-addr", "-admin-key", "-domain", "-db", "RELAY_ADMIN_KEY", ":8443"))
