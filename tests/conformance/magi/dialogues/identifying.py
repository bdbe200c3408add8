"""Section 3.1: names, nicknames, and identifying again."""

import asyncio

from tests.conformance.magi.client import friend
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers


@covers("MAGI-17.a", "SECTION-3.1.a")
async def a_usable_name_is_kept_exactly(place: Place):
    client = await place.client()
    for name in ("a", "Ada", " ada ", "ada@example.com", "Жанна 名前 👩", "x" * 254, '"\\/', "anyone"):
        await client.identify(name, "N")
    await client.nothing_more()


@covers("SECTION-3.1.b", "SECTION-5.d")
async def an_unusable_name_is_refused(place: Place):
    client = await place.client()
    for name in (None, "", 5, True, [], ["ada"], {"a": 1}, "x" * 255, "a\nb", "a\u0000", "\u202eada"):
        await client.send({"type": "identify", "username": name})
        await client.expect_error("Username is required")
    await client.refused({"type": "identify"}, "Username is required")
    await client.refused({"type": "identify", "nickname": "Ada"}, "Username is required")
    client.names.clear()
    await client.refused({"type": "create_invite"}, "Please identify yourself first using the identify message")


@covers("SECTION-3.1.c")
async def the_nickname_defaults_to_the_username_and_is_cut(place: Place):
    client = await place.client()
    for nickname in (None, "", 5, False, [], {"a": 1}):
        message = {"type": "identify", "username": "ada", "nickname": nickname}
        await client.call(message, "identified", username="ada", nickname="ada")
    await client.call({"type": "identify", "username": "ada"}, "identified", nickname="ada")
    long = {"type": "identify", "username": "ada", "nickname": "é" * 201}
    await client.call(long, "identified", nickname="é" * 200)


@covers("MAGI-17.b", "MAGI-52.a", "WIRE-6.a", "MAGI-19.a")
async def of_simultaneous_claims_of_one_name_exactly_one_succeeds(place: Place):
    clients = [await place.client(number % 2) for number in range(12)]
    await asyncio.gather(*(client.send({"type": "identify", "username": "ada"}) for client in clients))
    frames = [await client.next() for client in clients]
    assert sorted(frame["type"] for frame in frames) == ["error"] * 11 + ["identified"]
    assert {frame["message"] for frame in frames if frame["type"] == "error"} == {"Username already taken"}


@covers("MAGI-18.a", "SECTION-8.a", "ORIGINALS.i")
async def identifying_again_under_the_same_name_changes_the_nickname(place: Place):
    ada, bob = await place.friends()
    await ada.identify("ada", "Countess")
    await ada.ask(1)
    await bob.expect("question", from_="ada", fromNickname="Countess")
    await bob.answer(2)
    await ada.expect("answer")
    await bob.send({"type": "ask", "content": 3, "to": "ada"})
    await bob.expect("question_sent", to="Countess")
    await ada.expect("question", content=3)
    await ada.call({"type": "create_invite"}, "invite_created", from_="Countess")


@covers("MAGI-18.b", "MAGI-18.c", "SECTION-8.b")
async def identifying_again_under_another_name_moves_the_friendships_and_frees_the_old_name(place: Place):
    ada, bob = await place.friends()
    await ada.identify("ada.l", "Countess")
    await ada.ask(1)
    await bob.expect("question", from_="ada.l", fromNickname="Countess")
    await bob.send({"type": "ask", "content": 2, "to": "ada.l"})
    await bob.expect("question_sent", to="Countess")
    await ada.expect("question", from_="bob", fromNickname="Bob")
    eve = await place.person("ada", "Eve", 1)
    await bob.refused(
        {"type": "ask", "content": 3, "to": "ada"}, "No active connection with Eve. Create an invite first."
    )
    await eve.nothing_more()
    await ada.close()
    await bob.expect("friend_disconnected", friend=friend("ada.l", "Countess"))


@covers("MAGI-19.a", "MAGI-18.d", "SECTION-8.c", "SECTION-5.e", "MAGI-52.a")
async def a_name_that_is_held_anywhere_is_refused_and_the_old_identity_is_kept(place: Place):
    ada, bob = await place.friends()
    for node in (0, 1):
        stranger = await place.client(node)
        await stranger.refused({"type": "identify", "username": "ada"}, "Username already taken")
        await stranger.refused({"type": "create_invite"}, "Please identify yourself first using the identify message")
    await bob.refused({"type": "identify", "username": "ada", "nickname": "Imposter"}, "Username already taken")
    await bob.ask("still me")
    await ada.expect("question", from_="bob", fromNickname="Bob")
    for other in ("Ada", "ADA", " ada", "ada "):
        await (await place.client(1)).identify(other)


@covers("MAGI-19.b")
async def a_name_is_free_again_when_its_holder_has_gone(place: Place):
    ada, bob = await place.friends()
    await ada.close()
    await bob.expect("friend_disconnected")
    eve = await place.client(1, address=place.address(1))
    await place.claim(eve, "ada")
    await eve.refused({"type": "ask", "content": 1}, "No active connection. Please connect first.")
