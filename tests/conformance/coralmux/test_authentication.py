"""Section 2: the first frame, what comes back, and what only seems to be a refusal."""

import asyncio
import json

import pytest

from tests.conformance.coralmux.client import envelope, one_after, padded
from tests.conformance.coralmux.places import Place
from tests.conformance.magi.requirements import covers
from tests.harness.raw_socket import TEXT, frame

pytestmark = pytest.mark.asyncio(loop_scope="session")

UNKNOWN = "oc_pair_" + "0" * 32
NOT_JSON = ("", "hello", "{", '{"type":"auth"', '{"type":"auth","payload":{}}}', "5", "null", "[]", '"auth"')
ILL_TYPED = (
    '{"type":7}',
    '{"type":"auth","ts":1.5}',
    '{"type":"auth","id":5}',
    '{"type":"auth","v":"1"}',
    '{"type":null}',
)


def written(token: object, role: object) -> str:
    return envelope("auth", {"token": token, "role": role})


@covers("CORAL-6", "CORAL-3")
async def test_a_first_frame_that_is_not_json_is_refused_and_the_socket_closed(place: Place):
    for message in (
        *NOT_JSON,
        *ILL_TYPED[:-1],
        b"\xff",
        b'{"type":"auth","payload":"\xc3("}',
        '{"type":"a","type":"b"}',
    ):
        client = await place.dial()
        await client.send(message)
        await client.refused("INVALID_MESSAGE", "Invalid JSON")
        await client.expect_close(1008)


@covers("CORAL-6")
async def test_a_first_frame_of_another_type_is_refused_and_the_socket_closed(place: Place):
    token = await place.token()
    for type_ in (
        "ping",
        "pong",
        "chat.send",
        "status",
        "auth.ok",
        "auth.fail",
        "AUTH",
        "Auth",
        " auth",
        "",
        "nonsense",
    ):
        client = await place.dial()
        await client.say(type_, {"token": token, "role": "phone"})
        await client.refused("UNAUTHORIZED", "First message must be auth")
        await client.expect_close(1008)
    client = await place.dial()
    await client.send("{}")
    await client.refused("UNAUTHORIZED", "First message must be auth")
    await client.expect_close(1008)


@covers("CORAL-6")
async def test_an_auth_without_a_usable_payload_is_refused_and_the_socket_closed(place: Place):
    token = await place.token()
    payloads = (
        *(None, "token", 5, True, [], [token, "phone"]),
        *({"token": 5, "role": "phone"}, {"token": None, "role": 5}, {"token": token, "role": 5}),
        *({"token": token, "role": ["phone"]}, {"token": {}, "role": "phone"}),
    )
    for payload in payloads:
        client = await place.dial()
        await client.send(json.dumps({"type": "auth", "payload": payload}))
        await client.turned_away("Invalid auth payload")
    client = await place.dial()
    await client.send('{"type":"auth"}')
    await client.turned_away("Invalid auth payload")


@covers("CORAL-6", "CORAL-31")
async def test_a_token_that_is_not_exactly_one_is_refused(place: Place):
    token = await place.token()
    for wrong in (
        UNKNOWN,
        "",
        token.upper(),
        token[:-1],
        f"{token} ",
        f" {token}",
        token + "0",
        "x" * 5000,
        "é",
        "\x00",
    ):
        client = await place.dial()
        await client.send(written(wrong, "phone"))
        await client.turned_away("Invalid pairing token")
    assert await place.connected(token) == {"phone": False, "agent": False}


@covers("CORAL-6")
async def test_the_token_is_checked_before_the_role(place: Place):
    token = await place.token()
    for role in ("", "Phone", "AGENT", "phone ", "relay", "both", "é"):
        client = await place.dial()
        await client.send(written(token, role))
        await client.turned_away(f"invalid role: {role}")
        client = await place.dial()
        await client.send(written(UNKNOWN, role))
        await client.turned_away("Invalid pairing token")


@covers("CORAL-6", "CORAL-27")
async def test_a_deleted_token_is_refused_like_an_unknown_one(place: Place):
    token = await place.token()
    await place.delete(token, 1)
    client = await place.dial()
    await client.send(written(token, "phone"))
    await client.turned_away("Invalid pairing token")


@covers("CORAL-6", relay={"auth_seconds": 0.3})
async def test_whoever_says_nothing_is_closed_without_a_frame(place: Place):
    await (await place.dial()).expect_close(1008)
    client = await place.dial()
    await client.socket.ping(b"this is no first frame")
    await client.expect_close(1008)


@covers("CORAL-6", relay={"auth_seconds": 0.3, "ping_seconds": 0.2, "silence_seconds": 5})
async def test_the_time_for_the_first_frame_is_no_limit_for_what_follows(place: Place):
    phone, agent = await place.pair()
    await (await place.dial()).expect_close(1008)
    await (await place.dial()).expect_close(1008)
    await one_after(phone, agent)


@covers("CORAL-6")
async def test_a_large_first_frame_ends_the_connection_and_says_nothing_final(place: Place):
    client = await place.dial()
    await client.send(padded((64 << 10) + 1, "auth"))
    assert "auth.fail" not in [frame["type"] for frame in await client.rest()]
    assert client.socket.close_code in {1008, 1009}


@covers("CORAL-6", "CORAL-7")
async def test_nothing_after_a_refused_first_frame_is_heard(place: Place):
    token = await place.token()
    client = await place.dial()
    parts = (written(UNKNOWN, "phone"), written(token, "phone"), envelope("chat.send"))
    client.write(b"".join(frame(TEXT, part.encode()) for part in parts))
    await client.turned_away("Invalid pairing token")
    assert await place.connected(token) == {"phone": False, "agent": False}


@covers("CORAL-8", "CORAL-9", "CORAL-13")
async def test_auth_ok_is_first_and_has_exactly_its_fields(place: Place):
    token = await place.token()
    expected = {"daily_quota_bytes": 524_288_000, "daily_used_bytes": 0}
    expected |= {"monthly_quota_bytes": 10_737_418_240, "monthly_used_bytes": 0}
    phone = await place.phone(token, **expected, paired=False)
    agent = await place.agent(token, **expected, paired=True)
    await agent.nothing_more()
    await phone.peer("online")
    await phone.nothing_more()


@covers("CORAL-9")
async def test_paired_is_true_only_while_the_peer_is_there(place: Place):
    token = await place.token()
    phone = await place.phone(token, 1, paired=False)
    other = await place.phone(token, 0, paired=False)
    await phone.expect_close(4001)
    agent = await place.agent(token, 0, paired=True)
    await other.peer("online")
    await other.close()
    await agent.peer("offline")
    await place.agent(token, 1, paired=False)


@covers("CORAL-8", "CORAL-9")
async def test_what_comes_with_the_auth_in_one_packet_is_handled_after_it(place: Place):
    token = await place.token()
    phone = await place.phone(token)
    agent = await place.dial(1)
    sent = envelope("key_exchange", {"pubkey": "a"}), padded(100_000), envelope("chat.send", {"text": "b"})
    parts = written(token, "agent"), sent[0], envelope("ping"), sent[1], envelope("nonsense"), sent[2]
    agent.write(b"".join(frame(TEXT, part.encode()) for part in parts))
    await agent.let_in(paired=True)
    await agent.expect("pong", {})
    await phone.peer("online")
    await phone.relayed(*sent)


@covers("CORAL-8", "CORAL-11")
async def test_auth_ok_comes_before_any_frame_of_a_peer_that_talks_all_the_time(place: Place):
    token = await place.token()
    agent = await place.agent(token)
    for number in range(8):
        phone = await place.dial(number)
        talking = asyncio.create_task(agent.send(*[envelope("system.tick")] * 12))
        await phone.auth(token, "phone")
        await talking
        await phone.close()


@covers("CORAL-10")
async def test_a_second_auth_is_ignored_whatever_it_says(place: Place):
    token, other = await place.token(), await place.token()
    phone, agent = await place.pair(token)
    before = await place.usage(token)
    for text in (
        written(token, "phone"),
        written(token, "agent"),
        written(other, "phone"),
        written(UNKNOWN, "x"),
        '{"type":"auth"}',
    ):
        await phone.send(text)
    await phone.nothing_more()
    await agent.nothing_more()
    assert await place.usage(token) == before
    assert await place.connected(other) == {"phone": False, "agent": False}
    await one_after(phone, agent)
    await one_after(agent, phone)


@covers("CORAL-10")
async def test_a_second_auth_in_the_packet_of_the_first_is_ignored(place: Place):
    token = await place.token()
    client = await place.dial()
    client.write(frame(TEXT, written(token, "agent").encode()) * 3)
    await client.let_in(paired=False)
    await client.nothing_more()
    assert await place.connected(token) == {"phone": False, "agent": True}
