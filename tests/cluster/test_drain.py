"""A node of two is told to end: real processes, real sockets (DEL-48, DEL-49, MAGI-54)."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.harness.cluster import HOST, Cluster, Program, cluster
from tests.harness.waiting import WAIT_SECONDS, eventually

PACE = {
    "EXCHANGE_DRAIN__NOTICE_SECONDS": "2",
    "EXCHANGE_DRAIN__WINDOW_SECONDS": "3",
    "EXCHANGE_DRAIN__FLUSH_SECONDS": "5",
    "EXCHANGE_DRAIN__TOTAL_SECONDS": "20",
}
SLOW = PACE | {"EXCHANGE_DRAIN__NOTICE_SECONDS": "60", "EXCHANGE_DRAIN__TOTAL_SECONDS": "100"}
QUICK = PACE | {"EXCHANGE_DRAIN__NOTICE_SECONDS": "1", "EXCHANGE_DRAIN__WINDOW_SECONDS": "1"}

pytestmark = pytest.mark.serial


class Client:
    """One connection, what it heard, and how it ended."""

    def __init__(self, socket: ClientConnection, name: str) -> None:
        self.socket = socket
        self.name = name
        self.types: list[str] = []
        self.code = 0
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        try:
            async for message in self.socket:
                self.types.append(json.loads(message)["type"])
        except ConnectionClosed:
            pass
        self.code = self.socket.close_code or 0


async def enter(node: Program, name: str, *, features: tuple[str, ...] = ()) -> Client:
    """Connect and identify; features make an extended client."""
    client = Client(await connect(node.url, proxy=None), name)
    extended = {"features": features} if features else {}
    await client.socket.send(json.dumps({"type": "identify", "username": name, **extended}))
    await eventually(lambda: "identified" in client.types)
    return client


@contextlib.asynccontextmanager
async def crowd(node: Program, count: int) -> AsyncIterator[list[Client]]:
    """Fill a node: every tenth client is extended."""
    clients: list[Client] = []
    try:
        for start in range(0, count, 50):
            names = [f"user{number}" for number in range(start, min(start + 50, count))]
            features = [("ids", "resume") if number % 10 == 0 else () for number in range(len(names))]
            clients += await asyncio.gather(
                *(enter(node, name, features=wanted) for name, wanted in zip(names, features, strict=True))
            )
        yield clients
    finally:
        for client in clients:
            await client.socket.close()
            await client.task


async def ask(node: Program, path: str, *, method: str = "GET", ops: bool = False) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
        return await http.request(method, f"http://{HOST}:{node.ops_port if ops else node.port}{path}")


async def reasons(node: Program) -> list[str]:
    return (await ask(node, "/ready", ops=True)).json()["reasons"]


async def ended(node: Program) -> int:
    assert node.process is not None
    return await asyncio.to_thread(node.process.wait, WAIT_SECONDS)


def two(settings: dict[str, str]) -> contextlib.AbstractContextManager[Cluster]:
    return cluster(2, settings=settings)


async def test_a_drain_is_noticed_told_paced_and_complete() -> None:
    with two(PACE) as running:
        leaving, staying = running.nodes
        async with crowd(leaving, 200) as clients:
            leaving.signal(signal.SIGTERM)
            await eventually(lambda: _draining(leaving))
            late = await enter(leaving, "late")  # during the notice everything is served
            clients.append(late)
            refusal = await eventually(lambda: _refusal(leaving))
            assert refusal.status_code == 503
            assert refusal.headers["Retry-After"]
            await eventually(lambda: 0 < sum(1 for client in clients if client.code) < len(clients))
            await eventually(lambda: all(client.code for client in clients))
            assert {client.code for client in clients} == {1001}
            told = [client for client in clients if "draining" in client.types]
            assert sorted(client.name for client in told) == sorted(f"user{number}" for number in range(0, 200, 10))
            # Whoever was closed finds its name free at once.
            again = await enter(staying, "user1")
            await again.socket.close()
            await again.task
        assert await ended(leaving) == 0
        assert await reasons(staying) == []
        assert "drain.unfinished" not in leaving.log.read_text()


async def _draining(node: Program) -> bool:
    return await reasons(node) == ["draining"]


async def _refusal(node: Program) -> object:
    """Try to connect; return the response of a refused upgrade."""
    try:
        async with connect(node.url, proxy=None):
            return None
    except InvalidStatus as error:
        return error.response


async def test_the_second_signal_ends_a_drain_at_once() -> None:
    with two(SLOW) as running:
        node = running.nodes[0]
        async with crowd(node, 3):
            node.signal(signal.SIGTERM)
            await eventually(lambda: _draining(node))
            node.signal(signal.SIGTERM)
            assert await ended(node) == 130


async def test_a_drain_that_was_asked_for_by_http_is_the_same_and_the_signal_behind_it_is_no_impatience() -> None:
    with two(QUICK) as running:
        node = running.nodes[0]
        async with crowd(node, 20) as clients:
            for _ in range(2):
                assert (await ask(node, "/drain", method="POST", ops=True)).status_code == 202
            await eventually(lambda: _draining(node))
            node.signal(signal.SIGTERM)
            await eventually(lambda: all(client.code for client in clients))
            assert {client.code for client in clients} == {1001}
        assert await ended(node) == 0


async def test_a_node_that_is_alone_ends_without_notice_and_pacing() -> None:
    with cluster(1, settings=SLOW | {"EXCHANGE_DRAIN__WINDOW_SECONDS": "30"}) as running:
        (node,) = running.nodes
        async with crowd(node, 50) as clients:
            node.signal(signal.SIGTERM)
            await eventually(lambda: all(client.code for client in clients))
            assert {client.code for client in clients} == {1001}
        assert await ended(node) == 0


async def test_two_nodes_that_end_together_do_not_wait_for_each_other() -> None:
    with two(SLOW | {"EXCHANGE_DRAIN__WINDOW_SECONDS": "30"}) as running:
        for node in running.nodes:
            node.signal(signal.SIGTERM)
        assert [await ended(node) for node in running.nodes] == [0, 0]


async def test_a_node_whose_store_is_away_ends_in_its_time_all_the_same() -> None:
    settings = QUICK | {"EXCHANGE_DRAIN__FLUSH_SECONDS": "1", "EXCHANGE_DRAIN__TOTAL_SECONDS": "6"}
    with cluster(1, settings=settings) as running:
        (node,) = running.nodes
        async with crowd(node, 5) as clients:
            running.valkey.stop()
            node.signal(signal.SIGTERM)
            await eventually(lambda: all(client.code for client in clients))
            assert {client.code for client in clients} == {1001}
        assert await ended(node) == 0
