"""Mail for people who are away, whose mailbox is full, who fail on it, or who come back too late: T1, T4, T12, T13, T14."""

import asyncio
import time

from tests.chaos.client import ChaosClient
from tests.chaos.habits import Habits
from tests.chaos.history import Op
from tests.chaos.link import Letter
from tests.chaos.pace import pause
from tests.chaos.proxy import Faults, Proxy
from tests.chaos.rig import SOUND, Rig
from tests.chaos.stage import QUICK, Outcome, Stage, stage

READERS = 10
ATTEMPTS = 20
"""Deliveries without an acknowledgement before mail is parked (DEL-38)."""


async def absent_readers(size: int, seed: int, *, rig: Rig = SOUND) -> Outcome:
    """T1: ``size`` messages for people who are away, read on another node; then they come and go under way.

    Nothing may depend on the safety net: mailboxes are not compared meanwhile (DEL-35).
    """
    settings = {**QUICK, "EXCHANGE_SESSION__RECONCILE_SECONDS": "3600"}
    async with stage("T1", seed, nodes=2, settings=settings, rig=rig) as scene:
        first, second = scene.box.urls
        pairs = await asyncio.gather(*(scene.pair(urls=([first], [first])) for _ in range(READERS)))
        await asyncio.gather(*(reader.leave() for _, reader in pairs))
        letters = [sender.send(reader.name) for _ in range(size // READERS) for sender, reader in pairs]
        states = await asyncio.gather(*(letter.final for letter in letters))
        scene.require(all(state == "ok" for state in states), f"not all accepted: {set(states)}")
        for _, reader in pairs:
            reader.urls = [second]
            reader.come_back()
        await asyncio.gather(*(_come_and_go(scene, *pair, rounds=max(3, size // 100)) for pair in pairs))
        await scene.settle()
        stored = sum(record.op is Op.OK and record.result == "queued" for record in scene.history.records)
        scene.require(stored >= len(letters), f"only {stored} messages were queued")
        return await scene.outcome()


async def _come_and_go(scene: Stage, sender: ChaosClient, reader: ChaosClient, *, rounds: int) -> None:
    """Send while the reader attaches, the moment at which a message could fall between mailbox and channel."""
    for _ in range(rounds):
        await reader.is_online()
        await reader.leave()
        reader.come_back()
        for _ in range(20):
            sender.send(reader.name)
            await pause(scene.random.uniform(0, 0.03))
    for _ in range(5):
        # One message in the moment of attaching, and silence: no later one says that it is missing.
        await reader.leave()
        reader.come_back()
        await reader.is_online()
        await pause(scene.random.uniform(0, 0.05))
        await sender.send(reader.name).final
        await pause(0.3)


async def lost_replies(size: int, seed: int, *, rig: Rig = SOUND) -> Outcome:
    """T4: the reply to ``size`` messages is cut off; the sender repeats them on another node."""
    senders = 5
    async with stage("T4", seed, nodes=2, settings=QUICK, rig=rig) as scene:
        await asyncio.gather(*(_repeat(scene, number, -(-size // senders)) for number in range(senders)))
        await scene.settle()
        unknown = sum(record.op is Op.UNKNOWN for record in scene.history.records)
        scene.require(unknown >= size * 0.5, f"only {unknown} replies were lost")
        scene.measured["replies cut"] = unknown
        return await scene.outcome()


async def _repeat(scene: Stage, number: int, count: int) -> None:
    nodes = [("127.0.0.1", node.port) for node in scene.box.nodes]
    async with Proxy(nodes[0], seed=scene.seed + number) as one, Proxy(nodes[1], seed=scene.seed - number) as other:
        urls = [f"ws://127.0.0.1:{proxy.port}/" for proxy in (one, other)]
        sender, reader = await scene.pair(urls=(urls, ()))
        for _ in range(count):
            await sender.is_online()
            passage = (one if sender.node == urls[0] else other).passages[-1]
            passage.down.own = Faults(cut_after=scene.random.randrange(80))
            await sender.send(reader.name).final
            # It may have been answered in fewer bytes; then nothing was cut.
            passage.down.own = None
        await asyncio.gather(sender.stop(), reader.stop())


async def full_mailboxes(size: int, seed: int, *, rig: Rig = SOUND) -> Outcome:
    """T12: mailboxes full by count, by bytes and by the share of one sender; ``size`` of them."""
    caps = {"EXCHANGE_MAILBOX__ENVELOPES_COUNT": "40", "EXCHANGE_MAILBOX__BYTES": str(1 << 20)}
    kinds = {"count": (2, 30, 0), "share": (1, 30, 0), "bytes": (2, 12, 100_000)}
    async with stage("T12", seed, nodes=2, settings={**QUICK, **caps}, rig=rig) as scene:
        for number in range(size):
            kind = list(kinds)[number % len(kinds)]
            with scene.fault(f"mailbox full by {kind}"):
                await _fill(scene, kind, *kinds[kind])
        await scene.settle()
        return await scene.outcome()


async def _fill(scene: Stage, kind: str, senders_count: int, letters_count: int, pad: int) -> None:
    reader = await scene.client("bob")
    senders = [await scene.client("ada") for _ in range(senders_count)]
    for sender in senders:
        await sender.befriend(reader)
    await reader.leave()
    letters = [sender.send(reader.name, pad=pad) for _ in range(letters_count) for sender in senders]
    names = {sender.name for sender in senders}

    def refused() -> set[str]:
        records = scene.history.records
        return {one.id for one in records if one.client in names and one.op is Op.FAIL and one.result == "mailbox_full"}

    async def told_of_all() -> bool:
        """Whether each letter is accepted, or its sender knows that there is no room for it."""
        full = refused()
        return all(letter.final.done() or letter.id in full for letter in letters)

    await scene.until(told_of_all)
    full = refused()
    scene.require(full, f"nothing was refused by {kind}")
    scene.require(len(full) < len(letters), f"everything was refused by {kind}")
    reader.come_back()
    await asyncio.gather(*(letter.final for letter in letters))


async def poison(size: int, seed: int, *, rig: Rig = SOUND) -> Outcome:
    """T13: ``size`` clients die on one envelope each; it is parked, and what comes after it flows."""
    async with stage("T13", seed, nodes=2, settings=QUICK, rig=rig) as scene:
        for _ in range(size):
            with scene.fault("a client dies on an envelope"):
                await _poison(scene)
        await scene.settle()
        return await scene.outcome()


async def _poison(scene: Stage) -> None:
    sender, reader = await scene.pair(habits=(None, Habits(dies_on="poison")))
    before = [sender.send(reader.name) for _ in range(5)]
    bad = sender.send(reader.name, mark="poison")
    after = [sender.send(reader.name) for _ in range(5)]

    def seen(letter: Letter) -> int:
        records = scene.history.records
        return sum(one.op is Op.RECV and one.id == letter.id and one.client == reader.name for one in records)

    def parked() -> bool:
        records = scene.history.records
        return any(one.op is Op.NOTICE and one.result == "parked" and one.id == bad.id for one in records)

    async def over() -> bool:
        return parked() and all(seen(letter) for letter in (*before, *after))

    try:
        await scene.until(over)
    except AssertionError:
        scene.require(parked(), f"its sender was not told that {bad.id} is parked after {seen(bad)} deliveries")
        scene.require(all(seen(letter) for letter in after), f"nothing flows after {bad.id}")
    scene.measured["deliveries of a poisoned envelope"] = seen(bad)
    scene.require(seen(bad) <= ATTEMPTS + 1, f"{bad.id} was delivered {seen(bad)} times")


async def late_readers(size: int, seed: int, *, rig: Rig = SOUND) -> Outcome:
    """T14: ``size`` messages expire in the moment in which their readers come back."""
    async with stage("T14", seed, nodes=2, workers=2, settings=QUICK, rig=rig) as scene:
        pairs = await asyncio.gather(*(scene.pair() for _ in range(READERS)))
        for _ in range(-(-size // READERS)):
            with scene.fault("mail expires"):
                await asyncio.gather(*(_race(scene, *pair) for pair in pairs))
        await scene.settle()
        records = scene.history.records
        expired = sum(one.op is Op.NOTICE and one.result == "expired" for one in records)
        received = sum(one.op is Op.RECV for one in records)
        scene.measured |= {"expired": expired, "delivered": received}
        scene.require(expired, "nothing expired")
        scene.require(received, "nothing was delivered")
        return await scene.outcome()


async def _race(scene: Stage, sender: ChaosClient, reader: ChaosClient) -> None:
    await reader.is_online()
    await reader.leave()
    life_seconds = 0.8
    letter = sender.send(reader.name, expires_ms=int((time.time() + life_seconds) * 1000))
    await letter.final
    await pause(scene.random.uniform(0.2, life_seconds + 0.5))
    reader.come_back()
    await reader.is_online()

    async def ended() -> bool:
        """Whether the letter came to one of its ends."""
        return any(
            one.id == letter.id and (one.op is Op.RECV or (one.op is Op.NOTICE and one.result == "expired"))
            for one in scene.history.records[-2000:]
        )

    await scene.until(ended)
