"""The listeners of a node: on each a door for WebSockets and a site for HTTP requests."""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from exchange.facts import Facts
from exchange.front import Conversation, Upgrade
from exchange.handlers.pairing import Desk
from exchange.metrics import Metrics
from exchange.settings import Settings
from exchange.transports import http1
from exchange.transports.doorman import Doorman, Wire
from exchange.transports.http import website
from exchange.transports.pairing import pairing
from exchange.transports.proxies import Proxies
from exchange.transports.server import Server
from exchange.transports.wheel import Wheel
from exchange.wires import MAIN, RELAY, RELAY_PATH, Row

Converse = Callable[[Upgrade], Conversation]


class Entrances:
    """Where clients come in. All listeners share one wheel, and one count of connections."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        wires: Sequence[tuple[Row, Converse]],
        facts: Facts,
        desk: Desk,
        *,
        connections_count: Callable[[], int],
        sockets: Mapping[str, socket.socket],
    ) -> None:
        """Prepare; nobody comes in before :meth:`start`.

        Args:
            settings: What was configured.
            metrics: Counts upgrades and responses.
            wires: What is spoken, and who talks.
            facts: What the pages tell.
            desk: Works on pairs.
            connections_count: How many connections there are now.
            sockets: What is listened on, by the listener's name (``exchange.wires``).
        """
        self._settings = settings
        self._metrics = metrics
        self._wires = wires
        self._connections_count = connections_count
        self._wheel = Wheel()
        self._doors: list[Doorman] = []
        self._proxies = Proxies(settings.listen.trusted_proxies, metrics.untrusted_forwarded.inc)

        def site_of_pairs(prefix: str) -> Any:
            return pairing(
                desk,
                facts.paired,
                self._proxies.client_address,
                self._count_response,
                prefix=prefix,
                admin_key=settings.relay.admin_key.get_secret_value(),
                refused=lambda: metrics.auth_failures.inc("relay_admin"),
            )

        mounts = {RELAY_PATH: site_of_pairs(RELAY_PATH)} if settings.relay.enabled else {}
        self._servers = [self._server(website(facts, self._count_response, mounts=mounts), MAIN, sockets[MAIN])]
        if RELAY in sockets:
            self._servers.append(self._server(site_of_pairs(""), RELAY, sockets[RELAY], **self._tls()))

    async def start(self) -> None:
        """Let clients in."""
        for server in self._servers:
            await server.start()

    def refuse(self) -> None:
        """Let no more WebSockets in."""
        for door in self._doors:
            door.refuse()

    async def stop(self) -> None:
        """End what is still open, and listen no more."""
        await asyncio.gather(*(server.stop() for server in self._servers))

    def _server(self, site: Any, listener: str, sock: socket.socket, **options: Any) -> Server:
        transport = http1.options(self._door(listener), self._wheel, self._proxies.client_address)
        return Server(site, sock, **transport, **options)

    def _tls(self) -> dict[str, Any]:
        relay = self._settings.relay
        if relay.tls_certificate_file is None:
            return {}
        return {"ssl_certfile": relay.tls_certificate_file, "ssl_keyfile": relay.tls_key_file}

    def _door(self, listener: str) -> Doorman:
        settings = self._settings
        wires = [
            Wire(row.dialect.name, row.owns[listener], row.rules, converse, row.any_origin)
            for row, converse in self._wires
            if listener in row.owns
        ]
        door = Doorman(
            wires,
            origins=frozenset(origin.lower() for origin in settings.listen.origins),
            connections_count=self._connections_count,
            connections_most=settings.limits.connections_count,
            count=self._metrics.connections_opened.inc,
        )
        self._doors.append(door)
        return door

    def _count_response(self, route: str, status: int) -> None:
        self._metrics.http_requests.inc(route, f"{status // 100}xx")
