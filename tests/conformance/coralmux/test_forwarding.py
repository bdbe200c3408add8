"""Section 5: sizes, rates, quotas, a peer that is not there or does not keep up; each answer to the letter (CORAL-19 to -23)."""

import asyncio
import contextlib
import datetime as dt

import pytest
from websockets.exceptions import ConnectionClosed

from tests.conformance.coralmux.client import Client, envelope, one_after, padded
from tests.conformance.coralmux.places import Place
from tests.conformance.coralmux.test_frames import NOTHING
from tests.conformance.magi.requirements import covers

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIMIT = 5 * 1024 * 1024
OUTER = 8 * 1024 * 1024
TOO_LARGE = ("MESSAGE_TOO_LARGE", "Message exceeds 5MB limit")
LIMITED = ("RATE_LIMITED", "Rate limit exceeded", 1000)
DAY = ("DAILY_QUOTA_EXCEEDED", "Bandwidth quota exceeded", 60_000)
MONTH = ("MONTHLY_QUOTA_EXCEEDED", "Bandwidth quota exceeded", 60_000)
OFFLINE = ("PEER_OFFLINE", "Peer is not connected")
BUSY = ("PEER_OFFLINE", "Peer send buffer full", 1000)
SLOW = {"phone_per_minute_count": 1, "phone_burst_count": 4, "agent_per_minute_count": 1, "agent_burst_count": 6}
"""Rates under which no token comes back while a test runs."""
NARROW = {
    "ping_seconds": 0,
    "silence_seconds": 0,
    "stall_seconds": 600,
    "queue_frames_count": 8,
    "queue_bytes": 16 << 20,
    "agent_burst_count": 1000,
    "phone_burst_count": 1000,
}


@covers("CORAL-20")
async def test_a_frame_of_exactly_five_mebibytes_passes_and_one_byte_more_does_not(place: Place):
    phone, agent = await place.pair()
    await phone.passes(agent, padded(LIMIT))
    await phone.send(padded(LIMIT + 1))
    await phone.refused(*TOO_LARGE)
    await agent.passes(phone, padded(LIMIT))
    await one_after(phone, agent)


@covers("CORAL-20", "CORAL-19")
async def test_frames_up_to_eight_mebibytes_are_answered_and_the_socket_stays(place: Place):
    phone, agent = await place.pair()
    for size in (6 << 20, OUTER):
        await phone.send(padded(size), padded(size).encode())
        await phone.refused(*TOO_LARGE)
        await phone.refused(*TOO_LARGE)
    await phone.send("x" * (6 << 20))
    await phone.refused(*TOO_LARGE)
    await one_after(phone, agent)


@covers("CORAL-20")
@pytest.mark.parametrize("size", [OUTER + 1, 60 << 20])
async def test_a_frame_above_eight_mebibytes_closes_with_1009(place: Place, size: int):
    phone, agent = await place.pair()
    sending = asyncio.create_task(_send_regardless(agent, "x" * size))
    await agent.expect_close(1009)
    await sending
    await phone.peer("offline")


@covers("CORAL-20", "CORAL-8")
async def test_the_larger_limits_hold_from_the_frame_after_auth_on(place: Place):
    token = await place.token()
    agent = await place.agent(token)
    phone = await place.dial()
    large = padded(LIMIT)
    await phone.send(envelope("auth", {"token": token, "role": "phone"}), large, padded(LIMIT + 1))
    await phone.let_in()
    await phone.refused(*TOO_LARGE)
    await agent.peer("online")
    await agent.relayed(large)


@covers("CORAL-21", relay=SLOW)
async def test_every_role_has_its_burst_and_then_waits(place: Place):
    phone, agent = await place.pair()
    for sender, receiver, burst in ((phone, agent, 4), (agent, phone, 6)):
        texts = [envelope("chat.send", {"text": str(number)}) for number in range(burst)]
        await sender.passes(receiver, *texts)
        for _ in range(3):
            await sender.say("chat.send")
            await sender.refused(*LIMITED)
    await phone.nothing_more()
    await agent.nothing_more()


@covers("CORAL-21", relay=SLOW)
async def test_a_reconnect_refills_nothing_on_whatever_node(place: Place):
    token = await place.token()
    agent = await place.agent(token)
    for number in range(4):
        phone = await place.phone(token, number)
        await agent.peer("online")
        await phone.passes(agent, envelope("chat.send"))
    phone = await place.phone(token, 1)
    await phone.say("chat.send")
    await phone.refused(*LIMITED)


@covers("CORAL-21", "CORAL-19", relay=SLOW)
async def test_a_frame_to_nobody_takes_a_token_too(place: Place):
    phone = await place.phone(await place.token())
    for _ in range(4):
        await phone.say("chat.send")
        await phone.refused(*OFFLINE)
    await phone.say("chat.send")
    await phone.refused(*LIMITED)


@covers("CORAL-21", "CORAL-19", relay=SLOW)
async def test_what_is_not_passed_on_takes_no_token(place: Place):
    phone, agent = await place.pair()
    for _ in range(5):
        await phone.nothing_more()
        await phone.send(padded(LIMIT + 1), "?", envelope("pong"), envelope("status", {"peer": "offline"}))
        await phone.refused(*TOO_LARGE)
        await phone.refused("INVALID_MESSAGE", "Invalid JSON message")
        for type_ in NOTHING[:10]:
            await phone.say(type_)
        await phone.say("chat.stream", {"delta": "x", "seq": 1})
        await phone.refused("INVALID_MESSAGE", "Phone cannot send stream messages")
    await phone.passes(agent, *[envelope("chat.send")] * 4)
    # Without a token left, the size is still looked at first.
    await phone.send(padded(LIMIT + 1), envelope("chat.send"))
    await phone.refused(*TOO_LARGE)
    await phone.refused(*LIMITED)


@covers("CORAL-21", relay=SLOW)
async def test_every_chunk_of_a_streamed_answer_takes_a_token(place: Place):
    phone, agent = await place.pair()
    chunks = [envelope("chat.stream", {"delta": "x", "seq": seq}) for seq in range(1, 7)]
    await agent.passes(phone, *chunks)
    await agent.say("chat.done", {"full_text": "xxxxxx"})
    await agent.refused(*LIMITED)


@covers("CORAL-21")
async def test_the_bursts_of_the_wire_are_thirty_and_a_hundred_and_twenty(place: Place):
    phone, agent = await place.pair()
    await phone.passes(agent, *[envelope("chat.send")] * 30)
    await agent.passes(phone, *[envelope("chat.stream")] * 120)
    for sender in (phone, agent):
        # While that went on, a few came back.
        while (frame := await sender.answered(envelope("chat.send")))["type"] == "pong":
            pass
        assert frame["payload"] == {"code": LIMITED[0], "message": LIMITED[1], "retry_after_ms": LIMITED[2]}


@covers("CORAL-21")
async def test_a_phone_gets_a_token_every_two_seconds_and_an_agent_two_every_second(place: Place):
    if place.kind in {"redis", "processes"}:
        pytest.skip("nobody can move the clock of a real server")
    memory = place.running.memory
    real, now_ms = memory.now_ms, memory.now_ms()
    memory.now_ms = lambda: now_ms
    try:
        phone, agent = await place.pair()
        for sender, receiver, burst, tokens in ((phone, agent, 30, 1), (agent, phone, 120, 4)):
            await sender.passes(receiver, *[envelope("chat.send")] * burst)
            for count in (0, tokens, tokens):
                await sender.passes(receiver, *[envelope("chat.send")] * count)
                await sender.say("chat.send")
                await sender.refused(*LIMITED)
                now_ms += 2000
    finally:
        memory.now_ms = real


@covers("CORAL-22", "CORAL-9", relay={"daily_quota_bytes": 1000})
async def test_the_day_is_counted_in_bytes_of_both_directions_and_one_frame_may_overshoot(place: Place):
    token = await place.token()
    phone, agent = await place.pair(token)
    await phone.passes(agent, padded(400))
    await agent.passes(phone, padded(599))
    assert (await place.usage(token))["daily_used_bytes"] == 999
    await phone.passes(agent, padded(5000))
    for sender in (phone, agent):
        await sender.say("chat.send")
        await sender.refused(*DAY)
        await sender.nothing_more()
    again = await place.phone(token, 1, daily_quota_bytes=1000, daily_used_bytes=5999, monthly_used_bytes=5999)
    await again.say("chat.send")
    await again.refused(*DAY)


@covers("CORAL-22", relay={"daily_quota_bytes": 3000, "monthly_quota_bytes": 1000})
async def test_the_month_has_a_quota_of_its_own_which_is_looked_at_after_the_day(place: Place):
    token = await place.token()
    phone, agent = await place.pair(token)
    await phone.passes(agent, padded(1000))
    await phone.say("chat.send")
    await phone.refused(*MONTH)
    usage = {"daily_quota_bytes": 3000, "daily_used_bytes": 1000}
    usage |= {"monthly_quota_bytes": 1000, "monthly_used_bytes": 1000}
    for node in (0, 1):
        assert (await place.usage(token, node)).items() >= usage.items()
    await place.phone(token, 1, **usage)


@covers("CORAL-22", "CORAL-19", relay={"daily_quota_bytes": 1000, "monthly_quota_bytes": 1000})
async def test_with_both_used_up_the_day_is_named_and_the_peer_is_not_looked_for(place: Place):
    token = await place.token()
    phone, agent = await place.pair(token)
    await phone.passes(agent, padded(1000))
    await phone.say("chat.send")
    await phone.refused(*DAY)
    await agent.close()
    await phone.peer("offline")
    await phone.say("chat.send")
    await phone.refused(*DAY)


@covers("CORAL-22", "CORAL-19", relay={**SLOW, "daily_quota_bytes": 1000})
async def test_the_rate_is_looked_at_before_the_quota(place: Place):
    phone, agent = await place.pair()
    await phone.passes(agent, padded(1000))
    for _ in range(3):
        await phone.say("chat.send")
        await phone.refused(*DAY)
    await phone.say("chat.send")
    await phone.refused(*LIMITED)


@covers("CORAL-22", "CORAL-19")
async def test_only_what_was_accepted_is_counted_and_in_raw_bytes(place: Place):
    token = await place.token()
    phone = await place.phone(token)
    await phone.say("chat.send", {"text": "to nobody"})
    await phone.refused(*OFFLINE)
    await phone.send("?", envelope("ping"), envelope("status"), envelope("nonsense"), padded(LIMIT + 1))
    await phone.refused("INVALID_MESSAGE", "Invalid JSON message")
    await phone.expect("pong", {})
    await phone.refused(*TOO_LARGE)
    assert (await place.usage(token))["daily_used_bytes"] == 0
    agent = await place.agent(token, daily_used_bytes=0)
    await phone.peer("online")
    texts = (' { "type" :\t"chat.send" } ', '{"type":"chat.send","payload":"날씨 🤖"}')
    await phone.passes(agent, *texts)
    used = sum(len(text.encode()) for text in texts)
    usage = await place.usage(token, 1)
    assert (usage["daily_used_bytes"], usage["monthly_used_bytes"]) == (used, used)


@covers("CORAL-22", "CORAL-36")
async def test_what_both_send_at_once_through_two_nodes_is_all_counted(place: Place):
    token = await place.token()
    phone, agent = await place.pair(token)
    await asyncio.gather(*(phone.send(padded(101)) for _ in range(25)), *(agent.send(padded(103)) for _ in range(100)))
    await agent.relayed(*[padded(101)] * 25)
    await phone.relayed(*[padded(103)] * 100)
    assert (await place.usage(token))["daily_used_bytes"] == 25 * 101 + 100 * 103


@covers("CORAL-22", relay={"daily_quota_bytes": 100})
async def test_days_and_months_begin_at_midnight_utc(place: Place):
    if place.kind == "redis":
        pytest.skip("nobody can move the clock of a real server")
    token, memory = await place.token(), place.running.memory
    now = dt.datetime(2030, 1, 30, 23, 59, 58, tzinfo=dt.UTC)
    memory.now_ms = lambda: int(now.timestamp() * 1000)
    phone, agent = await place.pair(token)
    await phone.passes(agent, padded(100))
    await phone.say("chat.send")
    await phone.refused(*DAY)
    now += dt.timedelta(seconds=2)
    await phone.passes(agent, padded(100))
    assert await _used(place, token) == (100, 200)
    now += dt.timedelta(days=1)
    await phone.passes(agent, padded(100))
    assert await _used(place, token) == (100, 100)


@covers("CORAL-19")
async def test_nothing_waits_for_a_peer_that_is_not_there(place: Place):
    token = await place.token()
    phone = await place.phone(token)
    for type_ in ("chat.send", "key_exchange", "file.offer", "chat.error"):
        await phone.say(type_)
        await phone.refused(*OFFLINE)
    agent = await place.agent(token, paired=True)
    await agent.nothing_more()
    await phone.peer("online")
    await one_after(phone, agent)
    await agent.close()
    await phone.peer("offline")
    await phone.say("chat.send")
    await phone.refused(*OFFLINE)


@covers("CORAL-23", "CORAL-19", relay=NARROW)
async def test_a_full_queue_is_said_with_a_time_to_wait_and_what_was_accepted_arrives(place: Place):
    token = await place.token()
    phone, agent = await place.pair(token)
    phone.freeze()
    accepted = []
    for number in range(100):
        text = padded(1 << 20, f"file.{number:02}")
        if (frame := await agent.answered(text))["type"] != "pong":
            break
        accepted.append(text)
    assert frame["payload"] == {"code": BUSY[0], "message": BUSY[1], "retry_after_ms": BUSY[2]}
    assert (await place.usage(token))["daily_used_bytes"] == len(accepted) << 20
    # The other direction is not held up.
    await phone.passes(agent, envelope("chat.send"))
    phone.thaw()
    await phone.relayed(*accepted)
    await _until_it_passes(agent, phone)


async def _send_regardless(client: Client, text: str) -> None:
    """Send although the server may close meanwhile."""
    with contextlib.suppress(ConnectionClosed):
        await client.send(text)


async def _until_it_passes(sender: Client, receiver: Client) -> None:
    while True:
        text = envelope("system.marker")
        if (await sender.answered(text))["type"] == "pong":
            return await receiver.relayed(text)


async def _used(place: Place, token: str) -> tuple[int, int]:
    usage = await place.usage(token)
    return usage["daily_used_bytes"], usage["monthly_used_bytes"]
