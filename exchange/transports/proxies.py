"""Who a client is when proxies stand between it and us (SEC-55)."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from exchange.place import parsed

Network = IPv4Network | IPv6Network


class Proxies:
    """Believes ``X-Forwarded-For`` from configured proxies only: the rightmost address that is not itself a proxy."""

    def __init__(self, trusted: Sequence[Network], untrusted: Callable[[], None] = lambda: None) -> None:
        """``untrusted`` is told when somebody else sends the header: perhaps a proxy that nobody configured."""
        self._trusted = tuple(trusted)
        self._untrusted = untrusted

    def client_address(self, peer: str, forwarded: Sequence[str]) -> str:
        """Return the client's address as text; the peer's own if no proxy vouches for another."""
        if not forwarded:
            return peer
        if not self._trusts(parsed(peer)):
            self._untrusted()
            return peer
        for item in reversed(",".join(forwarded).split(",")):
            address = parsed(item.strip())
            if address is None:
                return peer
            if not self._trusts(address):
                return str(address)
        return peer

    def _trusts(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)
