"""Section 12: what is accepted is stored until it is acknowledged, or ends visibly (MAGI-48)."""

import time
from typing import Any

from tests.conformance.magi.client import ExtendedClient, Frame, befriend
from tests.conformance.magi.dialogues.persisting import PERSIST, pair
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers
from tests.harness.waiting import eventually

OFFLINE = (*PERSIST, "offline")


async def send(sender: ExtendedClient, to: ExtendedClient, content: Any, kind: str = "ask", **fields: Any) -> Frame:
    """Send by name and return the receipt."""
    message = {"type": kind, "content": content, "to": to.username} | fields
    return await sender.call(message, "question_sent" if kind == "ask" else "answer_sent", content=content)


async def absent(place: Place) -> tuple[ExtendedClient, ExtendedClient]:
    """Return ada and her friend bob, who has left."""
    ada, bob, _ = await pair(place, *OFFLINE)
    await bob.close()
    await ada.expect("friend_disconnected")
    return ada, bob


async def back(place: Place, who: ExtendedClient, node: int = 0) -> ExtendedClient:
    """Return a client that comes back with its token."""
    return await place.extended(who.username.partition(".")[0], *OFFLINE, node=node, token=who.token)


@covers("MAGI-48.a", "MAGI-48.b", "MAGI-12.d")
async def a_message_to_an_absent_friend_is_queued_and_delivered_in_order_when_it_is_back(place: Place):
    ada, bob = await absent(place)
    for number in range(5):
        assert (await send(ada, bob, number, "answer" if number == 3 else "ask"))["status"] == "queued"
    again = await back(place, bob)
    await ada.expect("friend_connected")
    assert (await send(ada, bob, 5))["status"] == "delivered"
    frames = []
    for number in range(6):
        frame = await again.next()
        assert (frame["type"], frame["content"]) == ("answer" if number == 3 else "question", number)
        assert (frame["from"], frame["fromNickname"]) == (ada.username, ada.username.title())
        frames.append(frame)
    assert len({frame["offset"] for frame in frames}) == len({frame["id"] for frame in frames}) == 6
    await again.ack(frames[-1])
    await again.nothing_more()


@covers("MAGI-48.c")
async def what_was_acknowledged_is_not_given_again_and_what_was_not_is(place: Place):
    ada, bob, _ = await pair(place, *OFFLINE)
    for number in range(4):
        assert (await send(ada, bob, number, id=f"m{number}"))["status"] == "delivered"
    given = [await bob.expect("question", content=number, id=f"m{number}") for number in range(4)]
    await bob.ack(given[1])
    await bob.nothing_more()
    await bob.close()
    again = await back(place, bob)
    for number in (2, 3):
        frame = await again.expect("question", content=number, id=f"m{number}")
        assert frame["offset"] == given[number]["offset"]
        assert frame["ts"] == given[number]["ts"]
    await again.ack(given[3])
    await again.nothing_more()
    await again.close()
    last = await back(place, again, node=1)
    await last.nothing_more()


@covers("MAGI-48.c")
async def an_ack_has_no_reply_unless_it_is_wrong(place: Place):
    ada, bob, _ = await pair(place, *OFFLINE)
    await send(ada, bob, 1)
    frame = await bob.expect("question")
    for _ in range(2):
        await bob.ack(frame)
    never = "Nothing with this offset was delivered"
    await bob.refused({"type": "ack", "upTo": "9999999999999999-0"}, never, "never_delivered")
    await bob.refused({"type": "ack"}, "Invalid value for upTo", "unusable")
    await bob.nothing_more()


@covers("MAGI-48.c")
async def a_client_that_is_taken_over_passes_its_mail_on(place: Place):
    ada, bob, _ = await pair(place, *OFFLINE)
    await send(ada, bob, "read this")
    first = await bob.expect("question")
    again = await back(place, bob)
    second = await again.expect("question", content="read this")
    assert (first["id"], first["offset"]) == (second["id"], second["offset"])
    await again.ack(second)
    await again.nothing_more()


@covers("MAGI-48.d")
async def stored_messages_go_only_to_who_asked_for_them(place: Place):
    ada, bob = await place.extended("ada", *OFFLINE), await place.extended("bob", *PERSIST, node=1)
    await befriend(ada, bob)
    receipt = await send(ada, bob, 1)
    assert "status" not in receipt
    await bob.expect("question", content=1)
    await bob.close()
    await ada.expect("friend_disconnected")
    away = f"{bob.username.title()} is not connected"
    await ada.refused({"type": "ask", "content": 2, "to": bob.username}, away, "not_connected")
    again = await place.extended("bob", *PERSIST, token=bob.token)
    await again.nothing_more()


@covers("MAGI-48.d")
async def a_client_that_comes_back_without_the_feature_gets_its_mail_when_it_asks_for_it(place: Place):
    ada, bob = await absent(place)
    await send(ada, bob, "kept")
    again = await place.extended("bob", *PERSIST, token=bob.token)
    await ada.expect("friend_connected")
    await again.nothing_more()
    await again.arrive(bob.username, *OFFLINE)
    await again.expect("question", content="kept")


@covers("MAGI-48.e")
async def a_repeated_message_is_stored_once(place: Place):
    ada, bob = await absent(place)
    first = await send(ada, bob, "once", id="m1")
    again = await back(place, bob)
    await ada.expect("friend_connected")
    assert await send(ada, bob, "once", id="m1") == first
    text = "Message id was already used for another message"
    other = {"type": "ask", "content": "other", "to": bob.username, "id": "m1"}
    await ada.refused(other, text, "id_reused")
    await again.expect("question", content="once", id="m1")
    await again.nothing_more()


@covers("MAGI-48.f", mailbox={"envelopes_count": 4, "share_percent": 50})
async def a_full_mailbox_refuses_and_takes_more_when_there_is_room(place: Place):
    ada, bob = await absent(place)
    for number in range(2):
        await send(ada, bob, number)
    full = f"{bob.username.title()}'s mailbox is full. Try again later."
    await ada.refused({"type": "ask", "content": 2, "to": bob.username, "id": "m2"}, full, "mailbox_full")
    again = await back(place, bob)
    frames = [await again.expect("question", content=number) for number in range(2)]
    await again.ack(frames[-1])

    async def accepted() -> bool:
        await ada.send({"type": "ask", "content": 2, "to": bob.username, "id": "m2"})
        return (await ada.first(lambda frame: frame.get("id") == "m2"))["type"] == "question_sent"

    await eventually(accepted)
    await again.expect("question", content=2, id="m2")
    await again.nothing_more()


@covers("MAGI-48.g", session={"window_count": 3})
async def no_more_is_given_than_the_window_holds_until_some_is_acknowledged(place: Place):
    ada, bob = await absent(place)
    for number in range(8):
        await send(ada, bob, number)
    again = await back(place, bob)
    taken = 0
    while taken < 8:
        frames = [await again.expect("question", content=taken + place_) for place_ in range(min(3, 8 - taken))]
        await again.nothing_more()
        taken += len(frames)
        await again.ack(frames[-1])
    await again.nothing_more()


@covers("MAGI-48.h")
async def a_message_that_expires_while_its_friend_is_away_is_told_to_its_sender(place: Place):
    ada, bob = await absent(place)
    soon = int(time.time() * 1000) + 1500
    await send(ada, bob, "urgent", id="m1", expires=soon)
    await send(ada, bob, "patient", id="m2")
    await eventually(lambda: time.time() * 1000 > soon + 200)
    again = await back(place, bob)
    await again.expect("question", content="patient")
    await again.nothing_more()
    notice = await ada.expect("expired", id="m1", to=bob.username)
    await ada.expect("friend_connected")
    await ada.ack(notice)
    await ada.nothing_more()


@covers("MAGI-48.h", mailbox={"attempts_count": 1})
async def a_message_that_its_reader_fails_on_is_parked_and_told_to_its_sender(place: Place):
    ada, bob = await absent(place)
    await send(ada, bob, "poison", id="m1")
    first = await back(place, bob)
    await first.expect("question", content="poison")
    await first.close()
    again = await back(place, first, node=1)
    await again.nothing_more()
    await ada.expect("parked", id="m1", to=bob.username)
    await send(ada, bob, "harmless", id="m2")
    await again.expect("question", content="harmless")


@covers("MAGI-48.h")
async def the_fate_of_a_message_waits_for_its_sender_too(place: Place):
    ada, bob = await absent(place)
    soon = int(time.time() * 1000) + 1500
    await send(ada, bob, "urgent", id="m1", expires=soon)
    await ada.close()
    await eventually(lambda: time.time() * 1000 > soon + 200)
    again = await back(place, bob)
    await again.nothing_more()
    sender = await back(place, ada, node=1)
    notice = await sender.expect("expired", id="m1", to=bob.username)
    await again.expect("friend_connected")
    await sender.ack(notice)
    await sender.nothing_more()
