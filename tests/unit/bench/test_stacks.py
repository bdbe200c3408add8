"""Twin of ``bench/stacks.py``."""

import shutil
import subprocess

import pytest

from bench import stacks
from bench.process import Unmeasurable
from bench.stacks import CHAT, EXCHANGE, PEERS, SCENARIOS, STACKS, STORED, STORED_8


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_nodes_do_not_inherit_settings_of_the_exchange(stack, monkeypatch):
    monkeypatch.setenv("EXCHANGE_LOG_FORMAT", "json")
    assert "EXCHANGE_LOG_FORMAT" not in stack.environment()


@pytest.mark.parametrize("stack", [EXCHANGE, STORED, STORED_8, CHAT], ids=lambda stack: stack.name)
def test_limits_do_not_stop_the_load(stack):
    assert stack.environment()["EXCHANGE_LIMITS__ASKS_PER_MINUTE_COUNT"] == "0"
    assert int(stack.environment()["EXCHANGE_RELAY__AGENT_PER_MINUTE_COUNT"]) == 1_000_000


def test_stored_messages_are_on_disk_within_a_second():
    assert STORED.environment()["EXCHANGE_STORE__DURABILITY"] == "local"


def test_scenarios_differ_in_the_clients_and_in_nothing_else():
    assert [(stack.clients.stored, stack.clients.ack_every) for stack in SCENARIOS["live"]] == [(False, 1)]
    stored = [(stack.clients.stored, stack.clients.ack_every) for stack in SCENARIOS["stored"]]
    assert stored == [(True, 1), (True, 8), (False, 1)]
    assert [(stack.clients.chat, stack.clients.stored) for stack in SCENARIOS["chat"]] == [
        (True, False),
        (False, False),
    ]
    assert {stack.command for stacks in SCENARIOS.values() for stack in stacks} == {EXCHANGE.command}
    assert {str(stack.settings) for stacks in SCENARIOS.values() for stack in stacks} == {str(EXCHANGE.settings)}


def test_peers_are_live():
    assert not any(peer.clients.stored or peer.clients.chat for peer in PEERS.values())


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_a_node_is_told_its_port_and_its_redis(stack):
    command = stack.command(4711, "unix:///somewhere/redis.sock")
    assert "4711" in command
    assert command[-1].endswith("/somewhere/redis.sock") or "unix:///somewhere/redis.sock" in command


def test_without_node_the_peer_is_named_missing(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(Unmeasurable, match="node and npm are not installed"):
        STACKS["node_ws"].prepare()


def test_a_failed_install_leaves_nothing_that_looks_installed(monkeypatch, tmp_path):
    def offline(command, **_):
        return subprocess.CompletedProcess(command, 1, b"", b"npm error code EAI_AGAIN\nnpm error more words\n")

    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(subprocess, "run", offline)
    monkeypatch.setattr(stacks, "_NODE_WS", tmp_path / "node_ws")
    with pytest.raises(Unmeasurable, match=r"offline\?\): npm error code EAI_AGAIN"):
        STACKS["node_ws"].prepare()
    assert not (tmp_path / "node_ws").exists()
