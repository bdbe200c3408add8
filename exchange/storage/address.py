"""What an address counts as where addresses are limited (SEC-22). Pure."""

from ipaddress import IPv6Address, IPv6Network

from exchange.place import parsed


def block_of(address: str) -> str:
    """Return the /64 of an IPv6 address, because that is what one customer gets; anything else stays as it is."""
    found = parsed(address)
    if found is None:
        return address
    return str(IPv6Network((int(found), 64), strict=False)) if isinstance(found, IPv6Address) else str(found)
