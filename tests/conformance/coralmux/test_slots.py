"""Section 6: one current connection a slot, whoever comes, goes or stays away (CORAL-24 to CORAL-28)."""

import asyncio

import pytest

from tests.conformance.coralmux.client import envelope, one_after, padded
from tests.conformance.coralmux.places import Place
from tests.conformance.magi.requirements import covers
from tests.harness.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

REPLACED = (4001, "Replaced by a newer connection")
STUCK = {"ping_seconds": 0, "silence_seconds": 0, "stall_seconds": 600, "agent_burst_count": 1000}


@covers("CORAL-25", "CORAL-24")
@pytest.mark.parametrize("node", [0, 1])
async def test_a_newcomer_replaces_the_connection_of_its_slot_wherever_that_is(place: Place, node: int):
    token = await place.token()
    phone, agent = await place.pair(token)
    again = await place.phone(token, node, paired=True)
    await phone.expect_close(*REPLACED)
    await agent.peer("online")
    await again.nothing_more()
    await one_after(again, agent)
    await one_after(agent, again)


@covers("CORAL-24", relay={"phone_burst_count": 10_000})
async def test_what_a_replaced_connection_still_sends_is_dropped(place: Place):
    token = await place.token()
    phone, agent = await place.pair(token)
    for number in range(5):
        again = await place.dial(number)
        # The old connection goes on sending while the new one authenticates.
        await again.say("auth", {"token": token, "role": "phone"})
        await phone.send(*[envelope("chat.send", {"from": str(count)}) for count in range(300)])
        await again.let_in(paired=True)
        assert await phone.rest() == []
        assert phone.socket.close_code == REPLACED[0]
        mine = await again.say("key_exchange", {"pubkey": "mine"})
        seen = []
        while (frame := await agent.next()).text != mine:
            seen.append(frame["payload"].get("peer", frame["payload"].get("from")))
        # The first of the old one's frames were in time; none comes after the newcomer was announced.
        assert seen == [*map(str, range(len(seen) - 1)), "online"]
        phone = again
    await one_after(phone, agent)


@covers("CORAL-24", "CORAL-14")
async def test_the_end_of_a_replaced_connection_changes_nothing(place: Place):
    token = await place.token()
    phone, agent = await place.pair(token)
    for number in range(6):
        phone.freeze()
        old, phone = phone, await place.phone(token, number, paired=True)
        await agent.peer("online")
        await old.vanish()
        await place.until(token, phone=True, agent=True)
        await one_after(phone, agent)
        await one_after(agent, phone)
    await agent.nothing_more()


@covers("CORAL-25", relay=STUCK)
async def test_what_waited_for_a_replaced_connection_is_never_given_to_its_successor(place: Place):
    token = await place.token()
    phone, agent = await place.pair(token)
    phone.freeze()
    for number in range(12):
        await agent.passed(padded(1 << 20, f"file.{number:02}"))
    again = await place.phone(token, 1, paired=True)
    text = envelope("chat.stream", {"delta": "new", "seq": 1})
    await agent.peer("online")
    await agent.passes(again, text)
    phone.thaw()
    got = [frame["type"] for frame in await phone.rest()]
    # What the kernel had taken came whole and in order; the rest was thrown away with the connection.
    assert got == [f"file.{number:02}" for number in range(len(got))]
    assert len(got) < 12
    await again.nothing_more()


@covers("CORAL-24", "CORAL-25", "CORAL-36")
async def test_of_many_that_come_at_once_exactly_one_stays(place: Place):
    token = await place.token()
    agent = await place.agent(token)
    phones = [await place.dial(number) for number in range(8)]
    await asyncio.gather(*(phone.auth(token, "phone", paired=True) for phone in phones))
    for _ in phones:
        await agent.peer("online")
    await agent.nothing_more()
    await agent.say("system.who")
    heard = await asyncio.gather(*(phone.outlives(REPLACED[0]) for phone in phones))
    assert sum(heard) == 1
    await one_after(phones[heard.index(True)], agent)


@covers("CORAL-27")
async def test_a_deleted_token_ends_both_connections_and_keeps_its_usage(place: Place):
    token = await place.token()
    phone, agent = await place.pair(token)
    await phone.passes(agent, padded(500))
    await place.delete(token, 1)
    await phone.expect_close(1008)
    await agent.expect_close(1008)
    assert await place.connected(token) == {"phone": False, "agent": False}
    for node in (0, 1):
        client = await place.dial(node)
        await client.say("auth", {"token": token, "role": "agent"})
        await client.turned_away("Invalid pairing token")
    await place.delete(token)


@covers("CORAL-27", "CORAL-36")
async def test_whoever_authenticates_while_the_token_is_deleted_does_not_stay(place: Place):
    for number in range(10):
        token = await place.token()
        client = await place.dial(number)
        await asyncio.gather(client.say("auth", {"token": token, "role": "phone"}), place.delete(token, number + 1))
        frame = await client.next()
        if frame["type"] == "auth.ok":
            await client.expect_close(1008)
        else:
            assert frame["payload"] == {"code": "UNAUTHORIZED", "message": "Invalid pairing token"}
            await client.expect_close(1008)


@covers("CORAL-27")
async def test_other_pairs_do_not_notice_a_deletion(place: Place):
    kept, gone = await place.token(), await place.token()
    phone, agent = await place.pair(kept)
    other = await place.phone(gone)
    await place.delete(gone)
    await other.expect_close(1008)
    await one_after(phone, agent)
    await one_after(agent, phone)


@covers("CORAL-28")
async def test_closing_twice_is_harmless_and_nobody_there_forgets_nothing(place: Place):
    token = await place.token()
    phone, agent = await place.pair(token)
    await phone.passes(agent, padded(300))
    for client in (phone, agent):
        await client.close()
        await client.vanish()
    await place.until(token, phone=False, agent=False)
    await place.delete(await place.token())
    phone = await place.phone(token, 1, paired=False, daily_used_bytes=300)
    await phone.nothing_more()


@covers("CORAL-28", "CORAL-22")
async def test_after_an_hour_without_connections_all_is_as_before(place: Place):
    if place.kind in {"redis", "processes"}:
        pytest.skip("nobody can move the clock of a real server")
    token, memory = await place.token(), place.running.memory
    phone, agent = await place.pair(token)
    await phone.passes(agent, padded(300))
    await phone.close()
    await agent.close()
    await place.until(token, phone=False, agent=False)
    real = memory.now_ms
    memory.now_ms = lambda: real() + 3_600_000
    try:
        phone = await place.phone(token, 1, paired=False, monthly_used_bytes=300)
        await place.agent(token, paired=True)
        await phone.peer("online")
    finally:
        memory.now_ms = real


@covers("CORAL-32", relay={"auth_seconds": 59})
async def test_connections_are_counted_by_their_authentications_and_ends(place: Place):
    async def counted(connections: int, sessions: int) -> None:
        async def is_so() -> bool:
            bodies = [(await place.request("GET", "/health", node)).json() for node in (0, 1)]
            return all((body["connections"], body["sessions"]) == (connections, sessions) for body in bodies)

        await eventually(is_so)

    token = await place.token()
    await counted(0, 0)
    await place.dial()
    phone, agent = await place.pair(token)
    await counted(2, 1)
    again = await place.phone(token, 1)
    await phone.expect_close(*REPLACED)
    await counted(2, 1)
    other = await place.agent(await place.token(), 0)
    await counted(3, 2)
    for client in (again, agent, other):
        await client.close()
    await counted(0, 0)
