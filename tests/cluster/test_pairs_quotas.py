"""What a pair may pass on, counted by two nodes at once: exact, and kept (CORAL-21, CORAL-22, CORAL-36)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import pytest

from tests.harness.cluster import Cluster, cluster
from tests.harness.pairs import PLENTY, PairEnd, Pairs, pairs_at, said, sized

TOKENS = 5
FRAMES = 1000
"""By each end; with five pairs that makes 10,000."""
BATCH = 50
KEPT = ("--appendonly", "yes", "--appendfsync", "always")
QUOTA_FRAMES = 40
FRAME_BYTES = 500
BURST = 10

pytestmark = [pytest.mark.serial, pytest.mark.timeout(180)]


@contextlib.asynccontextmanager
async def opened(settings: Mapping[str, str]) -> AsyncIterator[tuple[Cluster, Pairs]]:
    with cluster(2, settings=PLENTY | settings, store_options=KEPT) as box:
        async with pairs_at([node.port for node in box.nodes]) as relay:
            yield box, relay


def size_of(number: int) -> int:
    """Return another length for each frame."""
    return 60 + number * 7919 % 900


async def send_all(sender: PairEnd, receiver: PairEnd, count: int) -> int:
    """Send frames of many sizes, no faster than they arrive; return how many bytes they had."""
    before = len(receiver.payloads("chat.send"))
    total = 0
    for number in range(count):
        sender.write(sized(size_of(number), number))
        total += size_of(number)
        if number % BATCH == BATCH - 1:
            await receiver.until(lambda number=number: len(receiver.payloads("chat.send")) > before + number)
    return total


async def exchange(relay: Pairs, tokens: list[str], count: int) -> list[int]:
    """Let all pairs talk at once, both ways over both nodes; return the bytes of each."""
    pairs = [await relay.pair(token, (number % 2, 1 - number % 2)) for number, token in enumerate(tokens)]
    sums = await asyncio.gather(
        *(send_all(*ends, count) for phone, agent in pairs for ends in ((phone, agent), (agent, phone)))
    )
    for phone, agent in pairs:
        assert phone.refusals == agent.refusals == []
        assert [one["n"] for one in phone.payloads("chat.send")] == [*range(count)]
        assert [one["n"] for one in agent.payloads("chat.send")] == [*range(count)]
    return [sum(sums[place : place + 2]) for place in range(0, len(sums), 2)]


async def test_the_counters_of_ten_thousand_frames_are_exact_and_go_on_after_nodes_and_store_were_restarted() -> None:
    async with opened({}) as (box, relay):
        tokens = [await relay.token(number % 2) for number in range(TOKENS)]
        used = await exchange(relay, tokens, FRAMES)
        for node in (0, 1):
            assert [await relay.used_bytes(token, node) for token in tokens] == [(each, each) for each in used]
        await relay.leave()
        for node in box.nodes:
            node.stop()
        box.valkey.stop()  # as a crash would
        box.valkey.start()
        for node in box.nodes:
            node.restart()
        for token, before in zip(tokens, used, strict=True):
            agent = await relay.dial("agent", 1)
            agent.enter(token)
            granted = await agent.let_in()
            assert (granted["daily_used_bytes"], granted["monthly_used_bytes"]) == (before, before)
            assert granted["paired"] is False
            await agent.leave()
        more = await exchange(relay, tokens, BATCH)
        totals = [before + after for before, after in zip(used, more, strict=True)]
        assert [await relay.used_bytes(token) for token in tokens] == [(each, each) for each in totals]


@pytest.mark.parametrize("period", ["DAILY", "MONTHLY"])
async def test_of_two_that_send_at_once_on_two_nodes_exactly_so_many_frames_pass_as_the_quota_has_room_for(
    period: str,
) -> None:
    # One frame may overshoot: it is the last that passes.
    quota = QUOTA_FRAMES * FRAME_BYTES + 1
    async with opened({f"EXCHANGE_RELAY__{period}_QUOTA_BYTES": str(quota)}) as (_, relay):
        for _ in range(10):
            token = await relay.token()
            ends = await relay.pair(token)
            for number in range(QUOTA_FRAMES):
                for end in ends:
                    end.write(sized(FRAME_BYTES, number))
                await asyncio.sleep(0)
            await ends[0].until(lambda ends=ends: sum(len(one.refusals) for one in ends) == QUOTA_FRAMES - 1)
            assert {text for end in ends for text in end.refusals} == {"Bandwidth quota exceeded"}
            codes = {one["code"] for end in ends for one in end.payloads("chat.error")}
            assert codes == {f"{period}_QUOTA_EXCEEDED"}
            passed = [one["n"] for end in ends for one in end.payloads("chat.send")]
            assert len(passed) == QUOTA_FRAMES + 1
            for end in ends:
                got = [one["n"] for one in end.payloads("chat.send")]
                assert got == [*range(len(got))]  # the limit, once reached, lets nothing through
            assert await relay.used_bytes(token, 1) == ((QUOTA_FRAMES + 1) * FRAME_BYTES,) * 2


async def test_a_bucket_is_shared_by_all_nodes_and_coming_back_does_not_refill_it() -> None:
    slow = {"EXCHANGE_RELAY__PHONE_PER_MINUTE_COUNT": "1", "EXCHANGE_RELAY__PHONE_BURST_COUNT": str(BURST)}
    async with opened(slow) as (_, relay):
        token = await relay.token()
        phone, agent = await relay.pair(token)
        for turn in range(6):
            phone.write(*(said("chat.send", n=2 * turn + each) for each in range(2)))
            phone.write(said("ping"))  # takes no token, and answers behind what the frames got
            await phone.until(lambda phone=phone: phone.payloads("pong"))
            assert phone.refusals == (["Rate limit exceeded"] * 2 if turn * 2 >= BURST else [])
            phone = await relay.enter(token, "phone", 1 - turn % 2)
        await agent.until(lambda: len(agent.payloads("chat.send")) == BURST)
        assert [one["n"] for one in agent.payloads("chat.send")] == [*range(BURST)]
        # Buckets are the slot's: the agent has one of its own.
        agent.write(*(said("chat.send", n=n) for n in range(BURST + 1)))
        await phone.until(lambda: len(phone.payloads("chat.send")) == BURST + 1)


async def test_frames_to_nobody_take_tokens_of_the_one_bucket_as_well() -> None:
    slow = {"EXCHANGE_RELAY__AGENT_PER_MINUTE_COUNT": "1", "EXCHANGE_RELAY__AGENT_BURST_COUNT": "4"}
    async with opened(slow) as (_, relay):
        token = await relay.token()
        for node in (0, 1, 0):
            agent = await relay.enter(token, "agent", node)
            agent.write(said("chat.send"), said("chat.send"))
            await agent.until(lambda agent=agent: len(agent.refusals) == 2)
        assert agent.refusals == ["Rate limit exceeded"] * 2
        assert await relay.used_bytes(token) == (0, 0)
