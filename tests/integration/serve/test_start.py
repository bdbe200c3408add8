"""``magi-exchange serve`` as a person starts it: the real nodes, the real worker, the embedded Valkey (OPS-15)."""

import asyncio
import json
import os
import signal
import sys
import urllib.request
from urllib.error import HTTPError

import pytest
import redis
from websockets.asyncio.client import connect

from tests.harness.waiting import WAIT_SECONDS, eventually
from tests.integration.serve.exchange_process import ExchangeProcess, alive, assert_refused, children

SERVE = (sys.executable, "-m", "exchange", "serve")


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(*options: str, **environ: str) -> ExchangeProcess:
        started.append(ExchangeProcess(tmp_path, (*SERVE, *options), **environ))
        return started[-1]

    yield begin
    for process in started:
        process.clean_up()


async def test_a_first_client_is_served_and_the_end_is_in_order(start):
    served = start("--nodes", "2")
    facts = await served.started()
    async with connect(facts["websocket"], proxy=None) as client, asyncio.timeout(WAIT_SECONDS):
        assert json.loads(await client.recv())["type"] == "connected"
        await client.send('{"type": "identify", "username": "ann@example.com"}')
        assert json.loads(await client.recv())["type"] == "identified"
        served.signal(signal.SIGTERM)
        await client.wait_closed()
    assert await served.status() == 0
    assert "Traceback" not in served.err.read_text() + served.out.read_text()


@pytest.mark.parametrize("page", ["page", "health", "metrics"])
async def test_what_the_banner_names_can_be_opened(start, page):
    facts = await start().started()
    urls = {"page": facts["page"], "health": f"{facts['page']}health", "metrics": facts["metrics"][0]}
    status = await asyncio.to_thread(lambda: urllib.request.urlopen(urls[page], timeout=WAIT_SECONDS).status)
    assert status == 200


async def test_the_banner_is_for_people_unless_json_is_asked_for(start):
    served = start(LOG_FORMAT="text")
    await served.said(" -m websockets ws://127.0.0.1:")


async def test_every_line_of_a_json_start_is_json(start):
    served = start()
    await served.started()
    served.signal(signal.SIGINT)
    assert await served.status() == 0
    for line in (served.out.read_text() + served.err.read_text()).splitlines():
        assert json.loads(line)["message"]


async def test_one_process_with_a_redis_of_its_own_serves_and_ends_in_order(start, valkey):
    served = start("--redis-url", valkey.url, EXCHANGE_STORE__DURABILITY="memory")
    facts = await served.started()
    async with connect(facts["websocket"], proxy=None) as client, asyncio.timeout(WAIT_SECONDS):
        await client.recv()
        served.signal(signal.SIGTERM)
        await client.wait_closed()
    assert await served.status() == 0


async def test_a_node_that_is_killed_comes_back(start):
    served = start()
    facts = await served.started()
    nodes = [pid for pid in children(served.pid) if "node" in _command(pid)]
    os.kill(nodes[0], signal.SIGKILL)
    await served.said("node 0 is back")
    async with connect(facts["websocket"], proxy=None) as client, asyncio.timeout(WAIT_SECONDS):
        assert json.loads(await client.recv())["type"] == "connected"
    assert not alive(nodes[0])


@pytest.mark.parametrize("worker", ["true", "false"])
async def test_a_redis_that_is_not_there_is_one_sentence(start, worker):
    served = start(EXCHANGE_REDIS__URL="redis://u:hidden@127.0.0.1:1/0", EXCHANGE_WORKER__EMBEDDED=worker)
    await assert_refused(served, "The store at redis://127.0.0.1:1/0 cannot be used")
    assert "hidden" not in served.err.read_text()


async def test_a_redis_that_evicts_is_one_sentence(start, own_valkey):
    with redis.Redis(unix_socket_path=str(own_valkey.socket)) as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
    await assert_refused(start(EXCHANGE_REDIS__URL=own_valkey.url), "it must be set to noeviction")


def _command(pid: int) -> list[str]:
    with open(f"/proc/{pid}/cmdline") as file:
        return file.read().split("\0")


async def test_a_store_below_the_level_refuses_the_start_in_one_sentence(start, own_valkey):
    served = start("--redis-url", own_valkey.url)
    await assert_refused(
        served, "or set EXCHANGE_STORE__DURABILITY=memory if a restart of the store may lose everything."
    )


async def test_replication_needs_a_store_of_its_own(start):
    served = start(EXCHANGE_STORE__DURABILITY="replicated")
    await assert_refused(served, "needs a primary with replicas; the embedded Valkey has none")


async def test_a_start_with_replicas_has_a_lane_more_and_says_what_it_promises(start, replicated):
    served = start("--redis-url", replicated.primary.url, EXCHANGE_STORE__DURABILITY="replicated")
    facts = await served.started()
    assert facts["durability"] == "replicated"

    def read(url: str) -> str:
        return urllib.request.urlopen(url, timeout=WAIT_SECONDS).read().decode()

    metrics = await asyncio.to_thread(read, facts["metrics"][0])
    assert 'exchange_redis_up{lane="commit"} 1.0' in metrics
    assert 'durability="replicated"' in metrics
    for path in ("api/stats", "api/status"):
        assert json.loads(await asyncio.to_thread(read, f"{facts['page']}{path}"))["durability"] == "replicated"
    served.signal(signal.SIGTERM)
    assert await served.status() == 0


async def test_a_store_that_falls_below_the_level_later_takes_the_node_out_of_service(start, own_valkey):
    with redis.Redis(unix_socket_path=str(own_valkey.socket)) as store:
        store.config_set("appendonly", "yes")
        served = start("--redis-url", own_valkey.url)
        facts = await served.started()

        def reasons() -> list[str]:
            try:
                return json.load(urllib.request.urlopen(f"{facts['page']}ready", timeout=WAIT_SECONDS))["reasons"]
            except HTTPError as error:
                with error:
                    return json.load(error)["reasons"]

        async def told(*wanted: str) -> bool:
            return tuple(await asyncio.to_thread(reasons)) == wanted

        assert await told()
        store.config_set("appendonly", "no")
        await eventually(lambda: told("durability"))
        store.config_set("appendonly", "yes")
        await eventually(told)
