"""The rows of the wires, from the settings."""

import pytest

from exchange.banner import LISTENER_PATH, RELAY_PATH
from exchange.core.commands import PassOn, Send
from exchange.front import Ending
from exchange.settings import Settings
from exchange.wires import MAIN, RELAY, metrics_of, wires


def rows(**relay):
    return wires(Settings().changed(relay=relay), lambda: 0)


def test_the_public_wire_comes_first_and_there_is_one():
    assert [row.public for row in rows()] == [True, False]
    assert [row.carries for row in rows()] == [Send, PassOn]


def test_the_relay_can_be_switched_off():
    assert [row.dialect.name for row in rows(enabled=False)] == ["magi"]


PATHS = ("/", "/bx", "/bx/", "/bxyz", "/ws", "/coralmux/ws", "/coralmux", "/coralmux/ws/", "/other")


@pytest.mark.parametrize("path", PATHS)
def test_no_path_of_a_listener_belongs_to_two_wires(path):
    """WIRE-1"""
    for listener in (MAIN, RELAY):
        assert sum(row.owns[listener](path) for row in rows() if listener in row.owns) <= 1


def test_each_wire_owns_its_paths():
    """MAGI-1, CORAL-1: on the main port /ws is nobody's"""
    magi, relay = rows()
    assert [path for path in PATHS if magi.owns[MAIN](path)] == ["/", "/bx", "/bx/", "/bxyz"]
    assert [path for path in PATHS if relay.owns[MAIN](path)] == ["/coralmux/ws"]
    assert [path for path in PATHS if relay.owns[RELAY](path)] == ["/ws"]
    assert RELAY not in magi.owns


def test_what_operators_are_told_is_where_the_relay_is():
    relay = rows()[1]
    assert relay.owns[MAIN](RELAY_PATH)
    assert relay.owns[RELAY](LISTENER_PATH)


def test_a_stranger_of_the_relay_has_one_small_message_and_a_deadline():
    """CORAL-6"""
    relay = rows(auth_seconds=7.0)[1]
    assert relay.rules.message_bytes == relay.rules.outer_bytes == 64 * 1024
    assert relay.rules.idle_seconds == 7.0
    assert relay.rules.idle_close == relay.dialect.closes[Ending.IDLE] == (1008, "")


def test_a_member_of_the_relay_may_send_five_mebibytes_and_be_silent():
    """CORAL-5, CORAL-20, CORAL-23"""
    rules = rows(ping_seconds=11.0, silence_seconds=44.0, stall_seconds=5.0, queue_bytes=9 << 20)[1].member_rules
    assert rules is not None
    assert (rules.message_bytes, rules.outer_bytes) == (5 << 20, 8 << 20)
    assert (rules.ping_seconds, rules.silence_seconds, rules.stall_seconds) == (11.0, 44.0, 5.0)
    assert (rules.idle_seconds, rules.buffer_bytes) == (0.0, 9 << 20)


@pytest.mark.parametrize(("enabled", "lanes"), [(True, {"main", "bulk"}), (False, {"main"})])
def test_the_metrics_know_wires_and_lanes_from_the_start(enabled, lanes):
    settings = Settings().changed(relay={"enabled": enabled})
    metrics = metrics_of(settings, wires(settings, lambda: 0))
    assert set(metrics.hot) == ({"magi", "coralmux"} if enabled else {"magi"})
    _, body = metrics.exposition("")
    text = body.decode()
    assert {lane for lane in ("main", "bulk", "commit") if f'exchange_redis_up{{lane="{lane}"}}' in text} == lanes
