"""Clients that never read: T10."""

import asyncio

from tests.chaos.checker import percentile
from tests.chaos.client import ChaosClient
from tests.chaos.habits import Habits
from tests.chaos.history import Op
from tests.chaos.load import Load
from tests.chaos.pace import pause
from tests.chaos.rig import SOUND, Rig
from tests.chaos.stage import QUICK, Outcome, Stage, memory_mib, stage
from tests.chaos.view import View

RATE = 100.0
GROWTH_MIB = 300.0
DELAY_SECONDS = 0.5
"""Twice the bound of the table: the clients share two cores with what they judge."""
GONE_SECONDS = 90.0
PAD_BYTES = 20_000
BETWEEN_SECONDS = 0.1
LETTERS = 80
"""Together more than a window and what the kernel takes."""
IMPATIENT = {
    "EXCHANGE_SESSION__PING_SECONDS": "3",
    "EXCHANGE_SESSION__SILENCE_SECONDS": "8",
    "EXCHANGE_SESSION__STALL_SECONDS": "8",
}


async def deaf_clients(size: int, seed: int, *, rig: Rig = SOUND) -> Outcome:
    """T10: ``size`` clients that never read, among a fifth as many who do; in the end the deaf ones read everything."""
    async with stage("T10", seed, nodes=2, settings={**QUICK, **IMPATIENT}, rig=rig) as scene:
        pairs = await scene.pairs(max(5, size // 10))
        deaf = await _deaf(scene, size)
        before = max(memory_mib(node) for node in scene.box.nodes)
        since = scene.history.clock()
        async with Load(scene, pairs, RATE) as load:
            with scene.fault(f"{size} clients do not read"):
                peak = await _flood(scene, deaf, gone_count=size, load=load)
        scene.measured |= {
            "growth MiB": round(peak - before, 1),
            "gone after s": round(scene.history.clock() - since, 1),
        }
        scene.require(peak - before <= GROWTH_MIB, f"a node grew by {peak - before:.0f} MiB")
        _judge_delays(scene, pairs)
        for _, reader in deaf:
            reader.habits = Habits()
            reader.break_off()
        await scene.settle()
        return await scene.outcome()


async def _deaf(scene: Stage, count: int) -> list[tuple[ChaosClient, ChaosClient]]:
    """Return pairs whose second half has come back as somebody who does not read."""
    pairs = [await scene.pair() for _ in range(count)]
    for _, reader in pairs:
        await reader.leave()
        reader.habits = Habits(reads=False, ping_seconds=None)
        reader.come_back()
    await scene.all_online()

    async def counted() -> bool:
        """Whether the exchange counts them all; its numbers lag a little."""
        return await scene.live_clients() == len(scene.clients)

    await scene.until(counted)
    return pairs


async def _flood(scene: Stage, deaf: list[tuple[ChaosClient, ChaosClient]], *, gone_count: int, load: Load) -> float:
    """Send the deaf more than anybody can hold for them; return the most memory that a node had until they were gone."""
    peak = 0.0
    for _ in range(LETTERS):
        for sender, reader in deaf:
            sender.send(reader.name, pad=PAD_BYTES)
        # At once it would be our own burst that everybody waits for.
        await pause(BETWEEN_SECONDS)
    expected = len(scene.clients) - gone_count

    async def gone() -> bool:
        nonlocal peak
        peak = max(peak, *(memory_mib(node) for node in scene.box.nodes))
        return await scene.live_clients() <= expected

    try:
        await scene.until(gone, GONE_SECONDS)
    except AssertionError:
        scene.require(False, f"{await scene.live_clients() - expected} deaf clients are still there")
    await load.grow(int(RATE))
    await asyncio.gather(*(letter.final for sender, _ in deaf for letter in tuple(sender.pending.values())))
    return peak


def _judge_delays(scene: Stage, pairs: list[tuple[ChaosClient, ChaosClient]]) -> None:
    names = {client.name for pair in pairs for client in pair}
    delays = [
        message.delivered.at - message.invokes[0].at
        for message in View(scene.history).messages.values()
        if message.sender in names and message.invokes and message.delivered is not None
    ]
    p99 = percentile(delays, 0.99)
    scene.measured["p99 of the others"] = round(p99, 4)
    scene.require(p99 < DELAY_SECONDS, f"p99 of those who read is {p99:.3f} s")
    scene.require(
        not any(one.op is Op.CLOSED and one.client in names for one in scene.history.records), "one was closed"
    )
