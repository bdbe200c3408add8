"""What addresses count as."""

import pytest

from exchange.storage.address import block_of


def test_neighbours_in_one_ipv6_network_count_as_one() -> None:
    assert block_of("2001:db8:1:2::7") == block_of("2001:DB8:1:2:ffff:1:2:3") == "2001:db8:1:2::/64"
    assert block_of("2001:db8:1:3::7") != block_of("2001:db8:1:2::7")


@pytest.mark.parametrize("address", ["198.51.100.7", "", "no address"])
def test_anything_else_counts_for_itself(address: str) -> None:
    assert block_of(address) == address


def test_a_mapped_address_counts_as_what_it_stands_for() -> None:
    assert block_of("::ffff:198.51.100.7") == "198.51.100.7"
