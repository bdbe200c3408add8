"""Section 2: one reply per request, in order, target first; what may arrive between replies; what is ignored."""

import json

from tests.conformance.magi.client import befriend, friend
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers

MANY = 200


@covers("MAGI-8.a", "MAGI-45.a", "ORIGINALS.b")
async def every_request_gets_exactly_one_reply(place: Place):
    ada, bob = await place.client(0), await place.client(1)
    await ada.identify("ada")
    await ada.nothing_more()
    await ada.identify("ada", "Ada")
    await ada.nothing_more()
    code = await ada.invite()
    await ada.nothing_more()
    await bob.identify("bob")
    await bob.redeem(code)
    await bob.nothing_more()
    await ada.expect("friend_connected")
    await ada.ask("?")
    await ada.nothing_more()
    await bob.expect("question")
    await bob.answer("!")
    await bob.nothing_more()
    await ada.expect("answer")
    await ada.refused("nonsense", "Invalid message format")
    await ada.refused({"type": "connect", "code": code}, "Invalid or expired invitation code")
    await ada.nothing_more()
    await bob.nothing_more()


@covers("MAGI-8.b", "MAGI-24.b")
async def a_connect_with_an_inline_username_gets_two_frames(place: Place):
    ada, bob = await place.person("ada", "Ada", 0), await place.client(1)
    code = await ada.invite()
    await bob.send({"type": "connect", "code": code, "username": "bob", "nickname": "Bob"})
    await bob.expect("identified", username="bob", nickname="Bob", clientId=bob.client_id)
    told = await bob.expect("connected_to_friend", friend=friend("ada", "Ada"))
    await bob.nothing_more()
    await ada.expect("friend_connected", friend=friend("bob", "Bob"), connectionId=told["connectionId"])
    await ada.nothing_more()


@covers("MAGI-9.a", "MAGI-8.a", "WIRE-5.a")
async def replies_keep_the_order_of_slow_and_fast_requests(place: Place):
    ada, _bob = await place.friends()
    wanted: list[tuple[str, object]] = []
    for number in range(15):
        await ada.send_all(
            {"type": "ask", "content": number},
            {"type": f"none-{number}"},
            {"type": "create_invite"},
            {"type": "ask", "content": number, "to": f"nobody-{number}"},
            {"type": "answer", "content": -number, "to": "bob"},
            {"type": "identify", "username": "ada", "nickname": f"Ada {number}"},
            "nonsense",
            {"type": "connect", "code": "ZZZZ"} if number < 5 else {"type": "ask", "content": None},
        )
        wanted += [
            ("question_sent", number),
            ("error", f"Unknown message type: none-{number}"),
            ("invite_created", "Ada" if number == 0 else f"Ada {number - 1}"),
            ("error", f"User 'nobody-{number}' not found or not connected"),
            ("answer_sent", -number),
            ("identified", f"Ada {number}"),
            ("error", "Invalid message format"),
            ("error", "Invalid or expired invitation code" if number < 5 else "Invalid message format"),
        ]
    for type_, value in wanted:
        frame = await ada.expect(type_)
        shown = {"error": "message", "invite_created": "from", "identified": "nickname"}.get(type_, "content")
        assert frame[shown] == value
    await ada.nothing_more()


@covers("MAGI-11.a", "ORIGINALS.c")
async def nobody_gets_an_error_it_did_not_ask_for(place: Place):
    ada, bob = await place.friends()
    eve = await place.person("eve", node=1)
    await eve.refused(
        {"type": "ask", "content": 1, "to": "ada"}, "No active connection with Ada. Create an invite first."
    )
    await bob.vanish()
    await ada.expect("friend_disconnected")
    await ada.nothing_more()
    await eve.nothing_more()


@covers("MAGI-12.a")
async def the_target_is_served_before_the_sender_hears_of_it(place: Place):
    ada, bob = await place.friends()
    for number in range(20):
        await ada.ask(number)
        # With both on one node the socket has the question before the receipt leaves. Across nodes the publish has been
        # counted, so it is on its way and comes without another step of the sender.
        if place.kind == "one":
            await bob.send({"type": "fence"})
        await bob.expect("question", content=number)
        if place.kind == "one":
            await bob.expect_error("Unknown message type: fence")


@covers("MAGI-13.a")
async def an_inviter_hears_of_a_friend_before_it_hears_from_it(place: Place):
    ada, bob = await place.person("ada", node=0), await place.person("bob", node=1)
    code = await ada.invite()
    await bob.send_all(
        {"type": "connect", "code": code}, {"type": "ask", "content": 1}, {"type": "answer", "content": 2}
    )
    await ada.expect("friend_connected", friend=friend("bob"))
    await ada.expect("question", content=1)
    await ada.expect("answer", content=2)
    await bob.expect("connected_to_friend")
    await bob.expect("question_sent")
    await bob.expect("answer_sent")


@covers("MAGI-13.b")
async def an_inviter_can_write_as_soon_as_it_hears_of_a_friend(place: Place):
    ada, bob = await place.person("ada", node=0), await place.person("bob", node=1)
    code = await ada.invite()
    await bob.send({"type": "connect", "code": code})
    await ada.expect("friend_connected")
    await ada.ask("welcome", "bob")
    await bob.expect("connected_to_friend")
    await bob.expect("question", content="welcome")


@covers("MAGI-14.a", "MAGI-9.a", "WIRE-5.a", "WIRE-5.b")
async def two_hundred_pipelined_asks_arrive_and_are_confirmed_in_order(place: Place):
    ada, bob = await place.friends()
    for number in range(MANY):
        padding = "x" * (5000 if number % 7 == 0 else 0)
        await ada.send({"type": "ask", "content": [number, padding], "to": ("bob", "BOB", None, "anyone")[number % 4]})
    for number in range(MANY):
        frame = await bob.expect("question", from_="ada")
        assert frame["content"][0] == number
    for number in range(MANY):
        frame = await ada.expect("question_sent", to="Bob")
        assert frame["content"][0] == number
    await ada.nothing_more()
    await bob.nothing_more()


@covers("MAGI-14.a", "MAGI-15.a")
async def frames_of_several_senders_each_keep_their_order(place: Place):
    ada, bob = await place.friends()
    cy = await place.person("cy", node=0)
    await befriend(bob, cy)
    for number in range(50):
        await ada.send({"type": "ask", "content": number})
        await cy.send({"type": "answer", "content": number})
    seen: dict[str, list[int]] = {"ada": [], "cy": []}
    for _ in range(100):
        frame = await bob.next()
        assert frame["type"] == ("question" if frame["from"] == "ada" else "answer")
        seen[frame["from"]].append(frame["content"])
    assert seen == {"ada": list(range(50)), "cy": list(range(50))}
    await bob.nothing_more()


@covers("MAGI-16.a", "MAGI-16.b")
async def unknown_keys_are_ignored_and_the_sender_is_filled_in_by_the_server(place: Place):
    ada, bob = await place.friends()
    forged = {
        "from": "eve",
        "fromNickname": "Eve",
        "timestamp": 5,
        "clientId": "x",
        "username": "eve",
        "code": "ABC123",
    }
    await ada.send({"type": "ask", "content": "hi", **forged})
    ada.names.remove("eve")
    await bob.expect("question", content="hi", from_="ada", fromNickname="Ada")
    await ada.expect("question_sent", content="hi", to="Bob")
    await ada.send({"type": "identify", "username": "ada", "clientId": "x", "extra": {"deep": [1]}})
    await ada.expect("identified", clientId=ada.client_id)


@covers("SECTION-3.a")
async def the_text_is_checked_before_the_value_and_the_value_before_the_type(place: Place):
    client = await place.client()
    for message, text in {
        "": "Invalid message format",
        "{": "Invalid message format",
        '{"type":"nothing"': "Invalid message format",
        "null": "Invalid message format",
        '{"type":"nothing"}': "Unknown message type: nothing",
        '{"type":"create_invite"}': "Please identify yourself first using the identify message",
    }.items():
        await client.refused(message, text)
    await client.nothing_more()


@covers("MAGI-15.b")
async def pushes_may_arrive_between_replies_and_disturb_none(place: Place):
    ada, bob = await place.friends()
    for number in range(30):
        await ada.send({"type": "ask", "content": number})
        await bob.send({"type": "answer", "content": number})
    seen: dict[str, list[int]] = {}
    for client, types in ((ada, ("question_sent", "answer")), (bob, ("answer_sent", "question"))):
        seen = {type_: [] for type_ in types}
        for _ in range(60):
            frame = await client.next()
            seen[frame["type"]].append(frame["content"])
        assert all(numbers == list(range(30)) for numbers in seen.values()), json.dumps(seen)
        await client.nothing_more()
