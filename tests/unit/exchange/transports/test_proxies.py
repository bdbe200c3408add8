"""Who a client is, whatever it says."""

from ipaddress import ip_network

import pytest

from exchange.transports.proxies import Proxies

PROXY, OTHER_PROXY, CLIENT, STRANGER = "10.0.0.1", "10.0.0.2", "192.0.2.7", "203.0.113.9"
TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.fixture
def proxies() -> Proxies:
    return Proxies(TRUSTED)


def test_without_the_header_it_is_the_peer(proxies):
    assert proxies.client_address(CLIENT, []) == CLIENT
    assert proxies.client_address(PROXY, []) == PROXY


def test_a_trusted_proxy_is_believed(proxies):
    assert proxies.client_address(PROXY, [CLIENT]) == CLIENT


def test_what_the_client_wrote_itself_is_not_believed(proxies):
    assert proxies.client_address(PROXY, [f"{STRANGER}, {CLIENT}"]) == CLIENT
    assert proxies.client_address(PROXY, [STRANGER, CLIENT]) == CLIENT


def test_a_row_of_proxies_is_seen_through(proxies):
    assert proxies.client_address(PROXY, [f"{CLIENT},{OTHER_PROXY}"]) == CLIENT


def test_a_request_from_within_is_from_the_peer(proxies):
    assert proxies.client_address(PROXY, [OTHER_PROXY]) == PROXY


@pytest.mark.parametrize("item", ["", "unknown", "192.0.2.7:1234", "[2001:db8::1]", "a" * 10_000])
def test_what_is_no_address_ends_the_trust(proxies, item):
    assert proxies.client_address(PROXY, [f"{CLIENT}, {item}"]) == PROXY


def test_ipv6_is_understood_and_told_in_one_way(proxies):
    assert proxies.client_address("fd00::1", ["2001:DB8:0::1"]) == "2001:db8::1"
    assert proxies.client_address("::ffff:10.0.0.1", ["::ffff:192.0.2.7"]) == CLIENT


def test_nobody_is_trusted_by_default():
    assert Proxies(()).client_address(PROXY, [CLIENT]) == PROXY


def test_a_header_from_somebody_else_is_noticed():
    noticed = []
    proxies = Proxies(TRUSTED, lambda: noticed.append(1))
    assert proxies.client_address(STRANGER, [CLIENT]) == STRANGER
    assert proxies.client_address("", [CLIENT]) == "", "a unix socket is nobody's proxy unless it is configured"
    assert len(noticed) == 2
    proxies.client_address(PROXY, [CLIENT])
    proxies.client_address(STRANGER, [])
    assert len(noticed) == 2
