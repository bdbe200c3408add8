"""Workers that are killed in the middle of their work, that are two, and that are none: T16."""

import asyncio
import time

from tests.chaos.client import ChaosClient
from tests.chaos.habits import Habits
from tests.chaos.history import Op
from tests.chaos.pace import pause
from tests.chaos.rig import SOUND, Rig
from tests.chaos.stage import QUICK, Outcome, Stage, stage

PAIRS = 10
LETTERS = 5
LIFE_SECONDS = 1.0
NONE_SECONDS = 5.0
HASTY = {**QUICK, "EXCHANGE_LEASE__STORE_UP_SECONDS": "0.5"}
"""A worker that lives for a second only shall reap in it, too."""


async def killed_workers(size: int, seed: int, *, rig: Rig = SOUND) -> Outcome:
    """T16: mail expires and a node dies while the workers who see to it are killed at random moments; ``size`` times."""
    async with stage("T16", seed, nodes=2, workers=2, settings=HASTY, rig=rig) as scene:
        pairs = [await scene.pair() for _ in range(PAIRS)]
        for number in range(size):
            letters = await _leave_mail(pairs)
            watcher = await _lose_friend(scene)
            if number % 5 == 4:
                await _no_worker(scene)
            for _ in range(4):
                await pause(scene.random.uniform(0, 0.4))
                worker = scene.random.choice(scene.box.workers)
                with scene.fault(f"kill -9 {worker.name}"):
                    worker.kill()
                    worker.restart()
            await _all_told(scene, letters)
            await _friend_told(scene, watcher)
            for _, reader in pairs:
                reader.come_back()
            await scene.all_online()
        await scene.settle()
        return await scene.outcome()


async def _leave_mail(pairs: list[tuple[ChaosClient, ChaosClient]]) -> list[str]:
    """Send mail that nobody will fetch in time; return the ids."""
    await asyncio.gather(*(reader.leave() for _, reader in pairs))
    until_ms = int((time.time() + LIFE_SECONDS) * 1000)
    letters = [sender.send(reader.name, expires_ms=until_ms) for _ in range(LETTERS) for sender, reader in pairs]
    await asyncio.gather(*(letter.final for letter in letters))
    return [letter.id for letter in letters]


async def _lose_friend(scene: Stage) -> ChaosClient:
    """Kill a node with a plain client on it; return that client's friend, who has to hear of it."""
    node, other = scene.box.nodes
    leaves, stays = Habits(features=None, returns=False), Habits(features=None)
    _, watcher = await scene.pair(habits=(leaves, stays), urls=([node.url], [other.url]))
    with scene.fault(f"kill -9 {node.name}"):
        node.kill()
        await scene.restart(node)
    return watcher


async def _no_worker(scene: Stage) -> None:
    with scene.fault(f"no worker for {NONE_SECONDS:g} s"):
        for worker in scene.box.workers:
            worker.kill()
        await pause(NONE_SECONDS)
        for worker in scene.box.workers:
            worker.restart()


async def _all_told(scene: Stage, ids: list[str]) -> None:
    async def told() -> bool:
        done = {one.id for one in scene.history.records if one.op is Op.NOTICE and one.result == "expired"}
        return done.issuperset(ids)

    try:
        await scene.until(told, 30.0)
    except AssertionError:
        scene.require(False, "the senders of expired mail were not told")


async def _friend_told(scene: Stage, watcher: ChaosClient) -> None:
    async def told() -> bool:
        return any(one.client == watcher.name and one.result == "friend_disconnected" for one in scene.history.records)

    try:
        await scene.until(told, 30.0)
    except AssertionError:
        scene.require(False, "the friend of a dead node's client was not told")
