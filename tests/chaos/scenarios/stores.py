"""The store ends, or only what it has to tell does not arrive: T5, T9."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import reduce
from pathlib import Path

import redis.asyncio as redis

from tests.chaos.history import Op
from tests.chaos.load import Load
from tests.chaos.pace import pause
from tests.chaos.proxy import Faults, Passage, Proxy
from tests.chaos.rig import SOUND, Rig
from tests.chaos.stage import KEPT, LOCAL, QUICK, Outcome, Stage, joined, stage
from tests.harness.valkey import Valkey

PAIRS = 15
RATE = 100.0
WAITING = 5
"""Letters for somebody who is away, at each end of the store."""
SERVING_SECONDS = 5.0
DELAY_SECONDS = 12.0
SYNCED = {"EXCHANGE_STORE__DURABILITY": "synced"}
TORN = b"*3\r\n$3\r\nSET\r\n$4\r\ntorn\r\n$9\r\nhalf a va"
"""The beginning of a command, as a crash in the middle of a write leaves it."""
SUBSCRIBE = b"$9\r\nsubscribe\r\n"


def _kill(valkey: Valkey) -> None:
    valkey.stop()


def _terminate(valkey: Valkey) -> None:
    valkey.terminate()


def _tear(valkey: Valkey) -> None:
    """Kill it in the middle of a write."""
    valkey.stop()
    newest = max(Path(valkey.directory).glob("appendonlydir/*.incr.aof"), key=lambda path: path.stat().st_mtime)
    with newest.open("ab") as file:
        file.write(TORN)


ENDS: dict[str, Callable[[Valkey], None]] = {
    "kill -9 of the store": _kill,
    "SIGTERM to the store": _terminate,
    "kill -9 of the store in a write": _tear,
}


async def ended_stores(size: int, seed: int, *, rig: Rig = SOUND) -> Outcome:
    """T5: the store ends in three ways and is started again on the same files; ``size`` times, a quarter of it ``always``."""
    always = max(1, size // 4)
    parts = ((size - always, "everysec"), (always, "always"))
    outcomes = [
        await _ended_store(seed + number, rounds, fsync, rig) for number, (rounds, fsync) in enumerate(parts) if rounds
    ]
    return reduce(joined, outcomes)


async def _ended_store(seed: int, rounds: int, fsync: str, rig: Rig) -> Outcome:
    """Play some rounds with one policy, and with the lease times of the product: nobody may be reaped for an outage."""
    settings = SYNCED if fsync == "always" else LOCAL
    options = (*KEPT, "--appendfsync", fsync)
    async with stage("T5", seed, nodes=2, settings=settings, store_options=options, rig=rig) as scene:
        pairs = await scene.pairs(PAIRS)
        sender, absent = await scene.pair()
        await absent.leave()
        async with Load(scene, pairs, RATE) as load:
            for number in range(rounds):
                await load.grow(int(RATE))
                await asyncio.gather(*(sender.send(absent.name).final for _ in range(WAITING)))
                await _end_store(scene, *list(ENDS.items())[number % len(ENDS)])
        await scene.settle()
        scene.require(not scene.logged("node.reaped"), "a node was taken for dead")
        closed = sum(record.op is Op.CLOSED and record.client != absent.name for record in scene.history.records)
        scene.require(not closed, f"{closed} sessions ended with the store")
        return await scene.outcome()


async def _end_store(scene: Stage, what: str, end: Callable[[Valkey], None]) -> None:
    with scene.fault(what):
        await asyncio.to_thread(end, scene.box.valkey)
        await pause(scene.random.uniform(0, 1))
        await asyncio.to_thread(scene.box.valkey.start)
    since = scene.history.clock()

    async def serves() -> bool:
        return scene.first_after(Op.OK, since) < float("inf")

    with contextlib.suppress(AssertionError):  # then it never was, and that is judged
        await scene.until(serves)
    took = scene.first_after(Op.OK, since)
    scene.measured["longest until it serves"] = max(round(took, 3), scene.measured.get("longest until it serves", 0.0))
    scene.require(took < SERVING_SECONDS, f"nothing was accepted for {took:.1f} s after the store was back")


async def deaf_nodes(size: int, seed: int, *, rig: Rig = SOUND) -> Outcome:
    """T9: only the subscription of a node dies: killed by the store, reset, or swallowed by the network; ``size`` times."""
    async with (
        stage("T9", seed, nodes=1, settings=QUICK, rig=rig) as scene,
        Proxy(scene.box.valkey.socket, seed=seed) as proxy,
    ):
        url = {"EXCHANGE_REDIS__URL": f"redis://127.0.0.1:{proxy.port}"}
        await asyncio.to_thread(scene.box.add_node, launch=rig.launch(), settings=url)
        pairs = await scene.pairs(PAIRS)
        ways: Sequence[tuple[str, Callable[[], Awaitable[None]]]] = (
            ("subscriptions killed", lambda: _kill_subscriptions(scene)),
            ("subscription swallowed", lambda: _swallow(scene, proxy)),
            ("subscription reset", lambda: _reset(proxy)),
        )
        async with Load(scene, pairs, RATE) as load:
            for number in range(size):
                await load.grow(int(RATE))
                what, way = ways[number % len(ways)]
                with scene.fault(what):
                    await way()
                await load.grow(int(RATE))
        await scene.settle()
        outcome = await scene.outcome()
        scene.require(outcome.verdict.counts.worst_delay <= DELAY_SECONDS, "a message took too long")
        return outcome


async def _kill_subscriptions(scene: Stage) -> None:
    async with redis.Redis(unix_socket_path=str(scene.box.valkey.socket)) as store:
        await store.execute_command("CLIENT", "KILL", "TYPE", "pubsub")


async def _reset(proxy: Proxy) -> None:
    for passage in _subscriptions(proxy):
        passage.reset()


async def _swallow(scene: Stage, proxy: Proxy) -> None:
    """Swallow what the store tells the node until the node notices by itself and connects again."""
    before = _subscriptions(proxy)
    for passage in before:
        passage.down.own = Faults(hole=True)

    async def noticed() -> bool:
        return any(passage not in before for passage in _subscriptions(proxy))

    try:
        await scene.until(noticed)
    except AssertionError:
        scene.require(False, "a node did not notice that its subscription is swallowed")


def _subscriptions(proxy: Proxy) -> list[Passage]:
    return proxy.matching(SUBSCRIBE)
