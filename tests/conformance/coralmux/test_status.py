"""Section 3: what each side is told of the other, and that it is told before anything else (CORAL-11 to CORAL-16)."""

import asyncio

import pytest

from tests.conformance.coralmux.client import Client, envelope, one_after, padded
from tests.conformance.coralmux.places import Place
from tests.conformance.magi.requirements import covers

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROUNDS = 20
RICH = {"phone_burst_count": 1000, "agent_burst_count": 1000}


@covers("CORAL-11", "CORAL-12")
async def test_online_is_strictly_before_what_the_newcomer_sends(place: Place):
    token = await place.token()
    agent = await place.agent(token)
    for number in range(ROUNDS):
        phone = await place.dial(number)
        # Nobody waits for anything: the first frames are on their way before auth.ok is read.
        await phone.say("auth", {"token": token, "role": "phone"})
        text = await phone.say("key_exchange", {"pubkey": str(number)})
        await agent.peer("online")
        await agent.relayed(text)


@covers("CORAL-11", "CORAL-12", "CORAL-25")
async def test_online_comes_for_every_authentication_also_of_a_replacement_and_no_offline_between(place: Place):
    token = await place.token()
    phone = await place.phone(token, 0, paired=False)
    for number in range(6):
        agent = await place.agent(token, number, paired=True)
        text = await agent.say("key_exchange", {"pubkey": str(number)})
        await phone.peer("online")
        await phone.relayed(text)
    await phone.nothing_more()


@covers("CORAL-13", "CORAL-25")
async def test_a_newcomer_is_told_no_status(place: Place):
    token = await place.token()
    phone, agent = await place.pair(token)
    again = await place.phone(token, 1, paired=True)
    await again.nothing_more()
    await agent.peer("online")
    await one_after(agent, again)
    await phone.expect_close(4001)


@covers("CORAL-14")
async def test_offline_is_told_once_however_a_connection_ends(place: Place):
    token = await place.token()
    phone = await place.phone(token)
    for end in (Client.close, Client.vanish):
        agent = await place.agent(token, paired=True)
        await phone.peer("online")
        await end(agent)
        await phone.peer("offline")
        await place.until(token, phone=True, agent=False)
        await phone.nothing_more()


@covers("CORAL-14", "CORAL-11")
async def test_what_was_sent_before_the_end_comes_before_the_offline(place: Place):
    phone, agent = await place.pair()
    texts = [envelope("chat.stream", {"delta": "x", "seq": seq}) for seq in range(1, 31)]
    await agent.send(*texts)
    await agent.close()
    await phone.relayed(*texts)
    await phone.peer("offline")


@covers("CORAL-14", "CORAL-24")
async def test_no_offline_about_a_predecessor_comes_after_its_successor(place: Place):
    token = await place.token()
    phone = await place.phone(token)
    for number in range(ROUNDS):
        agent = await place.agent(token, number)
        ending = asyncio.create_task(agent.close() if number % 2 else agent.vanish())
        agent = await place.agent(token, number + 1)
        await ending
        text = await agent.say("key_exchange", {"pubkey": str(number)})
        words = []
        while (frame := await phone.next())["type"] == "status":
            words.append(frame["payload"]["peer"])
        assert frame.text == text
        # The end of the first may be seen before its successor came, or not at all.
        assert words in (["online", "online"], ["online", "offline", "online"]), words
        await agent.close()
        await phone.peer("offline")


@covers("CORAL-15", "CORAL-36")
async def test_of_two_that_come_at_the_same_time_one_is_first(place: Place):
    for number in range(ROUNDS):
        token = await place.token()
        phone, agent = await place.dial(number), await place.dial(number + 1)
        await asyncio.gather(phone.auth(token, "phone"), agent.auth(token, "agent"))
        assert phone.granted["paired"] is not agent.granted["paired"]
        first, second = (agent, phone) if phone.granted["paired"] else (phone, agent)
        await first.peer("online")
        await second.nothing_more()
        await first.nothing_more()
        await one_after(first, second)
        await one_after(second, first)


@covers("CORAL-16")
async def test_a_streamed_answer_arrives_in_order_and_its_end_last(place: Place):
    phone, agent = await place.pair()
    texts = [envelope("chat.stream", {"delta": f"{seq} ", "seq": seq}) for seq in range(1, 101)]
    done = envelope("chat.done", {"full_text": "".join(f"{seq} " for seq in range(1, 101))})
    await agent.passes(phone, *texts, done)
    await phone.nothing_more()


@covers("CORAL-16", relay=RICH)
async def test_both_directions_keep_their_order_when_large_and_small_frames_mix(place: Place):
    phone, agent = await place.pair()
    sizes = (100, 300_000, 200, 65_536, 65_537, 150, 1 << 20, 70, 5 << 20, 90, 65_000) * 2
    texts = [f'{{"ts":{at},{padded(size - 10)[1:]}' for at, size in enumerate(sizes)]
    await asyncio.gather(_all(phone, agent, texts), _all(agent, phone, texts))


@covers("CORAL-16", "CORAL-24", relay=RICH)
async def test_no_frame_is_lost_or_doubled_while_the_other_side_reconnects(place: Place):
    token = await place.token()
    agent = await place.agent(token)
    phone = await place.phone(token)
    await agent.peer("online")
    for number in range(5):
        texts = [envelope("group.message", {"room_id": str(count)}) for count in range(40)]
        await asyncio.gather(_all(agent, phone, texts), _all(phone, agent, texts[:10]))
        phone = await place.phone(token, number)
        await agent.peer("online")


async def _all(sender: Client, receiver: Client, texts: list[str]) -> None:
    async def send() -> None:
        await sender.send(*texts)

    sending = asyncio.create_task(send())
    await receiver.relayed(*texts)
    await sending
