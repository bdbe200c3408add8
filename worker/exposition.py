"""The worker's metrics on a port of their own."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from exchange.refusal import StartRefused, port_refused


@contextmanager
def exposed(registry: CollectorRegistry, host: str, port: int) -> Iterator[int]:
    """Serve a registry in a thread until the end of the block; gives the port, which a port of 0 lets the system pick.

    Raises:
        StartRefused: Another program has the port, or nobody may have it.
    """
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise StartRefused(port_refused(error, host, port, "EXCHANGE_WORKER__METRICS_PORT")) from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
