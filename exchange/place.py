"""Where an address is, as far as logs and pages may say (MAGI-42). Pure."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_ADDRESS_CHARACTERS = 64
_PRIVATE = tuple(
    ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)


def parsed(text: object) -> IPv4Address | IPv6Address | None:
    """Return the address that ``text`` is, an IPv4 address if it is a mapped one, or ``None`` if it is none."""
    if not isinstance(text, str) or len(text) > _ADDRESS_CHARACTERS:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def place(text: object) -> str:
    """Return ``localhost``, ``private`` or ``remote``.

    An empty address is that of a Unix socket: ``localhost``. What is no address is ``remote``.
    """
    if text == "":
        return "localhost"
    address = parsed(text)
    if address is None:
        return "remote"
    if address.is_loopback:
        return "localhost"
    return "private" if any(address in network for network in _PRIVATE) else "remote"
