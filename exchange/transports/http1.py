"""HTTP/1.1 at the front door: uvicorn's protocol with a deadline for the head and our own way up to a WebSocket."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from exchange.front import Doorman
from exchange.transports.handshake import ClientAddress, answer
from exchange.transports.outbox import Outbox
from exchange.transports.websocket import WebSocket
from exchange.transports.wheel import Wheel

HEAD_SECONDS = 5.0
HEAD_BYTES = 64 * 1024
_PIECE_BYTES = 4 * 1024


def peer_address(peer: str, forwarded: Sequence[str]) -> str:  # noqa: ARG001  nobody's word is trusted
    """Say that the client is the peer: no proxy is trusted."""
    return peer


def options(doorman: Doorman, wheel: Wheel, client_address: ClientAddress = peer_address) -> dict[str, Any]:
    """Return the arguments of ``uvicorn.Config`` that put this transport in place."""
    return {
        "http": partial(Http1, doorman=doorman, wheel=wheel, outbox=Outbox(), client_address=client_address),
        "ws": WebSocket,  # uvicorn only looks whether there is one; `Http1` makes it
        "h11_max_incomplete_event_size": HEAD_BYTES,
    }


class Http1(H11Protocol):
    """One HTTP connection, until it closes or becomes a WebSocket.

    A peer that has connected, or has begun another request, has ``HEAD_SECONDS`` to complete the head of the request
    (SEC-58). A head has at most ``HEAD_BYTES``, give or take a piece.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        doorman: Doorman,
        wheel: Wheel,
        outbox: Outbox,
        client_address: ClientAddress,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.access_log = False  # it holds paths with their queries (SEC-35), and logging set-ups bring it back
        self._doorman = doorman
        self._wheel = wheel
        self._outbox = outbox
        self._client_address = client_address
        self._head_since: float | None = None
        self._socket: WebSocket | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        super().connection_made(transport)
        self._wheel.add(self)
        self._head_since = self._wheel.now

    def connection_lost(self, exc: Exception | None) -> None:
        self._wheel.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # h11 weighs a head only while it is incomplete, so it must not get a long one in one piece.
        while len(data) > _PIECE_BYTES and self.conn.their_state is h11.IDLE:
            self._feed(data[:_PIECE_BYTES])
            data = data[_PIECE_BYTES:]
        self._feed(data)

    def _feed(self, data: bytes) -> None:
        if self._socket is not None:
            self._socket.data_received(data)
        elif not self.transport.is_closing():
            if self._head_since is None and self.conn.their_state is h11.IDLE:
                self._head_since = self._wheel.now
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._head_since = None

    def visit(self, now: float) -> None:
        """Close a connection whose request head takes too long."""
        if self._head_since is not None and now - self._head_since >= HEAD_SECONDS:
            self.transport.abort()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        early, _ = self.conn.trailing_data
        response, welcome = answer(event, self.client[0] if self.client else "", self._doorman, self._client_address)
        if welcome is None:
            self.transport.write(response.serialize())
            self.transport.close()
            return
        self._wheel.remove(self)
        self.connections.discard(self)
        self._socket = WebSocket(
            self.transport, welcome, wheel=self._wheel, outbox=self._outbox, connections=self.connections
        )
        self.transport.set_protocol(self._socket)
        self._socket.start(response.serialize(), early)
