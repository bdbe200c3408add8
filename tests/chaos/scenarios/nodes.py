"""Nodes that die, freeze, are replaced, or have the wrong time: T2, T3, T11, T15."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence

from tests.chaos.checker import percentile, reconnects
from tests.chaos.client import ChaosClient
from tests.chaos.habits import Habits
from tests.chaos.history import REPEAT, Op
from tests.chaos.load import Load
from tests.chaos.pace import pause
from tests.chaos.rig import SOUND, Rig
from tests.chaos.stage import QUICK, Outcome, Stage, joined, stage
from tests.chaos.view import View
from tests.harness.cluster import Program

PAIRS = 20
RATE = 100.0
TALKERS = 5
PLAIN = 5
NAME_TAKEN = "Username already taken"
IN_FLIGHT = 60
RECONNECT_SECONDS = 5.0
REPEATS_PART = 0.01
DRAIN_SECONDS = 40.0
NOTICE_SECONDS = 20.0
MANY = 20
AWAY_SECONDS = 4.0
LIFE_SECONDS = 300.0
JUMPS = ((600, 3600), (-3600, -600), (-3600, 3600))
"""Between what a clock may come to be wrong by: always one is ahead and one behind."""


async def killed_nodes_at_all_times(size: int, seed: int) -> Outcome:
    """T2, a fifth of it with the lease times of the product if there are many."""
    patient = size // 5 if size >= MANY else 0
    outcome = await killed_nodes(size - patient, seed)
    return joined(outcome, await killed_nodes(patient, seed + 1, full_times=True)) if patient else outcome


async def killed_nodes(size: int, seed: int, *, rig: Rig = SOUND, full_times: bool = False) -> Outcome:
    """T2: ``kill -9`` of a random one of three nodes, ``size`` times, with messages under way.

    Plain pairs watch: the friend of somebody on the dead node hears of it once.
    """
    async with stage("T2", seed, nodes=3, settings=None if full_times else QUICK, rig=rig) as scene:
        pairs = await scene.pairs(PAIRS)
        watched = []
        async with Load(scene, pairs, RATE) as load:
            for _ in range(size):
                await load.grow(int(RATE))
                node = scene.any_node()
                watched.append(await _watched(scene, node))
                load.burst(IN_FLIGHT)
                await pause(scene.random.uniform(0, 0.02))
                with scene.fault(f"kill -9 {node.name}"):
                    node.kill()
                    await scene.restart(node)
                await scene.all_online()
        await _wait_for_notices(scene, watched)
        await scene.settle()
        repeats = sum(record.op is Op.RECV and record.result == REPEAT for record in scene.history.records)
        received = sum(record.op is Op.RECV for record in scene.history.records)
        # A burst is under way at each kill on purpose; what it repeats says nothing about the rest.
        allowed = REPEATS_PART * received + 2 * IN_FLIGHT * size
        scene.require(repeats <= allowed, f"{repeats} of {received} deliveries were repeats")
        # A plain client has no proof of who it is: it has to wait until its old session is cleared.
        extended = {client.name for client in scene.clients if not client.plain}
        p99 = percentile(reconnects(View(scene.history), extended), 0.99)
        scene.measured["reconnect p99 with a token"] = round(p99, 3)
        scene.require(p99 < RECONNECT_SECONDS, f"p99 of reconnects is {p99:.1f} s")
        return await scene.outcome()


async def _watched(scene: Stage, node: Program) -> tuple[ChaosClient, ChaosClient]:
    """Put a plain client on a node, and its friend on another one; return both."""
    others = [other.url for other in scene.box.nodes if other is not node]
    leaves, stays = Habits(features=None, returns=False), Habits(features=None)
    return await scene.pair(habits=(leaves, stays), urls=([node.url], others))


async def _wait_for_notices(scene: Stage, watched: Sequence[tuple[ChaosClient, ChaosClient]]) -> None:
    """Give the last friends the time to be told; what is missing then is found by rule C8."""

    async def told() -> bool:
        """Whether each watcher was told, or lost its own session first."""
        over = {
            one.client for one in scene.history.records if one.op is Op.CLOSED or one.result == "friend_disconnected"
        }
        return over.issuperset(watcher.name for _, watcher in watched)

    with contextlib.suppress(AssertionError):
        await scene.until(told, NOTICE_SECONDS)


async def frozen_nodes(size: int, seed: int, *, rig: Rig = SOUND) -> Outcome:
    """T3: a node stands still for longer than its lease, and goes on; ``size`` times.

    Plain clients with live messages are on it, and their friends elsewhere: by then those know that they are gone.
    """
    async with stage("T3", seed, nodes=3, settings=QUICK, rig=rig) as scene:
        pairs = await scene.pairs(PAIRS)
        said: list[tuple[str, str]] = []
        async with Load(scene, pairs, RATE) as load:
            for number in range(size):
                await load.grow(int(RATE))
                node = scene.any_node()
                talkers = await _talkers(scene, node)
                seconds = scene.random.uniform(5, 60) if number % 5 == 4 else scene.random.uniform(5, 8)
                with scene.fault(f"froze {node.name} for {seconds:.0f} s"):
                    node.freeze()
                    try:
                        await pause(seconds)
                        for talker, friend in talkers:
                            said.append((talker.name, talker.send(friend.name).id))
                    finally:
                        node.thaw()
                await scene.all_online()
        await scene.settle()
        messages = View(scene.history).messages
        false = sum(messages[key].live and messages[key].delivered is None for key in said)
        scene.require(not false, f"a node without a lease acknowledged {false} messages that nobody got")
        return await scene.outcome()


async def _talkers(scene: Stage, node: Program) -> list[tuple[ChaosClient, ChaosClient]]:
    """Put plain clients on a node, who stay there however long it is silent, and their friends on others."""
    others = [other.url for other in scene.box.nodes if other is not node]
    stays, friend = Habits(features=None, returns=False, ping_seconds=None), Habits(features=None)
    pairs = (scene.pair(habits=(stays, friend), urls=([node.url], others)) for _ in range(TALKERS))
    return list(await asyncio.gather(*pairs))


async def rolling_restarts(size: int, seed: int, *, rig: Rig = SOUND) -> Outcome:
    """T11: all of three nodes are replaced one after the other under load; ``size`` times.

    Plain clients have no proof of who they are: they find their names free only if their node said farewell for them.
    """
    paced = {"EXCHANGE_DRAIN__NOTICE_SECONDS": "1", "EXCHANGE_DRAIN__WINDOW_SECONDS": "3"}
    async with stage("T11", seed, nodes=3, settings={**QUICK, **paced}, rig=rig) as scene:
        pairs = await scene.pairs(PAIRS)
        plain = [await scene.pair(habits=(Habits(features=None), Habits(features=None))) for _ in range(PLAIN)]
        moved = 0
        async with Load(scene, pairs, RATE) as load:
            for _ in range(size):
                for node in scene.box.nodes:
                    await load.grow(int(RATE))
                    moved += sum(client.node == node.url for client in scene.clients)
                    await _replace(scene, node)
                    await scene.all_online()
        await scene.settle()
        view = View(scene.history)
        each = len(reconnects(view)) / max(1, moved)
        scene.measured["reconnects per drained session"] = round(each, 3)
        scene.require(moved, "no session was drained")
        scene.require(each <= 1.1, f"{each:.2f} reconnects per drained session")
        taken = sum(client.turned_away.count(NAME_TAKEN) for pair in plain for client in pair)
        scene.require(not taken, f"plain clients found their names taken {taken} times")
        most = max(len(message.invokes) for message in view.messages.values())
        scene.require(most <= 2, f"a message had to be sent {most} times")
        return await scene.outcome()


async def _replace(scene: Stage, node: Program) -> None:
    since = scene.history.clock()
    with scene.fault(f"replaced {node.name}"):
        status = await asyncio.to_thread(node.stop)
        took = scene.history.clock() - since
        scene.measured["longest drain"] = max(round(took, 2), scene.measured.get("longest drain", 0.0))
        scene.require(status == 0, f"{node.name} ended with status {status}")
        scene.require(took <= DRAIN_SECONDS, f"{node.name} took {took:.1f} s to end")
        await scene.restart(node)


async def wrong_clocks(size: int, seed: int, *, rig: Rig = SOUND) -> Outcome:
    """T15: nodes whose clocks are an hour ahead, an hour behind, and jump; no decision depends on them. ``size`` jumps."""
    async with stage("T15", seed, nodes=0, settings=QUICK, rig=rig) as scene:
        shifts = [scene.box.directory / f"shift{number}" for number in range(3)]
        for shift, seconds in zip(shifts, (3600, -3600, 0), strict=True):
            shift.write_text(str(seconds))
            await asyncio.to_thread(scene.box.add_node, launch=rig.launch("--clock", str(shift)))
        # Invitations are made on one node and redeemed on another: their half hour is shorter than the shifts.
        pairs: list[tuple[ChaosClient, ChaosClient]] = []
        for a in scene.box.urls:
            pairs += [await scene.pair(urls=([a], [b])) for b in scene.box.urls]
        async with Load(scene, pairs, RATE / 2) as load:
            for _ in range(size):
                await load.grow(50)
                with scene.fault("clocks jump"):
                    scene.random.shuffle(shifts)
                    for shift, (low, high) in zip(shifts, JUMPS, strict=True):
                        shift.write_text(str(scene.random.randint(low, high)))
                    await _absence(scene, pairs)
        await scene.settle()
        scene.require(not scene.logged("node.reaped"), "a node was taken for dead")
        return await scene.outcome()


async def _absence(scene: Stage, pairs: Sequence[tuple[ChaosClient, ChaosClient]]) -> None:
    """Let everybody go for longer than a lease and come back elsewhere, and mail wait meanwhile.

    Some of it may wait for less than the clocks are wrong by.
    """
    readers = [reader for _, reader in pairs]
    await asyncio.gather(*(reader.leave() for reader in readers))
    until_ms = int((time.time() + LIFE_SECONDS) * 1000)
    letters = [sender.send(reader.name, expires_ms=until_ms) for sender, reader in pairs]
    states = Counter(await asyncio.gather(*(letter.final for letter in letters)))
    scene.require(states["ok"] == len(letters), f"mail that was in time was taken for late: {dict(states)}")
    await pause(AWAY_SECONDS)
    for reader in readers:
        reader.urls = scene.box.urls
        reader.come_back()
    await scene.all_online()
