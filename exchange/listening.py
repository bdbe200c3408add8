"""The ports of the exchange: reserved by the parent, listened on by every node.

::

    parent   probe, then a placeholder: bound with SO_REUSEPORT, never listening
    node 0   its own socket on the same port, listening when it is ready to serve
    node 1   ...

The kernel spreads connections over the sockets that listen, so a dead node gets none. The placeholder keeps the port
while nodes come and go, and refuses it to another exchange: SO_REUSEPORT alone would let two share it unnoticed.
"""

import errno
import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from exchange.refusal import StartRefused, port_refused

# A peer that takes nothing is given up by the kernel, and the kernel queues little for it (SEC-58). Accepted sockets
# inherit both from the listening one.
USER_TIMEOUT_MS = 30_000
SEND_BUFFER_BYTES = 128 * 1024


def reserve(host: str, port: int, *, variable: str) -> socket.socket:
    """Reserve a port for the nodes of this exchange until the returned socket is closed.

    Args:
        host: Address or name; of a name the first address counts.
        port: 0 picks a free one; ask the returned socket which.
        variable: The setting that chose the port, for the error.

    Raises:
        StartRefused: Another program has the port, or nobody may have it.
    """
    family, address = _resolve(host, port)
    try:
        # Fails if anybody listens or holds a placeholder; connections that linger after an earlier run do not count.
        with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
        try:
            return _bound(family, address, socket.SO_REUSEPORT)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            # The port was free a moment ago: connections of another program's earlier run linger there.
            return _bound(family, address, socket.SO_REUSEPORT, socket.SO_REUSEADDR)
    except OSError as error:
        raise StartRefused(port_refused(error, host, port, variable)) from None


def node_socket(host: str, port: int) -> socket.socket:
    """Return a socket on a reserved port. It does not listen yet: whoever serves it makes it listen when ready.

    Raises:
        OSError: The port is not reserved by a process of this user, or not there.
    """
    family, address = _resolve(host, port)
    bound = _bound(family, address, socket.SO_REUSEPORT, socket.SO_REUSEADDR)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if sys.platform == "linux":
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    bound.setblocking(False)
    return bound


Place = tuple[str, int]
"""Host and port."""


class NodeSockets(NamedTuple):
    """What one node listens on: for clients, for probes and metrics, and for the relay's old port if that is on."""

    main: socket.socket
    ops: socket.socket
    relay: socket.socket | None


@contextmanager
def node_sockets(main: Place, ops: Place, relay: Place | None) -> Iterator[NodeSockets]:
    """Open a :func:`node_socket` for each place, and close them in the end."""
    with ExitStack() as opened:
        first, second = (opened.enter_context(node_socket(*place)) for place in (main, ops))
        yield NodeSockets(first, second, opened.enter_context(node_socket(*relay)) if relay is not None else None)


def port_of(bound: socket.socket) -> int:
    """Return the port of a bound socket."""
    port: int = bound.getsockname()[1]
    return port


def reachable(host: str) -> str:
    """Return the host as a part of a URL that works on this machine: a wildcard becomes loopback."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1"
    return f"[{address}]" if address.version == 6 else str(address)


def _bound(family: socket.AddressFamily, address: tuple[str | int | bytes, ...], *options: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        for option in options:
            bound.setsockopt(socket.SOL_SOCKET, option, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartRefused(f"The address {host} to listen on is unknown: {error.strerror}.") from None
    family, _, _, _, address = found[0]
    return family, address
