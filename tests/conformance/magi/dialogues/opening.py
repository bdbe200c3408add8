"""Section 1: paths, handshake, frames, sizes, liveness, greeting, close codes."""

import json
import re

import pytest
from websockets.exceptions import InvalidStatus

from tests.conformance.magi.client import friend
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers

LIMIT = 4096
SMALL = {"message_bytes": LIMIT}
QUICK = {"ping_seconds": 0.5, "silence_seconds": 2.5}


@covers("MAGI-1.a", "MAGI-1.b", "WIRE-1.a")
async def the_wire_is_served_on_the_root_and_below_bx(place: Place):
    for path in ("/", "/?x=1", "/bx", "/bx/", "/bx/x", "/bx/x/y?token=1", "/bxy"):
        client = await place.client(1, path=path)
        await client.nothing_more()


@covers("MAGI-1.c", "WIRE-1.b")
async def an_upgrade_elsewhere_is_refused_before_the_handshake(place: Place):
    for path in ("/ws", "/b", "/api/stats", "/health", "/coralmux", "/aimessage/ws", "//bx", "/BX"):
        with pytest.raises(InvalidStatus) as refused:
            await place.dial(path=path)
        assert refused.value.response.status_code == 404, path


@covers("MAGI-2.a")
async def any_origin_any_subprotocol_and_any_extension_are_let_in(place: Place):
    for origin in (None, "null", "https://elsewhere.example"):
        await (await place.client(origin=origin)).nothing_more()
    client = await place.client(subprotocols=["magi", "other"])
    assert client.socket.subprotocol is None
    await client.nothing_more()


@covers("MAGI-2.b", listen={"origins": ("https://ours.example",)})
async def a_deployment_can_restrict_origins(place: Place):
    await place.client(origin="https://ours.example")
    await place.client()
    with pytest.raises(InvalidStatus) as refused:
        await place.dial(origin="https://elsewhere.example")
    assert refused.value.response.status_code == 403


@covers("MAGI-3.a", "MAGI-3.b")
async def a_binary_frame_is_read_as_text_and_answered_with_text(place: Place):
    client = await place.client()
    await client.send(json.dumps({"type": "identify", "username": "ädä"}, ensure_ascii=False).encode())
    await client.expect("identified", username="ädä", nickname="ädä", clientId=client.client_id)
    client.names.append("ädä")
    await client.nothing_more()


@covers("MAGI-3.c")
async def bytes_that_are_not_utf8_are_a_malformed_message(place: Place):
    client = await place.client()
    for data in (b"\xff", b'{"type":"identify","username":"\xc3("}', b'{"type":"ping\xed\xa0\x80"}'):
        await client.refused(data, "Invalid message format")
    await client.nothing_more()


def _padded(size: int) -> str:
    head, tail = '{"type":"identify","username":"ada","x":"', '"}'
    return head + "x" * (size - len(head) - len(tail)) + tail


@covers("MAGI-4.a", session=SMALL)
async def a_message_above_the_limit_is_refused_and_the_socket_stays(place: Place):
    client = await place.client()
    client.names.append("ada")
    await client.call(_padded(LIMIT), "identified")
    for size in (LIMIT + 1, 2 * LIMIT, 4 * LIMIT):
        await client.refused(_padded(size), "Message too large")
    await client.nothing_more()


@covers("MAGI-4.a", "MAGI-9.a", session=SMALL)
async def the_refusal_of_a_large_message_keeps_its_place_among_the_replies(place: Place):
    client = await place.client()
    await client.send_all({"type": "identify", "username": "ada"}, _padded(LIMIT + 1), {"type": "create_invite"})
    await client.expect("identified")
    await client.expect_error("Message too large")
    await client.expect("invite_created")


@covers("MAGI-4.b", "MAGI-7.a", session=SMALL)
async def a_message_far_above_the_limit_closes_with_1009(place: Place):
    client = await place.client()
    await client.send(_padded(4 * LIMIT + 1))
    await client.expect_close(1009)


@covers("MAGI-4.c")
async def a_message_of_one_mebibyte_passes(place: Place):
    ada, bob = await place.friends()
    size = (1 << 20) - len('{"type":"ask","content":""}')
    await ada.send('{"type":"ask","content":"' + "x" * size + '"}')
    question = await bob.expect("question", from_="ada", fromNickname="Ada")
    assert len(question["content"]) == size
    await ada.expect("question_sent", to="Bob")
    await ada.refused('{"type":"ask","content":"' + "x" * (size + 1) + '"}', "Message too large")


@covers("MAGI-5.a", "MAGI-5.b", "MAGI-5.c", "SECTION-8.d", "MAGI-31.a", session=QUICK)
async def a_half_open_connection_is_dropped_and_one_that_answers_pings_stays_without_a_frame(place: Place):
    ada, bob = await place.friends()
    watcher = await place.client(1)
    bob.freeze()
    await ada.expect("friend_disconnected", friend=friend("bob", "Bob"))
    await ada.nothing_more()
    await watcher.nothing_more()
    again = await place.client(0, address=place.address(1))
    await again.identify("bob")


@covers("MAGI-6.a", "MAGI-6.b", "ORIGINALS.a")
async def the_greeting_comes_first_and_unasked(place: Place):
    ids = set()
    for number in range(12):
        client = await place.dial(number % 2)
        frame = await client.expect("connected")
        assert frame.text.startswith('{"type":"connected"')
        # 26 characters out of 32 are 130 bits.
        assert re.fullmatch(r"[a-z0-9]{26,}", frame["clientId"])
        ids.add(frame["clientId"])
    assert len(ids) == 12


@covers("MAGI-6.c")
async def the_greeting_comes_first_even_if_the_client_speaks_before_reading_it(place: Place):
    client = await place.dial()
    await client.send_all({"type": "identify", "username": "ada"}, {"type": "create_invite"})
    client_id = (await client.expect("connected"))["clientId"]
    await client.expect("identified", username="ada", nickname="ada", clientId=client_id)
    await client.expect("invite_created", from_="ada")


@covers("MAGI-7.b")
async def a_close_of_the_client_is_answered_in_kind(place: Place):
    client = await place.client()
    await client.close()
    assert client.socket.close_code == 1000
