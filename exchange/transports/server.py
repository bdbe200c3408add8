"""uvicorn's server without its own ideas about signals and endings."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

GRACEFUL_SECONDS = 3


class Server(uvicorn.Server):
    """Serves one listening socket in the running loop until :meth:`stop`.

    The stock server closes every WebSocket with 1012 when a signal comes, before anybody can say goodbye, and raises the
    signal again afterwards. Here the composition root hears the signals and decides the order (DEL-48).
    """

    def __init__(self, app: ASGIApp, listening: socket.socket, **options: Any) -> None:
        """``options`` are further arguments of ``uvicorn.Config``."""
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=GRACEFUL_SECONDS,
                **{"http": "h11", "ws": "none", **options},
            )
        )
        self._listening = listening
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the composition root."""
        yield

    async def start(self) -> None:
        """Serve; returns when connections are accepted."""
        self.config.load()
        self._task = asyncio.get_running_loop().create_task(self.serve(sockets=[self._listening]))
        while not self.started:
            if self._task.done():
                self._task.result()
                raise RuntimeError("the server ended while it started")
            await asyncio.sleep(0.005)

    def refuse(self) -> None:
        """Accept no more connections; those that are open stay."""
        for server in self.servers:
            server.close()

    async def stop(self) -> None:
        """End: open requests get a few seconds, open sockets a close frame."""
        self.should_exit = True
        if self._task is not None:
            await self._task
