"""Sections 3.2, 3.3 and 7: invitations and what becomes of them."""

import asyncio
import re

from tests.conformance.magi.client import befriend, friend
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers

UNKNOWN = "Invalid or expired invitation code"
ATTEMPTS = "Too many attempts. Try again later."
EASY = {"redeem_failures_connection_count": 1000, "redeem_failures_address_count": 1000}


@covers("MAGI-20.a", "MAGI-29.a", "MAGI-20.b")
async def an_invitation_is_six_characters_and_says_whose_it_is(place: Place):
    ada = await place.person("ada", "Ada")
    codes = set()
    for _ in range(20):
        frame = await ada.call({"type": "create_invite"}, "invite_created", from_="Ada", expiresIn="30 minutes")
        assert re.fullmatch("[A-Z0-9]{6}", frame["code"])
        codes.add(frame["code"])
    assert len(codes) == 20
    await ada.refused({"type": "create_invite"}, "Too many open invitations")
    bob = await place.person("bob", node=1)
    await bob.redeem(codes.pop())
    await ada.expect("friend_connected")


@covers("SECTION-4.a", invites={"ttl_seconds": 120})
async def the_life_of_an_invitation_is_told_in_minutes(place: Place):
    ada = await place.person("ada")
    await ada.call({"type": "create_invite"}, "invite_created", expiresIn="2 minutes")


@covers("MAGI-24.a", "ORIGINALS.h", "MAGI-52.b")
async def a_redeem_tells_both_sides_who_the_other_is(place: Place):
    ada, bob = await place.person("ada@example.com", "Ada", 0), await place.person("bob@example.com", "Bob", 1)
    told = await bob.redeem(await ada.invite())
    assert told["friend"] == friend("ada@example.com", "Ada")
    assert isinstance(told["connectionId"], str)
    assert told["connectionId"]
    await ada.expect("friend_connected", friend=friend("bob@example.com", "Bob"), connectionId=told["connectionId"])
    await ada.nothing_more()
    await bob.nothing_more()


@covers("MAGI-21.a", "SECTION-8.h", "ORIGINALS.e")
async def codes_match_in_any_case_and_with_white_space_around(place: Place):
    ada = await place.person("ada")
    for number, typed in enumerate((str.lower, str.title, "  {}\t\n".format)):
        bob = await place.person(f"bob{number}", node=1)
        await bob.redeem(typed(await ada.invite()))
        await ada.expect("friend_connected", friend=friend(f"bob{number}"))


@covers("SECTION-5.h", "SECTION-8.g", "SECTION-3.3.a", limits=EASY)
async def what_no_open_invitation_has_is_refused(place: Place):
    ada, bob = await place.friends()
    used = await ada.invite()
    cy = await place.person("cy")
    await cy.redeem(used)
    await ada.expect("friend_connected")
    codes = ["ZZZZZZ", "", "ABC", "ABC-12", "ABCDEFGHIJKLMNOPQ", "ÄBCDEF", None, 123456, [used], {"code": used}, used]
    for code in codes:
        await bob.refused({"type": "connect", "code": code}, UNKNOWN)
    await bob.refused({"type": "connect"}, UNKNOWN)
    await ada.nothing_more()


@covers("MAGI-29.b", "MAGI-52.b", "WIRE-6.b")
async def of_simultaneous_redeems_exactly_one_succeeds(place: Place):
    ada = await place.person("ada")
    redeemers = [await place.person(f"r{number}", node=number % 2) for number in range(8)]
    code = await ada.invite()
    await asyncio.gather(*(client.send({"type": "connect", "code": code}) for client in redeemers))
    frames = [await client.next() for client in redeemers]
    assert sorted(frame["type"] for frame in frames) == ["connected_to_friend"] + ["error"] * 7
    assert {frame["message"] for frame in frames if frame["type"] == "error"} == {UNKNOWN}
    await ada.expect("friend_connected")
    await ada.nothing_more()


@covers("MAGI-22.a", "SECTION-5.g")
async def identity_is_checked_before_the_code(place: Place):
    client = await place.client()
    await client.refused({"type": "connect", "code": "ZZZZZZ"}, "Please identify yourself first")
    await client.refused({"type": "connect"}, "Please identify yourself first")
    await client.refused({"type": "connect", "code": "ZZZZZZ", "username": ""}, "Please identify yourself first")
    await client.refused({"type": "connect", "code": "ZZZZZZ", "username": None}, "Please identify yourself first")
    await client.refused({"type": "connect", "code": "ZZZZZZ", "username": 5}, "Username is required")
    await client.refused({"type": "connect", "code": "ZZZZZZ", "username": "x" * 255}, "Username is required")
    client.names.clear()


@covers("MAGI-22.b")
async def a_good_identify_stands_even_if_the_code_is_bad(place: Place):
    client = await place.client()
    await client.refused({"type": "connect", "code": "ZZZZZZ", "username": "ada"}, UNKNOWN)
    await client.nothing_more()
    assert await client.invite()


@covers("MAGI-23.a", "SECTION-8.l")
async def a_failed_inline_identify_is_one_error_and_uses_nothing_up(place: Place):
    ada, bob = await place.person("ada", "Ada"), await place.person("bob", "Bob", 1)
    code = await ada.invite()
    stranger = await place.client(1)
    taken = {"type": "connect", "code": code, "username": "ada"}
    await stranger.refused(taken, "Username already taken")
    await stranger.nothing_more()
    await stranger.refused({"type": "create_invite"}, "Please identify yourself first using the identify message")
    await bob.refused(taken, "Username already taken")
    await bob.redeem(code)
    await ada.expect("friend_connected", friend=friend("bob", "Bob"))
    await ada.nothing_more()


@covers("MAGI-24.b", "MAGI-18.a", "ORIGINALS.i")
async def an_inline_identify_under_ones_own_name_is_no_theft(place: Place):
    ada, bob = await place.person("ada"), await place.person("bob", node=1)
    code = await ada.invite()
    await bob.send({"type": "connect", "code": code, "username": "bob", "nickname": "Bobby"})
    await bob.expect("identified", username="bob", nickname="Bobby", clientId=bob.client_id)
    await bob.expect("connected_to_friend", friend=friend("ada"))
    await ada.expect("friend_connected", friend=friend("bob", "Bobby"))


@covers("SECTION-5.j", "SECTION-8.i", "MAGI-29.c", "MAGI-22.c")
async def ones_own_code_is_refused_and_stays_valid(place: Place):
    ada, bob = await place.person("ada"), await place.person("bob", node=1)
    code = await ada.invite()
    await ada.refused({"type": "connect", "code": code}, "Cannot connect to your own invitation")
    await ada.refused({"type": "connect", "code": code.lower()}, "Cannot connect to your own invitation")
    await bob.redeem(code)
    await ada.expect("friend_connected")


@covers("SECTION-5.i", "MAGI-29.d", "MAGI-22.c", "SECTION-8.g", limits=EASY, invites={"ttl_seconds": 0.5})
async def an_invitation_past_its_time_is_refused_as_such(place: Place):
    ada, bob = await place.person("ada"), await place.person("bob", node=1)
    code = (await ada.call({"type": "create_invite"}, "invite_created", expiresIn="1 minute"))["code"]
    while True:
        # The owner cannot use it up by trying; that it is expired is checked first.
        await ada.send({"type": "connect", "code": code})
        frame = await ada.expect("error")
        if frame["message"] != "Cannot connect to your own invitation":
            break
    assert frame["message"] == "Invitation code has expired"
    await bob.refused({"type": "connect", "code": code}, "Invitation code has expired")
    await ada.nothing_more()


@covers("SECTION-8.f")
async def a_code_leads_to_whatever_its_maker_is_called_now(place: Place):
    ada, bob = await place.person("ada", "Ada"), await place.person("bob", node=1)
    code = await ada.invite()
    await ada.identify("lovelace", "L")
    told = await bob.redeem(code)
    assert told["friend"] == friend("lovelace", "L")
    await ada.expect("friend_connected", friend=friend("bob"))


@covers("MAGI-29.e", "MAGI-27.i")
async def redeeming_again_keeps_the_connection_and_makes_it_the_most_recent(place: Place):
    ada, bob = await place.friends()
    connection = await befriend(bob, ada)
    cy = await place.person("cy", "Cy", 1)
    await befriend(ada, cy)
    await ada.call({"type": "ask", "content": 1}, "question_sent", to="Cy")
    await cy.expect("question")
    code = await ada.invite()
    told = await bob.call({"type": "connect", "code": code}, "connected_to_friend", friend=friend("ada", "Ada"))
    await ada.expect("friend_connected", connectionId=connection, friend=friend("bob", "Bob"))
    assert told["connectionId"] == connection
    await ada.call({"type": "ask", "content": 2}, "question_sent", to="Bob")
    await bob.expect("question")
    await cy.refused({"type": "connect", "code": code}, UNKNOWN)


@covers("MAGI-30.a", "MAGI-22.d", "SECTION-5.p")
async def ten_wrong_codes_of_one_connection_are_enough(place: Place):
    ada, bob = await place.person("ada"), await place.person("bob", node=1)
    code = await ada.invite()
    for number in range(10):
        await bob.refused({"type": "connect", "code": f"WRONG{number}"}, UNKNOWN)
    for tried in (code, "WRONG1", None):
        await bob.refused({"type": "connect", "code": tried}, ATTEMPTS)
    await bob.refused({"type": "connect", "code": code, "username": ""}, ATTEMPTS)
    cy = await place.person("cy", node=1)
    await cy.redeem(code)
    await ada.expect("friend_connected", friend=friend("cy"))


@covers("MAGI-30.b", "MAGI-52.c")
async def thirty_wrong_codes_of_one_address_are_enough(place: Place):
    ada = await place.person("ada", address=place.address(1))
    code = await ada.invite()
    for number in range(3):
        guesser = await place.person(f"g{number}", node=number % 2)
        for _ in range(10):
            await guesser.refused({"type": "connect", "code": "WRONG0"}, UNKNOWN)
    for node in (0, 1):
        await (await place.person(f"h{node}", node=node)).refused({"type": "connect", "code": code}, ATTEMPTS)
    bob = await place.person("bob", node=1, address=place.address(2))
    await bob.redeem(code)
    await ada.expect("friend_connected", friend=friend("bob"))


@covers("MAGI-28.a", "MAGI-28.b", "SECTION-8.j", "SECTION-8.p", "SECTION-5.n")
async def an_inviter_who_left_a_moment_ago_can_be_joined_and_comes_back_to_a_friend(place: Place):
    ada, bob = await place.friends()
    cy = await place.person("cy", "Cy", 1)
    code = await ada.invite()
    await ada.close()
    await bob.expect("friend_disconnected")
    told = await cy.redeem(code)
    assert told["friend"] == friend("ada", "Ada")
    await cy.refused({"type": "ask", "content": 1, "to": "ada"}, "Ada is not connected")
    await cy.refused({"type": "answer", "content": 1}, "Ada is not connected")
    again = await place.client(0)
    await place.claim(again, "ada", "Ada")
    await again.expect("friend_connected", connectionId=told["connectionId"], friend=friend("cy", "Cy"))
    await bob.expect("friend_connected", friend=friend("ada", "Ada"))
    await again.ask("hello", "cy")
    await cy.expect("question", content="hello", from_="ada")
    await cy.answer("hi")
    await again.expect("answer", content="hi")


@covers("MAGI-28.c", "MAGI-32.d", session={"grace_seconds": 0.4})
async def a_friendship_with_an_inviter_who_stays_away_lapses(place: Place):
    ada, bob = await place.friends()
    cy = await place.person("cy", node=1)
    code = await ada.invite()
    await ada.close()
    await bob.expect("friend_disconnected")
    await cy.redeem(code)
    await cy.expect("friend_disconnected", friend=friend("ada", "Ada"))
    await cy.refused({"type": "ask", "content": 1}, "No active connection. Please connect first.")
    again = await place.client(0)
    await place.claim(again, "ada", "Ada")
    await again.refused({"type": "ask", "content": 1}, "No active connection. Please connect first.")
    await again.nothing_more()
    await bob.nothing_more()
    await cy.nothing_more()


@covers("MAGI-28.d", "SECTION-5.o", "SECTION-8.k", session={"grace_seconds": 0})
async def an_inviter_who_left_longer_ago_cannot_be_joined_and_nothing_is_stored(place: Place):
    ada, bob = await place.friends()
    cy = await place.person("cy", node=1)
    code = await ada.invite()
    await ada.close()
    await bob.expect("friend_disconnected")
    for _ in range(2):
        await cy.refused({"type": "connect", "code": code}, "Ada is not connected")
    await cy.refused({"type": "ask", "content": 1}, "No active connection. Please connect first.")
    await cy.nothing_more()
