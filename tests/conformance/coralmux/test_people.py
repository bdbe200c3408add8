"""Sections 8 and 9: a phone and an agent that really encrypt, and what the original connector depends on (CORAL-33 to -35)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TypeVar

import pytest
from websockets.exceptions import ConnectionClosed

from tests.conformance.coralmux.client import envelope, one_after
from tests.conformance.coralmux.e2e import Cipher, KeyPair
from tests.conformance.coralmux.people import Agent, GivenUp, Person, Phone
from tests.conformance.coralmux.places import Place
from tests.conformance.magi.requirements import covers
from tests.harness.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUESTION = "How is it — 날씨 어때요? 🤖"
ANSWER = f"You said: {QUESTION}"


P = TypeVar("P", bound=Person)


class Company:
    """Who takes part in a dialogue, each on a node; ``there`` are those who are not replaced."""

    def __init__(self, place: Place, token: str) -> None:
        self.place = place
        self.token = token
        self.there: dict[str, Person] = {}
        self._gone: list[Person] = []

    async def phone(self, node: int) -> Phone:
        """Let a phone come, in the place of the one before."""
        return await self._enter(Phone(await self.place.dial(node)))

    async def agent(self, node: int) -> Agent:
        """Let an agent come, in the place of the one before."""
        return await self._enter(Agent(await self.place.dial(node)))

    async def leave(self, person: Person) -> None:
        """Let somebody go, and wait until the exchange knows."""
        await person.stop()
        del self.there[person.role]
        await self.place.until(self.token, phone="phone" in self.there, agent="agent" in self.there)

    async def stop(self) -> None:
        for person in (*self._gone, *self.there.values()):
            await person.stop()

    async def _enter(self, person: P) -> P:
        await person.start(self.token)
        if (before := self.there.get(person.role)) is not None:
            self._gone.append(before)
        self.there[person.role] = person
        return person


@contextlib.asynccontextmanager
async def company(place: Place) -> AsyncIterator[Company]:
    together = Company(place, await place.token())
    yield together
    await together.stop()


@covers("CORAL-33", "CORAL-34", "CORAL-16")
async def test_a_question_and_its_streamed_answer_pass_encrypted_whoever_comes_first(place: Place):
    for phone_first in (True, False):
        async with company(place) as people:
            phone = await people.phone(0) if phone_first else None
            agent = await people.agent(1)
            phone = phone or await people.phone(0)
            assert (phone.paired, agent.paired) == (not phone_first, phone_first)
            assert await phone.ask(QUESTION) == ANSWER
            assert agent.questions == [QUESTION]
            assert agent.misread == []


@covers("CORAL-33", "CORAL-34", "CORAL-11", "CORAL-12")
async def test_after_every_reconnect_of_the_phone_both_agree_on_new_keys(place: Place):
    async with company(place) as people:
        agent = await people.agent(1)
        publics = set()
        for number in range(6):
            # On the same node or another, with or without an end of the one before.
            phone = await people.phone(number // 2)
            assert await phone.ask(QUESTION) == ANSWER
            publics |= {phone.keys.public, agent.keys.public}
            if number % 3 == 0:
                await people.leave(phone)
        assert len(publics) == 12
        assert agent.misread == []


@covers("CORAL-33", "CORAL-34", "CORAL-12")
async def test_after_every_reconnect_of_the_agent_both_agree_on_new_keys(place: Place):
    async with company(place) as people:
        phone = await people.phone(0)
        for number in range(6):
            agent = await people.agent(number // 2)
            # Perhaps before the phone has heard of it: then it asks again, with the new keys.
            assert await phone.ask(QUESTION) == ANSWER
            if number % 3 == 0:
                await people.leave(agent)


@covers("CORAL-15", "CORAL-33")
async def test_two_that_come_at_the_same_time_still_understand_each_other(place: Place):
    for number in range(10):
        async with company(place) as people:
            phone, agent = await asyncio.gather(people.phone(number), people.agent(number + 1))
            assert await phone.ask(QUESTION) == ANSWER
            assert agent.misread == []


@covers("CORAL-14", "CORAL-19")
async def test_what_is_said_to_a_peer_that_left_is_refused_and_harms_nobody(place: Place):
    async with company(place) as people:
        agent = await people.agent(1)
        # Right after auth.ok it sends its key, though nobody is there; the error is ignored (section 9).
        await eventually(lambda: agent.errors)
        assert agent.errors == [{"code": "PEER_OFFLINE", "message": "Peer is not connected"}]
        phone = await people.phone(0)
        assert await phone.ask(QUESTION) == ANSWER
        await people.leave(phone)
        phone = await people.phone(1)
        assert await phone.ask(QUESTION) == ANSWER
        assert agent.misread == []


@covers("CORAL-33")
async def test_the_agent_takes_plain_payloads_too(place: Place):
    async with company(place) as people:
        agent = await people.agent(1)
        phone = await place.phone(people.token)
        await eventually(lambda: agent.errors)
        await phone.say("chat.send", {"text": "plain"})
        await eventually(lambda: agent.questions == ["plain"])
        await phone.send('{"type":"pong","payload":null}', '{"type":"pong","payload":{}}')
        # What the relay passes on is answered as by the original.
        await phone.say("chat.send", {"text": "again"})
        await eventually(lambda: agent.questions == ["plain", "again"])


@covers("CORAL-33", "CORAL-4")
async def test_only_the_payload_is_encrypted_and_the_relay_hands_over_what_only_the_ends_can_read(place: Place):
    phone, agent = await place.pair()
    ours, theirs = KeyPair(), KeyPair()
    sealed = ours.agree(theirs.public).seal({"text": QUESTION})
    await phone.passes(agent, envelope("chat.send", sealed))
    cipher: Cipher = theirs.agree(ours.public)
    assert cipher.open(sealed) == {"text": QUESTION}


@covers("CORAL-7")
async def test_the_agent_gives_up_when_its_token_is_refused_and_only_then(place: Place):
    token = await place.token()
    await place.delete(token)
    with pytest.raises(GivenUp, match="Invalid pairing token"):
        await Agent(await place.dial()).start(token)


@covers("CORAL-6", "CORAL-7", relay={"auth_seconds": 0.1})
async def test_an_agent_that_is_too_slow_is_closed_without_a_word_and_comes_back(place: Place):
    token = await place.token()
    client = await place.dial()
    await client.socket.wait_closed()
    with pytest.raises(ConnectionClosed):
        await Agent(client).start(token)
    agent = Agent(await place.dial())
    await agent.start(token)
    await agent.stop()


@covers("CORAL-1", "CORAL-31")
async def test_an_agent_without_a_token_registers_where_its_relay_url_says(place: Place):
    response = await place.request("POST", "/api/v1/register")
    agent = Agent(await place.dial())
    await agent.start(response.json()["token"])
    assert not agent.paired
    phone = await place.phone(response.json()["token"], 1, paired=True)
    while (await phone.next())["type"] != "key_exchange":
        pass
    await one_after(agent.client, phone)
    await agent.stop()
