"""Where an address is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.place import parsed, place

PLACES = {
    "": "localhost",
    "127.0.0.1": "localhost",
    "127.255.0.9": "localhost",
    "::1": "localhost",
    "::ffff:127.0.0.1": "localhost",
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.4.5": "private",
    "169.254.1.1": "private",
    "fc00::1": "private",
    "fdff::1": "private",
    "fe80::1": "private",
    "fe80::1%eth0": "private",
    "::ffff:10.0.0.1": "private",
    "::ffff:a00:1": "private",
    "172.15.255.255": "remote",
    "172.32.0.0": "remote",
    "192.169.0.1": "remote",
    "8.8.8.8": "remote",
    "::ffff:8.8.8.8": "remote",
    "2001:db8::1": "remote",
    "fec0::1": "remote",
    "0.0.0.0": "remote",
    "100.64.0.1": "remote",
    "localhost": "remote",
    "not an address": "remote",
    "127.0.0.1:80": "remote",
    "127.0.0.1\n": "remote",
    "1" * 10_000: "remote",
}


@pytest.mark.parametrize(("address", "expected"), PLACES.items(), ids=lambda text: text[:20])
def test_an_address_is_shown_only_as_its_place(address: str, expected: str) -> None:
    assert place(address) == expected


@given(st.one_of(st.text(), st.ip_addresses().map(str), st.none(), st.integers(), st.binary()))
def test_whatever_is_given_the_place_is_one_of_three_words(address: object) -> None:
    assert place(address) in {"localhost", "private", "remote"}


def test_a_mapped_address_is_read_as_the_address_it_stands_for() -> None:
    assert str(parsed("::ffff:10.1.2.3")) == "10.1.2.3"
