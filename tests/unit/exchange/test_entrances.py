"""The listeners of a node over real sockets."""

import contextlib
import socket

import httpx2
import pytest
from pydantic import SecretStr

from exchange.core.pairs import Role, Usage
from exchange.entrances import Entrances
from exchange.front import Ending
from exchange.settings import Settings
from exchange.wires import MAIN, RELAY, metrics_of, wires
from tests.harness.waiting import eventually

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


class Talk:
    """A conversation that says nothing."""

    open_count = 0

    def opened(self, socket):
        Talk.open_count += 1

    def received(self, message):
        raise AssertionError(message)

    def oversized(self):
        raise AssertionError("oversized")

    def ended(self, ending):
        assert isinstance(ending, Ending)
        Talk.open_count -= 1


class Facts:
    def health(self):
        return {"status": "ok", "service": "magi-exchange"}

    def reasons(self):
        return ()

    async def paired(self):
        return 3, 2


class Desk:
    registrations_per_hour = 5

    async def connected(self, token):
        return frozenset({Role.PHONE}) if token == "known" else frozenset()

    async def usage(self, token):
        return Usage(1, 2, 3, 4) if token == "known" else None


@contextlib.asynccontextmanager
async def entrances(listeners=(MAIN, RELAY), **relay):
    Talk.open_count = 0
    settings = Settings().changed(relay=relay)
    rows = wires(settings, lambda: 0)
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in listeners}
    ports = {name: sock.getsockname()[1] for name, sock in sockets.items()}
    metrics = metrics_of(settings, rows)
    spoken = [(row, lambda _upgrade: Talk()) for row in rows]
    made = Entrances(
        settings, metrics, spoken, Facts(), Desk(), connections_count=lambda: Talk.open_count, sockets=sockets
    )
    await made.start()
    try:
        yield made, ports, metrics
    finally:
        await made.stop()


async def status(port, path):
    """Ask for an upgrade and return what the server makes of it."""
    async with (
        httpx2.AsyncClient() as client,
        client.stream("GET", f"http://127.0.0.1:{port}{path}", headers=UPGRADE) as r,
    ):
        return r.status_code


async def get(port, path):
    async with httpx2.AsyncClient() as client:
        return await client.get(f"http://127.0.0.1:{port}{path}")


@pytest.mark.parametrize(
    ("listener", "path", "expected"),
    [
        (MAIN, "/", 101),
        (MAIN, "/bx", 101),
        (MAIN, "/coralmux/ws", 101),
        (MAIN, "/ws", 404),
        (RELAY, "/ws", 101),
        (RELAY, "/", 404),
        (RELAY, "/coralmux/ws", 404),
    ],
)
async def test_each_listener_has_its_own_paths(listener, path, expected):
    """WIRE-1, CORAL-1"""
    async with entrances() as (_, ports, _metrics):
        assert await status(ports[listener], path) == expected


async def test_each_listener_has_its_own_pages():
    """WIRE-1: /health means different things to different clients."""
    async with entrances() as (_, ports, _metrics):
        assert (await get(ports[MAIN], "/health")).json()["service"] == "magi-exchange"
        for port, prefix in ((ports[MAIN], "/coralmux"), (ports[RELAY], "")):
            health = (await get(port, f"{prefix}/health")).json()
            assert (health["connections"], health["sessions"]) == (3, 2)
            assert (await get(port, f"{prefix}/api/v1/pair/known")).json() == {"phone": True, "agent": False}
        assert (await get(ports[MAIN], "/api/v1/pair/known")).status_code == 404
        assert (await get(ports[RELAY], "/api/stats")).status_code == 404


async def test_without_the_relay_nothing_of_it_is_there():
    async with entrances((MAIN,), enabled=False) as (_, ports, _metrics):
        assert await status(ports[MAIN], "/coralmux/ws") == 404
        assert (await get(ports[MAIN], "/coralmux/health")).status_code == 404
        assert await status(ports[MAIN], "/bx") == 101


async def test_who_is_refused_is_refused_at_every_door():
    async with entrances() as (made, ports, metrics):
        made.refuse()
        for port, path in ((ports[MAIN], "/bx"), (ports[MAIN], "/coralmux/ws"), (ports[RELAY], "/ws")):
            assert await status(port, path) == 503
        assert metrics.connections_opened.value("coralmux", "draining") == 2
        assert (await get(ports[MAIN], "/health")).status_code == 200


async def test_a_wrong_admin_key_is_counted():
    """CORAL-29"""
    async with (
        entrances((MAIN,), admin_key=SecretStr("the right key")) as (_, ports, metrics),
        httpx2.AsyncClient() as client,
    ):
        url = f"http://127.0.0.1:{ports[MAIN]}/coralmux/api/v1/pair"
        assert (await client.post(url, headers={"X-Admin-Key": "wrong"})).status_code == 401
        assert metrics.auth_failures.value("relay_admin") == 1


async def test_connections_of_all_listeners_end_with_them():
    async with entrances() as (made, ports, _metrics):
        readers = []
        for port, path in ((ports[MAIN], "/coralmux/ws"), (ports[RELAY], "/ws")):
            head = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE.items())
            sock = socket.create_connection(("127.0.0.1", port))
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
            readers.append(sock)
        await eventually(lambda: Talk.open_count == 2)
        await made.stop()
        await eventually(lambda: Talk.open_count == 0)
        for sock in readers:
            sock.close()
