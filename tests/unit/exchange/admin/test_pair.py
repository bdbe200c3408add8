"""``magi-exchange admin pair`` on a real store, in this process."""

import asyncio
import json
import re

import pytest
from typer.testing import CliRunner

from exchange.__main__ import program
from exchange.admin.invitation import link_of, qr_of
from exchange.core.pairs import Role
from exchange.settings import load
from exchange.stores import connect

RELAY = "wss://relay.example.com/ws"
TOKEN = re.compile(r"oc_pair_[0-9a-f]{32}")
ONE = "oc_pair_11112222333344445555666677778888"
TWO = "oc_pair_11119999333344445555666677778888"


@pytest.fixture
def run(valkey, monkeypatch):
    for name in ("PORT", "LOG_FORMAT", "RELAY_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EXCHANGE_REDIS__URL", valkey.url)
    monkeypatch.setenv("EXCHANGE_STORE__DURABILITY", "memory")
    return lambda *words, **options: CliRunner().invoke(program, ["admin", "pair", *words], **options)


@pytest.fixture
def in_store(run, valkey):
    """Do something in the store that the commands use."""

    def do(work):
        async def visit():
            store = await connect(load({"EXCHANGE_REDIS__URL": valkey.url, "EXCHANGE_STORE__DURABILITY": "memory"}))
            try:
                return await work(store.ports.pairs)
            finally:
                await store.close()

        return asyncio.run(visit())

    return do


@pytest.fixture
def two(in_store):
    """Two pairs, of the first of which the phone is connected."""

    async def make(pairs):
        pair = await pairs.create(ONE)
        await pairs.create(TWO, ttl_ms=3_600_000)
        await pairs.enter(pair, Role.PHONE, "sid", "node")

    in_store(make)


def exists(token):
    return lambda pairs: pairs.exists(pairs.pair_of(token))


# --- create -----------------------------------------------------------------------------------------------------------


def test_a_pairing_that_was_made_is_good_at_once(run, in_store):
    result = run("create", "--relay", RELAY)
    assert result.exit_code == 0, result.output
    (token,) = set(TOKEN.findall(result.stdout))
    assert in_store(exists(token))
    assert f"Token   {token}\nRelay   {RELAY}\nLink    {link_of(token, RELAY)}\n" in result.stdout
    assert "until it is revoked" in result.stdout
    assert "it is not shown again" in result.stdout
    assert result.stderr == ""


def test_what_is_made_for_programs_is_json_alone(run, in_store):
    made = json.loads(run("create", "--relay", RELAY, "--json").stdout)
    assert made == {"token": made["token"], "link": link_of(made["token"], RELAY), "relay": RELAY, "ttl_seconds": None}
    assert in_store(exists(made["token"]))


def test_the_life_of_a_token_is_a_setting(run, monkeypatch):
    """CORAL-31"""
    monkeypatch.setenv("EXCHANGE_RELAY__TOKEN_TTL_SECONDS", "3600")
    assert re.search(r"good until 2\d{3}-\d\d-\d\d \d\d:\d\d UTC\.", run("create", "--relay", RELAY).stdout)
    assert json.loads(run("create", "--relay", RELAY, "--json").stdout)["ttl_seconds"] == 3600
    assert all(info["expires_ms"] > info["created_ms"] for info in json.loads(run("list", "--json").stdout))


@pytest.mark.parametrize(("words", "is_drawn"), [((), False), (("--no-qr",), False), (("--qr",), True)])
def test_the_qr_code_is_not_drawn_off_a_terminal_unless_asked_for(run, words, is_drawn):
    result = run("create", "--relay", RELAY, *words)
    (token,) = set(TOKEN.findall(result.stdout))
    assert ("█" in result.stdout) is is_drawn
    assert (qr_of(link_of(token, RELAY), coloured=False) in result.stdout) is is_drawn


def test_an_address_that_no_phone_reaches_comes_with_a_note(run):
    result = run("create")
    assert result.exit_code == 0
    assert "ws://127.0.0.1:8082/coralmux/ws" in result.stdout
    assert "no phone reaches this address" in result.stderr


def test_nothing_is_made_without_an_address_to_tell(run, monkeypatch):
    monkeypatch.setenv("EXCHANGE_LISTEN__PORT", "0")
    result = run("create")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "give it with --relay" in result.stderr
    assert json.loads(run("list", "--json").stdout) == []


@pytest.mark.parametrize("url", ["https://relay.example.com", "relay.example.com", "wss://"])
def test_an_address_that_is_none_is_refused(run, url):
    result = run("create", "--relay", url)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "EXCHANGE_RELAY__PUBLIC_URL from the command line is unusable" in result.stderr
    assert "Traceback" not in result.stderr


# --- list, show -------------------------------------------------------------------------------------------------------


def test_a_list_shows_every_pairing_but_no_token(run, two):
    text = run("list").stdout
    rows = [line.split("\t") for line in text.splitlines()]
    assert [row[0] for row in rows] == ["pairing", ONE[:16], TWO[:16]]
    assert [row[3] for row in rows] == ["connected", "phone", "nobody"]
    assert rows[1][4] == "0 bytes of 500 MiB"
    assert not TOKEN.search(text)


def test_a_list_for_programs_is_json(run, two):
    infos = json.loads(run("list", "--json").stdout)
    assert [(info["pairing"], info["connected"]) for info in infos] == [(ONE[:16], ["phone"]), (TWO[:16], [])]
    assert infos[0]["daily_quota_bytes"] == 524_288_000


def test_nothing_to_list_is_no_error(run):
    assert json.loads(run("list", "--json").stdout) == []
    assert run("list").exit_code == 0


@pytest.mark.parametrize("words", [ONE, ONE[:16], ONE[:13]])
def test_one_pairing_is_shown_by_its_token_or_its_beginning(run, two, words):
    text = run("show", words).stdout
    assert f"Pairing     {ONE[:16]}\n" in text
    assert "Connected   phone\n" in text
    assert not TOKEN.search(text)
    assert json.loads(run("show", words, "--json").stdout)["pairing"] == ONE[:16]


def test_a_token_is_read_from_standard_input(run, two):
    assert f"Pairing     {TWO[:16]}\n" in run("show", "-", input=f" {TWO}\n").stdout


@pytest.mark.parametrize("command", ["show", "revoke"])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("oc_pair_ffff0000", "There is no pairing oc_pair_ffff0000"),
        ("oc_pair_1111", f"2 pairings begin with oc_pair_1111: {ONE[:16]}, {TWO[:16]}"),
        ("oc_pair_", "That is too short"),
        ("-", "That is too short"),
    ],
)
def test_a_pairing_that_is_not_meant_for_sure_is_refused_in_one_sentence(run, two, command, words, sentence):
    result = run(command, words, input="")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(sentence)
    assert result.stderr.count("\n") == 1


# --- revoke -----------------------------------------------------------------------------------------------------------


def test_a_revoked_token_is_void_and_the_operator_hears_who_was_cut_off(run, two, in_store):
    result = run("revoke", ONE, "--yes")
    assert (result.exit_code, result.stdout) == (0, f"Revoked {ONE[:16]}. Connected until now: phone.\n")
    assert not in_store(exists(ONE))
    assert in_store(exists(TWO))
    assert run("revoke", ONE, "--yes").exit_code == 1


def test_a_revocation_for_programs_says_what_is_gone(run, two):
    gone = json.loads(run("revoke", ONE[:16], "--yes", "--json").stdout)
    assert (gone["pairing"], gone["connected"]) == (ONE[:16], ["phone"])


def test_nothing_is_revoked_unasked_where_nobody_can_be_asked(run, two, in_store):
    result = run("revoke", ONE)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "needs --yes" in result.stderr
    assert in_store(exists(ONE))


def test_a_pairing_that_goes_while_the_operator_thinks_is_told_of(run, two, in_store, monkeypatch):
    def somebody_else_was_faster(*_words, **_options):
        in_store(lambda pairs: pairs.delete(pairs.pair_of(ONE)))
        return True

    monkeypatch.setattr("typer.confirm", somebody_else_was_faster)
    monkeypatch.setattr("exchange.admin.pair._can_ask", lambda: True)
    result = run("revoke", ONE)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is gone already" in result.stderr


# --- what all have in common ------------------------------------------------------------------------------------------

COMMANDS = pytest.mark.parametrize(
    "words",
    [("create", "--relay", RELAY), ("list",), ("show", ONE), ("revoke", ONE, "--yes")],
    ids=lambda words: words[0],
)


@COMMANDS
def test_a_store_that_is_away_is_one_sentence_and_a_status_of_its_own(run, words, monkeypatch):
    monkeypatch.setenv("EXCHANGE_REDIS__URL", "redis://u:hidden@127.0.0.1:1/0")
    result = run(*words)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("The store at redis://127.0.0.1:1/0 cannot be used")
    assert result.stderr.count("\n") == 1
    assert "hidden" not in result.stderr


@COMMANDS
def test_where_no_exchange_runs_is_one_sentence(run, words, monkeypatch, tmp_path):
    monkeypatch.delenv("EXCHANGE_REDIS__URL")
    monkeypatch.delenv("EXCHANGE_STORE__DURABILITY")
    monkeypatch.setenv("EXCHANGE_STORE__DATA_DIR", str(tmp_path))
    result = run(*words)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == (
        f"No exchange runs here with the data directory {tmp_path}: start it, or name its store with EXCHANGE_REDIS__URL.\n"
    )


@COMMANDS
def test_settings_can_be_in_a_file(run, words, monkeypatch, tmp_path, two, valkey):
    monkeypatch.delenv("EXCHANGE_REDIS__URL")
    config = tmp_path / "magi.toml"
    config.write_text(f'[redis]\nurl = "{valkey.url}"\n')
    assert run(*words, "--config", str(config)).exit_code == 0


def test_help_comes_with_examples_and_a_warning_about_arguments(run):
    assert all(command in run("--help").output for command in ("create", "list", "show", "revoke"))
    assert "magi-exchange admin pair create --relay" in run("create", "--help").output
    assert "reads it from standard input" in " ".join(run("revoke", "--help").output.split())
