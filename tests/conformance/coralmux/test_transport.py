"""Section 1: paths, frames, the envelope, opacity, liveness."""

import asyncio
import json

import pytest
from websockets.exceptions import ConnectionClosed

from tests.conformance.coralmux.client import envelope, one_after
from tests.conformance.coralmux.places import API, Place
from tests.conformance.magi.requirements import covers
from tests.harness.raw_socket import BINARY, CONT, TEXT, frame

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUICK = {"ping_seconds": 0.5, "silence_seconds": 2.5}
MALFORMED = ("INVALID_MESSAGE", "Invalid JSON message")

ODD = (
    ' {"type" : "chat.send" ,\n\t"payload" : { } } \r\n',
    '{"payload":{"z":1,"a":2},"ts":5,"id":"x","type":"chat.send","v":1}',
    '{"type":"chat.send","payload":{"text":"\\u00e9\\/\\ud83e\\udd16 \u00e9/\U0001f916 \u2028"}}',
    '{"type":"chat\\u002esend","payload":{"n":1.0,"e":1e2,"big":123456789012345678,"zero":-0}}',
    '{"v":2,"type":"chat.send","id":"","ts":-1,"payload":null,"unknown":{"deep":[[[{}]]]},"peer":"online"}',
    '{"type":"chat.send"}',
    '{"type":"chat.send","payload":"text"}',
    '{"type":"chat.send","payload":[1,"two",null]}',
    '{"type":"chat.send","payload":{"type":"status","payload":{"peer":"offline"},"type":"twice"}}',
    '{"type":"chat.send","payload":{"enc":true,"ciphertext":"fm1H5eRoJOk=","nonce":"+MKSJwArYOnHZLXb"}}',
)
"""Frames that nobody would write so, and that must come out as they went in."""

ILL_TYPED = (
    '{"type":"chat.send","ts":1.5}',
    '{"type":"chat.send","ts":1.0}',
    '{"type":"chat.send","ts":"1707451200000"}',
    '{"type":"chat.send","ts":true}',
    '{"type":"chat.send","ts":{}}',
    '{"type":"chat.send","id":7}',
    '{"type":"chat.send","id":["x"]}',
    '{"type":"chat.send","v":"1"}',
    '{"type":"chat.send","v":1.5}',
    '{"type":"chat.send","v":[1]}',
    '{"type":5}',
    '{"type":["chat.send"]}',
    '{"type":{"chat":"send"}}',
)
"""A wrong JSON type in ``v``, ``type``, ``id`` or ``ts`` (CORAL-3)."""

NOT_JSON = (
    "",
    " ",
    "hello",
    "{",
    '{"type":"chat.send"',
    '{"type":"chat.send"}}',
    "{'type':'chat.send'}",
    '{"type":"chat.send","payload":NaN}',
    '{"type":"chat.send","payload":tru}',
    '{"type":"chat.send","payload":"\\ud83"}',
    '{"type":"chat.send",}',
    '"chat.send"',
    "[]",
    "5",
    "true",
)

TWICE = (
    '{"type":"chat.send","type":"status","payload":{"peer":"offline"}}',
    '{"type":"status","payload":{"peer":"offline"},"type":"chat.send"}',
    '{"type":"chat.send","payload":{},"payload":{"peer":"offline"}}',
    '{"type":"chat.send","t\\u0079pe":"auth.fail","payload":{}}',
)
"""A peer that takes the other one of two keys would hear the relay speak where only the sender did (SEC-62)."""


@covers("CORAL-1")
async def test_the_wire_is_at_its_path_and_at_no_other(place: Place):
    await place.phone(await place.token())
    for path in ("/ws", "/coralmux", "/coralmux/", "/coralmux/ws/", "/coralmux/ws/x", "/CORALMUX/ws", "/coralmux/wss"):
        await place.not_there(f"ws://{place.base()}{path}")


@covers("CORAL-1")
async def test_any_origin_and_any_query_is_let_in(place: Place):
    token = await place.token()
    for origin in (None, "null", "https://elsewhere.example"):
        client = await place.dial(origin=origin)
        await client.auth(token, "phone")
    client = await place.dial(url=place.url() + "?token=x")
    await client.auth(token, "phone")


@covers("CORAL-1")
async def test_the_http_address_follows_from_the_relay_url_as_the_connector_makes_it(place: Place):
    root = place.url().replace("ws", "http", 1).removesuffix("/ws")
    assert root == f"http://{place.base()}{API}"
    assert (await place.request("GET", "/health")).json()["status"] == "ok"


@covers("CORAL-2")
async def test_a_binary_frame_is_handled_and_comes_out_as_text(place: Place):
    token = await place.token()
    phone = await place.dial()
    await phone.send(envelope("auth", {"token": token, "role": "phone"}).encode())
    await phone.let_in()
    agent = await place.agent(token)
    await phone.peer("online")
    text = envelope("chat.send", {"text": "ünï 날씨"})
    await phone.send(text.encode())
    await agent.relayed(text)
    await agent.send(b'{"type":"ping"}')
    await agent.expect("pong", {})


@covers("CORAL-2")
async def test_bytes_that_are_not_utf8_are_refused_wherever_they_stand_and_never_reach_the_peer(place: Place):
    phone, agent = await place.pair()
    whole = '{"type":"chat.send","id":"ä","payload":{"text":"ä"}}'.encode()
    for at in [place for place, byte in enumerate(whole) if byte == 0xC3]:
        await phone.send(whole[: at + 1] + b"(" + whole[at + 2 :])
        await phone.refused(*MALFORMED)
    for data in (b"\xff", b'{"type":"chat.send"}\xfe', b'{"type":"chat.send","payload":"\xed\xa0\x80"}'):
        await phone.send(data)
        await phone.refused(*MALFORMED)
    await one_after(phone, agent)


@covers("CORAL-2")
async def test_a_text_frame_that_is_not_utf8_ends_its_sender_only(place: Place):
    phone, agent = await place.pair()
    agent.write(frame(TEXT, b'{"type":"chat.send","payload":"\xff"}'))
    with pytest.raises(ConnectionClosed) as closed:
        await agent.next()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1007
    await phone.peer("offline")
    await phone.nothing_more()


@covers("CORAL-2", "CORAL-4")
async def test_a_message_in_fragments_comes_out_in_one(place: Place):
    phone, agent = await place.pair()
    data = '{"type":"chat.send","payload":"é날"}'.encode()
    for opcode in (TEXT, BINARY):
        parts = [frame(CONT if at else opcode, data[at : at + 1], fin=at == len(data) - 1) for at in range(len(data))]
        phone.write(b"".join(parts))
        await agent.relayed(data.decode())


@covers("CORAL-3", "CORAL-4")
async def test_frames_arrive_to_the_byte_whatever_they_look_like(place: Place):
    phone, agent = await place.pair()
    await phone.passes(agent, *ODD)
    await agent.passes(phone, *ODD)


@covers("CORAL-3")
async def test_a_wrong_type_in_the_envelope_is_invalid_json_and_the_socket_stays(place: Place):
    phone, agent = await place.pair()
    for text in ILL_TYPED:
        await phone.send(text)
        await phone.refused(*MALFORMED)
    await one_after(phone, agent)


@covers("CORAL-3")
async def test_what_is_not_json_is_refused_and_the_socket_stays(place: Place):
    phone, agent = await place.pair()
    for text in NOT_JSON:
        await agent.send(text)
        await agent.refused(*MALFORMED)
    await agent.send("[" * 100_000)
    await agent.refused(*MALFORMED)
    await agent.send('{"type":"chat.send","payload":' + "[" * 65 + "]" * 65 + "}")
    await agent.refused(*MALFORMED)
    await one_after(agent, phone)


@covers("CORAL-3", "CORAL-4")
async def test_a_frame_with_a_key_twice_never_reaches_the_peer(place: Place):
    phone, agent = await place.pair()
    for text in TWICE:
        await phone.send(text)
        await phone.refused(*MALFORMED)
    await one_after(phone, agent)


@covers("CORAL-3")
async def test_frames_of_the_relay_have_an_envelope_of_their_own(place: Place):
    phone, agent = await place.pair()
    ids = set()
    for number in range(5):
        await phone.say("ping", id=f"mine-{number}", ts=1)
        ids.add((await phone.expect("pong", {}))["id"])
        await agent.send("?")
        frame = await agent.next()
        assert json.loads(frame.text)["v"] == 1
        ids.add(frame["id"])
    assert len(ids) == 10


@covers("CORAL-5", "CORAL-14", relay=QUICK)
async def test_a_half_open_connection_is_dropped_and_one_that_answers_pings_stays_without_a_frame(place: Place):
    phone, agent = await place.pair()
    phone.freeze()
    await agent.peer("offline")
    # No JSON ping came meanwhile, and the agent sent nothing: its pongs were enough.
    await agent.nothing_more()


@covers("CORAL-5")
async def test_a_websocket_ping_is_answered_at_once_before_and_after_auth(place: Place):
    client = await place.dial()
    async with asyncio.timeout(10):
        await (await client.socket.ping(b"before"))
    await client.auth(await place.token(), "agent")
    async with asyncio.timeout(10):
        await (await client.socket.ping(b"after"))
    await client.nothing_more()


@covers(
    "CORAL-5", "CORAL-14", relay={"ping_seconds": 0, "silence_seconds": 0, "stall_seconds": 1, "agent_burst_count": 100}
)
async def test_a_peer_that_takes_nothing_for_too_long_is_cut_off(place: Place):
    phone, agent = await place.pair()
    phone.freeze()
    text = envelope("chat.stream", {"delta": "x" * (1 << 20), "seq": 1})
    await agent.send(*[text] * 20)
    while (frame := await agent.next())["type"] == "chat.error":
        assert frame["payload"]["message"] == "Peer send buffer full"
    assert (frame["type"], frame["payload"]) == ("status", {"peer": "offline"})
