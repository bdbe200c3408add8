"""The two connections of a lane: opened together, checked, and ended together (DEL-12)."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial

from exchange.core.errors import StorageUnavailable
from exchange.storage.redis.connection import Break, Connection, Counters, resolve
from exchange.storage.redis.endpoint import Endpoint
from exchange.storage.redis.resp import ReplyError, Word, kind
from exchange.storage.redis.scripts import Script
from exchange.storage.redis.subscription import Subscription

BATCH_COUNT = 512
"""How many channels are asked for before their confirmations are awaited."""
KEEPALIVE_SECONDS = 15


class Pair:
    """``commands`` and ``messages``; the end of either is the end of both."""

    def __init__(
        self,
        counters: Counters,
        *,
        timeout_seconds: float,
        on_break: Callable[[Break], None],
        on_read: Callable[[], None],
        on_message: Callable[[bytes, bytes], None],
    ) -> None:
        """``on_break`` is called once, before the commands that wait are failed."""
        self.broken: Break | None = None
        self._on_break = on_break
        self.commands = Connection(counters, timeout_seconds=timeout_seconds, on_break=self.close, on_read=on_read)
        self.messages = Subscription(
            counters, timeout_seconds=timeout_seconds, on_break=self.close, on_message=on_message
        )

    async def open(self, endpoint: Endpoint, *, connect_timeout_seconds: float, scripts: Sequence[Script]) -> None:
        """Connect, log in, check that the server is the primary, and load the scripts.

        Raises:
            StorageUnavailable: With a cause fit for the operator. It holds no secret.
        """
        try:
            await _dial(endpoint, self.commands, connect_timeout_seconds)
            await _log_in(endpoint, self.commands, "magi-commands")
            await _check_role(self.commands)
            for script in scripts:
                await _step(self.commands, f"loading the script {script.name}", "SCRIPT", "LOAD", script.source)
            await _dial(endpoint, self.messages, connect_timeout_seconds)
            await _log_in(endpoint, self.messages, "magi-messages")
        except StorageUnavailable as error:
            raise StorageUnavailable(f"The store at {endpoint} cannot be used: {error}", sent=False) from error

    async def subscribe(self, channels: Sequence[bytes]) -> None:
        """Subscribe to all channels and wait for every confirmation.

        Raises:
            StorageUnavailable: One was refused, or the connection broke.
        """
        loop = asyncio.get_running_loop()
        for start in range(0, len(channels), BATCH_COUNT):
            futures: list[asyncio.Future[object]] = []
            for channel in channels[start : start + BATCH_COUNT]:
                futures.append(loop.create_future())
                self.messages.subscribe(channel, partial(resolve, futures[-1]))
            for future in futures:
                _expect(self.messages, "subscribing", await future)

    def close(self, why: Break) -> None:
        """End both connections. Once only; later calls do nothing."""
        if self.broken is not None:
            return
        self.broken = why
        self._on_break(why)
        self.commands.close(why)
        self.messages.close(why)

    async def gone(self) -> None:
        """Wait until both sockets are closed."""
        await self.commands.gone()
        await self.messages.gone()


async def _dial(endpoint: Endpoint, connection: Connection, timeout_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    tls = ssl.create_default_context() if endpoint.tls else None
    try:
        async with asyncio.timeout(timeout_seconds):
            if endpoint.path:
                await loop.create_unix_connection(lambda: connection, endpoint.path)
            else:
                transport, _ = await loop.create_connection(lambda: connection, endpoint.host, endpoint.port, ssl=tls)
                _tune(transport.get_extra_info("socket"))
    except TimeoutError:
        raise StorageUnavailable(f"no connection within {timeout_seconds:g} s", sent=False) from None
    except OSError as error:
        raise StorageUnavailable(f"no connection: {error.strerror or error}", sent=False) from error


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Not every system lets us choose after which silence the first of its probes goes out.
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS)


async def _log_in(endpoint: Endpoint, connection: Connection, name: str) -> None:
    if endpoint.password:
        credentials = (endpoint.user, endpoint.password) if endpoint.user else (endpoint.password,)
        await _step(connection, "logging in", "AUTH", *credentials)
    if endpoint.db:
        await _step(connection, f"choosing database {endpoint.db}", "SELECT", endpoint.db)
    await _step(connection, "naming the connection", "CLIENT", "SETNAME", name)


async def _check_role(connection: Connection) -> None:
    role = await connection.reply("ROLE")
    if isinstance(role, ReplyError) and kind(role) == "NOPERM":
        return  # an ACL may keep it from us; a write to a replica still ends the connection (Break.DEMOTED)
    _expect(connection, "asking for its role", role)
    if not isinstance(role, list) or role[0] != b"master":
        raise StorageUnavailable("it is not a primary", sent=False)


async def _step(connection: Connection, doing: str, *command: Word) -> None:
    _expect(connection, doing, await connection.reply(*command))


def _expect(connection: Connection, doing: str, reply: object) -> None:
    if isinstance(reply, ReplyError):
        raise StorageUnavailable(f"{doing}: {reply}", sent=False)
    if isinstance(reply, StorageUnavailable):
        raise StorageUnavailable(f"{doing}: the connection broke ({connection.broken})", sent=False)
