"""Section 12: what every extended client can ask for, and that nobody else knows of it."""

import time

from tests.conformance.magi.client import befriend, friend
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers

REQUESTS = ("ack", "friends", "unfriend", "block", "unblock", "presence", "history", "confirm")
PERSIST = ("ids", "persist", "resume")
WRONG = {
    "upTo": {"type": "ack", "upTo": "somewhere"},
    "username": {"type": "unfriend"},
    "status": {"type": "presence", "status": "asleep"},
    "capabilities": {"type": "presence", "capabilities": ["x" * 65]},
    "code": {"type": "confirm", "code": 5, "username": "bob"},
    "length": {"type": "create_invite", "length": 17},
    "for": {"type": "create_invite", "for": ""},
}


@covers("MAGI-45.j")
async def a_feature_is_granted_only_with_those_it_needs(place: Place):
    client = await place.stranger()
    client.features = frozenset({"resume"})
    for asked, granted in (
        (["persist"], []),
        (["offline", "ids"], ["ids"]),
        (["offline", "persist", "resume"], ["persist", "resume"]),
        (["presence", "objects"], ["objects", "presence"]),
        (["history", "ids"], ["ids"]),
    ):
        message = {"type": "identify", "username": place.name("ada"), "features": asked}
        await client.send(message)
        frame = await client.next()
        assert (frame["type"], frame["features"]) == ("identified", granted)


@covers("MAGI-45.k", "MAGI-45.a", "WIRE-14.a")
async def to_a_client_without_its_feature_a_request_is_of_an_unknown_type(place: Place):
    plain, extended = await place.client(0), await place.extended("eve", "ids", node=1)
    for _ in range(2):
        for type_ in REQUESTS:
            for junk in ({}, {"username": 5, "upTo": [], "status": "x", "limit": -1, "code": {}}, {"id": "m1"}):
                text = f"Unknown message type: {type_}"
                await plain.refused({"type": type_} | junk, text)
                frame = await extended.refused({"type": type_} | junk, text)
                assert set(frame) == {"type", "message", "code"}
                assert frame["code"] == "unknown_type"
        await plain.identify("plain")


@covers("MAGI-45.l")
async def a_value_of_no_use_is_named(place: Place):
    ada = await place.extended("ada", *PERSIST, "offline", "presence")
    for field, message in WRONG.items():
        frame = await ada.refused(message | {"id": f"wrong-{field}"}, f"Invalid value for {field}", "unusable")
        assert frame["id"] == f"wrong-{field}"
    await ada.refused({"type": "friends", "id": 5}, "Invalid message format", "malformed")
    await ada.nothing_more()


@covers("MAGI-45.m", "MAGI-29.g")
async def an_extended_client_may_ask_for_a_longer_code(place: Place):
    ada, bob = await place.extended("ada", "ids"), await place.person("bob", node=1)
    for length in (6, 9, 16):
        invite = await ada.call({"type": "create_invite", "length": length}, "invite_created")
        assert len(invite["code"]) == length
    await bob.redeem(invite["code"].lower())
    await ada.expect("friend_connected", friend=friend("bob"))


@covers("MAGI-45.m")
async def an_invitation_can_be_for_one_user_only(place: Place):
    ada, bob = await place.extended("ada", "ids"), await place.person("bob", node=1)
    eve = await place.person("eve", node=0)
    code = (await ada.call({"type": "create_invite", "for": "bob"}, "invite_created"))["code"]
    await eve.refused({"type": "connect", "code": code}, "Invalid or expired invitation code")
    await bob.redeem(code)
    await ada.expect("friend_connected", friend=friend("bob"))


@covers("MAGI-45.m")
async def an_inviter_can_have_itself_asked_first(place: Place):
    ada, bob = await place.extended("ada", *PERSIST), await place.extended("bob", "ids", node=1)
    code = (await ada.call({"type": "create_invite", "confirm": True}, "invite_created"))["code"]
    connect = {"type": "connect", "code": code}
    text = f"{ada.username.title()} has to confirm first. Try again in a moment."
    refusal = await bob.refused(connect, text, "unconfirmed")
    assert refusal["retryAfterMs"] > 0
    await ada.call(
        {"type": "confirm", "code": code.lower(), "username": bob.username}, "confirmed", username=bob.username
    )
    await bob.call(connect, "connected_to_friend", friend=ada.friend())
    await ada.expect("friend_connected", friend=bob.friend())
    confirm = {"type": "confirm", "code": "ZZZZZZ", "username": bob.username}
    await ada.refused(confirm, "Invalid or expired invitation code", "invite_unknown")


@covers("MAGI-45.m", "MAGI-45.a")
async def a_plain_client_that_sends_these_keys_gets_the_usual_invitation(place: Place):
    ada, bob = await place.person("ada"), await place.person("bob", node=1)
    for junk in ({"length": 12, "for": "eve", "confirm": True}, {"length": "x", "for": 5, "confirm": []}):
        await ada.send({"type": "create_invite"} | junk)
        code = (await ada.expect("invite_created", expiresIn="30 minutes"))["code"]
        assert len(code) == 6
        await bob.redeem(code)
        await ada.expect("friend_connected")


@covers("MAGI-45.n")
async def friend_objects_say_more_to_who_asked_for_it(place: Place):
    ada = await place.extended("ada", "presence", "objects")
    bob = await place.extended("bob", "ids", node=1)
    code = await ada.invite()
    await bob.call({"type": "connect", "code": code}, "connected_to_friend", friend=ada.friend())
    await ada.expect("friend_connected", friend=bob.friend() | {"online": True, "features": ["ids"]})
    told = await ada.call({"type": "connect", "code": await bob.invite()}, "connected_to_friend")
    assert told["friend"] == bob.friend() | {"online": True, "features": ["ids"]}


@covers("MAGI-45.o")
async def a_message_that_has_expired_is_refused(place: Place):
    ada, bob = await place.extended("ada", "ids"), await place.person("bob", node=1)
    await befriend(ada, bob)
    past = int(time.time() * 1000) - 60_000
    await ada.refused({"type": "ask", "content": 1, "expires": past}, "Message has already expired", "already_expired")
    await bob.nothing_more()
    await ada.call({"type": "ask", "content": 2, "expires": past + 3_600_000}, "question_sent")
    await bob.expect("question", content=2)
