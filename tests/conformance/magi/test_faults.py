"""Stores that fail, nodes that stop, and what must never be kept or shown."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

import pytest
import redis

from tests.conformance.magi.client import PlainClient, befriend, friend
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers
from tests.harness.in_process import Running, in_process
from tests.harness.waiting import WAIT_SECONDS, eventually

TRANSIENT = "Service temporarily unavailable. Please try again."
CANARY = "canary-content"
REQUESTS = (
    {"type": "identify", "username": "newcomer"},
    {"type": "create_invite"},
    {"type": "connect", "code": "ZZZZZZ"},
    {"type": "ask", "content": 1, "to": "nobody"},
    {"type": "ask", "content": 1, "to": "bob"},
    {"type": "answer", "content": 1},
)


@contextlib.asynccontextmanager
async def two_nodes(valkey=None, **overrides) -> AsyncIterator[tuple[Place, Running]]:
    async with in_process("memory" if valkey is None else "redis", overrides, valkey) as running:
        place = Place("memory", running.ports)
        try:
            yield place, running
        finally:
            await asyncio.gather(*(client.close() for client in place.clients))


async def accepted(client: PlainClient, number: int) -> bool:
    """Ask; tell whether it was confirmed. Any refusal but the transient one is wrong."""
    await client.send({"type": "ask", "content": number})
    frame = await client.next()
    if frame["type"] == "error":
        assert frame["message"] == TRANSIENT
        return False
    assert (frame["type"], frame["content"]) == ("question_sent", number)
    return True


@covers("MAGI-55.a", "WIRE-7.a", "SECTION-5.r", "MAGI-11.a")
async def test_while_the_store_is_away_everything_is_answered_with_the_transient_text():
    async with two_nodes() as (place, running):
        ada, bob = await place.friends()
        stranger = await place.client(1)
        running.memory.down = True
        for request in REQUESTS[:-2]:
            await ada.refused(request, TRANSIENT)
        await stranger.refused({"type": "identify", "username": "ada"}, TRANSIENT)
        await stranger.refused({"type": "ask", "content": 1}, "Please identify yourself first")
        running.memory.down = False
        await ada.ask("again")
        await bob.expect("question", content="again")
        await stranger.refused({"type": "identify", "username": "ada"}, "Username already taken")
        await ada.nothing_more()


@covers("MAGI-55.a", "MAGI-55.b", "WIRE-7.a", "MAGI-10.a", "MAGI-10.b", "WIRE-8.a", "MAGI-12.b")
async def test_a_frozen_store_is_answered_in_time_and_what_was_refused_never_arrives(own_valkey):
    async with two_nodes(own_valkey, live={"deadline_ms": 1500, "reply_deadline_ms": 3000}) as (place, _):
        ada, bob = await place.friends()
        assert await accepted(ada, 0)
        await bob.expect("question", content=0)
        assert own_valkey.process is not None
        own_valkey.process.send_signal(signal.SIGSTOP)
        try:
            assert not await accepted(ada, 1)
            for request in REQUESTS[1:4]:
                await ada.refused(request, TRANSIENT)
        finally:
            own_valkey.process.send_signal(signal.SIGCONT)
        number = 2
        while not await accepted(ada, number):
            number += 1
        await bob.expect("question", content=number)
        await ada.nothing_more()
        await bob.nothing_more()


@covers("MAGI-54.a", "MAGI-54.b", "MAGI-7.c", "WIRE-10.a", "WIRE-11.a", "MAGI-31.a")
async def test_a_node_that_stops_answers_what_is_pending_and_closes_with_1001():
    async with two_nodes() as (place, running):
        ada, bob = await place.friends()
        for number in range(40):
            await ada.send(
                {"type": "ask", "content": number, "to": "nobody"} if number % 2 else {"type": "create_invite"}
            )
        await ada.send({"type": "ask", "content": "last"})
        stopping = asyncio.ensure_future(running.nodes.pop(0).stop())
        types = []
        while len(types) < 41:
            types.append((await ada.next())["type"])
        assert set(types) <= {"invite_created", "error", "question_sent"}
        await ada.expect_close(1001)
        frame = await bob.next()
        if frame["type"] == "question":
            frame = await bob.next()
        assert frame == {"type": "friend_disconnected", "friend": friend("ada", "Ada")}
        await bob.nothing_more()
        async with asyncio.timeout(WAIT_SECONDS):
            await stopping
        again = await place.person("ada", node=1)
        await again.nothing_more()
        place.clients.remove(ada)


@covers("MAGI-54.d", "MAGI-53.b", "MAGI-47.a", "MAGI-48.a", "MAGI-45.a")
async def test_who_can_resume_is_told_before_its_node_stops_and_goes_on_elsewhere_with_its_mail():
    async with two_nodes() as (place, running):
        features = ("ids", "resume", "persist", "offline")
        ada, bob = await place.extended("ada", *features, node=1), await place.extended("bob", *features)
        plain = await place.person("plain")
        connection = await befriend(ada, bob)
        stopping = asyncio.ensure_future(running.nodes.pop(0).stop())
        notice = await bob.expect("draining")
        assert 0 <= notice["afterMs"] <= notice["untilMs"]
        await bob.expect_close(1001)
        await plain.expect_close(1001)
        async with asyncio.timeout(WAIT_SECONDS):
            await stopping
        await ada.expect("friend_disconnected", friend=bob.friend())
        message = {"type": "ask", "content": "waits", "to": bob.username}
        await ada.call(message, "question_sent", status="queued")
        again = await place.extended("bob", *features, node=1, token=bob.token)
        await ada.expect("friend_connected", connectionId=connection)
        await again.expect("question", content="waits")
        await again.nothing_more()
        await ada.nothing_more()


@covers("MAGI-44.c", "MAGI-48.i")
async def test_stored_content_leaves_the_store_when_it_is_acknowledged_and_codes_and_tokens_are_never_there(valkey):
    async with two_nodes(valkey) as (place, _):
        features = ("ids", "resume", "persist", "offline")
        ada, bob = await place.extended("ada", *features), await place.extended("bob", *features, node=1)
        await befriend(ada, bob)
        with redis.Redis(unix_socket_path=str(valkey.socket)) as raw:

            def stored(secret: str) -> bool:
                return any(secret.encode() in key + (raw.dump(key) or b"") for key in raw.keys())

            await ada.call({"type": "ask", "content": CANARY, "to": bob.username}, "question_sent")
            assert stored(CANARY)
            assert not stored(ada.token)
            assert not stored(bob.token)
            await bob.ack(await bob.expect("question", content=CANARY))
            await eventually(lambda: not stored(CANARY))


@covers("MAGI-54.a")
async def test_a_node_that_stops_lets_nobody_in():
    async with two_nodes() as (place, running):
        await place.client(0)
        await running.nodes.pop(0).stop()
        with pytest.raises(OSError):
            await place.dial(0)
        await place.client(1)


@covers("MAGI-44.a", "MAGI-29.f", "WIRE-9.a")
async def test_neither_content_nor_a_usable_code_is_ever_in_the_store(valkey):
    seen: list[bytes] = []
    async with two_nodes(valkey) as (place, _):
        ada, bob = await place.person("ada"), await place.person("bob", node=1)
        code = await ada.invite()
        await befriend(ada, bob)
        with redis.Redis(unix_socket_path=str(valkey.socket)) as raw:
            for kind in ("ask", "answer"):
                await ada.send({"type": kind, "content": CANARY, "id": "1" + kind})
                await bob.next()
                await ada.next()
                seen += [key + (raw.dump(key) or b"") for key in raw.keys()]
        assert len(seen) > 10
        assert not any(CANARY.encode() in record or code.encode() in record for record in seen)


@pytest.mark.asyncio(loop_scope="session")
@covers("MAGI-43.a", "MAGI-42.a", "WIRE-13.a", "MAGI-44.a")
async def test_the_log_of_a_node_shows_what_happened_but_no_content_name_code_or_address(box, open_place):
    async with open_place("processes", {}) as place:
        log = box.nodes[0].log
        before = log.stat().st_size
        ada = await place.person("lovelace@example.com", "Lovelace", 0)
        bob = await place.person("babbage", "Babbage", 0)
        code = await ada.invite()
        await bob.redeem(code)
        await ada.expect("friend_connected")
        await ada.ask(CANARY, "babbage")
        await bob.expect("question")
        await bob.answer(CANARY * 2, "lovelace@example.com")
        await ada.expect("answer")
        await ada.close()
        await bob.expect("friend_disconnected")

        def complete() -> str:
            text = log.read_bytes()[before:].decode()
            wanted = (
                "User identified",
                "Invitation created",
                "Users connected",
                "Question forwarded",
                "Answer forwarded",
            )
            return text if all(word in text for word in (*wanted, "Client disconnected")) else ""

        text = str(await eventually(complete))
        assert f"Length:{len(CANARY)}chars" in text
        assert f"Length:{2 * len(CANARY)}chars" in text
        assert f"{code[:2]}****" in text
        assert "User:l***@example.com" in text
        for secret in (CANARY, "lovelace", "Lovelace", "babbage", "Babbage", code, place.address()):
            assert secret not in text, secret
