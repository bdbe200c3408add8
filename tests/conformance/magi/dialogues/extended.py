"""Section 12: additive fields, for those who ask and for nobody else."""

import asyncio
import time

from tests.conformance.magi.client import KEYS, PlainClient, befriend
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers

IDS = ["ids"]


async def extended(place: Place, username: str, node: int = 0) -> PlainClient:
    """Return an identified client that was granted ``ids``."""
    client = await place.client(node, extended=True)
    message = {"type": "identify", "username": username, "features": IDS}
    await client.call(message, "identified", username=username, features=IDS)
    return client


@covers("MAGI-45.b")
async def features_are_granted_only_from_those_that_exist(place: Place):
    client = await place.client(extended=True)
    for asked, granted in ((["ids"], ["ids"]), (["ids", "telepathy", 5, None], ["ids"]), ([], []), (["telepathy"], [])):
        message = {"type": "identify", "username": "ada", "features": asked}
        await client.call(message, "identified", features=granted)
    for ignored in (None, "ids", {"ids": True}, 5):
        await client.call({"type": "identify", "username": "ada", "features": ignored}, "identified")


@covers("MAGI-45.b", "MAGI-45.c")
async def features_can_be_asked_for_in_connect(place: Place):
    ada = await extended(place, "ada")
    code = (await ada.call({"type": "create_invite"}, "invite_created", expiresAt=_SOON))["code"]
    bob = await place.client(1, extended=True)
    await bob.send({"type": "connect", "code": code, "username": "bob", "features": IDS, "id": "c1"})
    frame = await bob.next()
    assert (frame["type"], frame["features"]) == ("identified", IDS)
    await bob.expect("connected_to_friend", id="c1")
    await ada.expect("friend_connected")


class _Soon:
    """Equal to any time of the next hour, in milliseconds."""

    def __eq__(self, other: object) -> bool:
        now = time.time() * 1000
        return type(other) is int and now - 60_000 < other < now + 3_600_000

    def __hash__(self) -> int:
        return 0


_SOON = _Soon()


@covers("MAGI-45.d")
async def a_reply_echoes_the_id_of_its_request(place: Place):
    ada, bob = await place.client(0, extended=True), await place.person("bob", node=1)
    await ada.call({"type": "identify", "username": "ada", "id": "1"}, "identified", id="1")
    code = (await ada.call({"type": "create_invite", "id": "2"}, "invite_created", id="2"))["code"]
    await bob.redeem(code)
    await ada.expect("friend_connected")
    await ada.call({"type": "ask", "content": 1, "id": "3"}, "question_sent", id="3")
    await ada.call({"type": "answer", "content": 1, "id": "4"}, "answer_sent", id="4")
    frame = await ada.refused(
        {"type": "ask", "content": 1, "to": "x", "id": "5"}, "User 'x' not found or not connected"
    )
    assert frame["id"] == "5"
    await bob.expect("question")
    await bob.expect("answer")


@covers("MAGI-45.e")
async def an_id_that_cannot_be_one_is_refused(place: Place):
    ada, bob = await place.friends()
    for id_ in ("", "x" * 65, 5, True, [], {}, "a\nb"):
        await ada.refused({"type": "ask", "content": 1, "id": id_}, "Invalid message format")
    await bob.nothing_more()


@covers("MAGI-45.f", "MAGI-52.e")
async def a_repeat_has_no_second_effect_and_gets_the_first_reply_again(place: Place):
    ada, bob = await place.person("ada", node=0, extended=True), await place.person("bob", node=1)
    first = await ada.call({"type": "create_invite", "id": "i"}, "invite_created", id="i")
    again = await ada.call({"type": "create_invite", "id": "i"}, "invite_created", id="i")
    assert first == again
    await bob.redeem(first["code"])
    await ada.expect("friend_connected")
    for _ in range(3):
        await ada.call({"type": "ask", "content": "once", "id": "q"}, "question_sent", id="q", to="bob")
        frame = await ada.refused(
            {"type": "ask", "content": 1, "to": "x", "id": "e"}, "User 'x' not found or not connected"
        )
        assert frame["id"] == "e"
    await bob.expect("question", content="once")
    await bob.nothing_more()


@covers("MAGI-45.f", "MAGI-52.e")
async def a_repeated_redeem_gets_its_first_reply(place: Place):
    ada, bob = await place.person("ada", node=0), await place.person("bob", node=1, extended=True)
    code = await ada.invite()
    message = {"type": "connect", "code": code, "id": "r"}
    first = await bob.call(message, "connected_to_friend", id="r")
    assert await bob.call(message, "connected_to_friend", id="r") == first
    await ada.expect("friend_connected")
    await ada.nothing_more()


@covers("MAGI-45.f")
async def the_same_id_of_another_user_is_another_request(place: Place):
    ada, bob = await place.person("ada", node=0, extended=True), await place.person("bob", node=1, extended=True)
    await befriend(ada, bob)
    for sender, target in ((ada, bob), (bob, ada)):
        await sender.call({"type": "ask", "content": 1, "id": "same"}, "question_sent", id="same")
        await target.expect("question", content=1)


@covers("MAGI-45.f", "MAGI-52.e")
async def pipelined_repeats_have_one_effect(place: Place):
    ada, bob = await place.person("ada", node=0, extended=True), await place.person("bob", node=1)
    await befriend(ada, bob)
    message = {"type": "ask", "content": 1, "id": "q"}
    await asyncio.gather(*(ada.send(message) for _ in range(10)))
    for _ in range(10):
        await ada.expect("question_sent", id="q")
    await bob.expect("question")
    await bob.nothing_more()


@covers("MAGI-45.f", "MAGI-50.e", limits={"asks_per_minute_count": 10, "asks_burst_count": 2})
async def after_a_refusal_that_passes_the_id_may_be_tried_again(place: Place):
    ada, bob = await extended(place, "ada", 0), await place.person("bob", node=1)
    await befriend(bob, ada)
    for _ in range(2):
        await ada.call({"type": "ask", "content": 1}, "question_sent")
        await bob.expect("question")
    await ada.send({"type": "ask", "content": 1, "id": "q"})
    refusal = await ada.next()
    assert (refusal["code"], refusal["id"]) == ("rate_limited", "q")
    assert 0 < refusal["retryAfterMs"] <= 6000
    await ada.call({"type": "answer", "content": 1, "id": "q"}, "answer_sent", id="q")
    await bob.expect("answer")


@covers("MAGI-45.g")
async def questions_and_answers_carry_ids_between_extended_clients(place: Place):
    ada, bob = await extended(place, "ada", 0), await extended(place, "bob", 1)
    await bob.redeem((await ada.call({"type": "create_invite"}, "invite_created", expiresAt=_SOON))["code"])
    await ada.expect("friend_connected")
    await ada.send({"type": "ask", "content": 1, "id": "q1", "trace": ["a", "b"], "expires": 9_999_999_999_999})
    await ada.expect("question_sent", id="q1")
    await bob.expect("question", id="q1", ts=_SOON, trace=["a", "b"], expires=9_999_999_999_999, from_="ada")
    await bob.send({"type": "answer", "content": 2, "id": "a1", "replyTo": "q1"})
    await bob.expect("answer_sent", id="a1")
    await ada.expect("answer", id="a1", ts=_SOON, replyTo="q1", from_="bob")


@covers("MAGI-45.g")
async def an_extended_client_gets_an_id_even_if_the_sender_gave_none(place: Place):
    ada, bob = await place.person("ada", node=0), await extended(place, "bob", 1)
    await befriend(ada, bob)
    ids = set()
    for number in range(3):
        await ada.ask(number)
        frame = await bob.next()
        assert set(frame) == {"type", "id", "ts"} | KEYS["question"]
        assert frame["ts"] == _SOON
        ids.add(frame["id"])
    assert len(ids) == 3
    assert all(isinstance(id_, str) and 0 < len(id_) <= 64 for id_ in ids)


@covers("MAGI-45.a", "WIRE-14.a", "MAGI-45.h")
async def a_plain_friend_of_an_extended_client_sees_nothing_new(place: Place):
    ada, bob = await extended(place, "ada", 0), await place.person("bob", node=1)
    await befriend(bob, ada)
    await ada.call(
        {"type": "ask", "content": 1, "id": "q", "trace": ["t"], "expires": 9_999_999_999_999}, "question_sent", id="q"
    )
    await bob.expect("question", content=1)
    await ada.call({"type": "answer", "content": 2, "id": "a", "replyTo": "q"}, "answer_sent", id="a")
    await bob.expect("answer", content=2)
    await bob.refused({"type": "ask", "content": 1, "to": "x"}, "User 'x' not found or not connected")
    assert await bob.invite()


@covers("MAGI-45.i")
async def an_extended_client_is_told_the_machine_name_of_a_refusal(place: Place):
    ada = await extended(place, "ada")
    for message, code in (
        ("nonsense", "malformed"),
        ({"type": "ping"}, "unknown_type"),
        ({"type": "ask", "content": 1}, "no_friends"),
        ({"type": "ask", "content": 1, "to": "x"}, "user_unknown"),
        ({"type": "connect", "code": "ZZZZZZ"}, "invite_unknown"),
    ):
        await ada.send(message)
        frame = await ada.next()
        assert set(frame) == {"type", "message", "code"}
        assert frame["code"] == code
