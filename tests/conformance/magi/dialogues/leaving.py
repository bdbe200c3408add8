"""Sections 7 and 8: disconnects, quick reconnects, inactivity."""

import asyncio
import contextlib

from websockets.exceptions import ConnectionClosed

from tests.conformance.magi.client import befriend, friend
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers
from tests.harness.waiting import WAIT_SECONDS


@covers("MAGI-31.a", "MAGI-31.b", "MAGI-52.d")
async def each_friend_is_told_once_and_strangers_never(place: Place):
    ada, bob = await place.friends()
    cy, eve = await place.person("cy", node=0), await place.person("eve", node=1)
    await befriend(cy, ada)
    await befriend(cy, eve)
    await ada.close()
    for client in (bob, cy):
        await client.expect("friend_disconnected", friend=friend("ada", "Ada"))
        await client.nothing_more()
    await befriend(bob, eve)
    await eve.nothing_more()


@covers("MAGI-31.a")
async def a_connection_that_breaks_is_a_disconnect(place: Place):
    ada, bob = await place.friends()
    await ada.vanish()
    await bob.expect("friend_disconnected", friend=friend("ada", "Ada"))
    await bob.nothing_more()


@covers("MAGI-31.b", "SECTION-8.o", "SECTION-5.k", "SECTION-5.m")
async def the_friendship_ends_with_the_connection(place: Place):
    ada, bob = await place.friends()
    await ada.close()
    await bob.expect("friend_disconnected")
    await bob.refused({"type": "ask", "content": 1, "to": "ada"}, "User 'ada' not found or not connected")
    await bob.refused({"type": "ask", "content": 1, "to": "Ada"}, "User 'Ada' not found or not connected")
    await bob.refused({"type": "ask", "content": 1}, "No active connection. Please connect first.")
    await bob.refused({"type": "answer", "content": 1}, "No active connection")


@covers("MAGI-31.c")
async def an_anonymous_connection_and_a_lonely_user_leave_without_a_word(place: Place):
    ada, bob = await place.friends()
    anonymous, lonely = await place.client(0), await place.person("lonely", node=1)
    await anonymous.close()
    await lonely.close()
    await befriend(ada, bob)
    await ada.nothing_more()
    await bob.nothing_more()


@covers("MAGI-32.a", "SECTION-8.q", "MAGI-52.d")
async def a_quick_reconnect_brings_the_friendships_back(place: Place):
    ada, bob = await place.person("ada", "Ada", 0), await place.person("bob", "Bob", 1)
    connection = await befriend(ada, bob)
    await ada.close()
    await bob.expect("friend_disconnected")
    again = await place.client(1)
    await place.claim(again, "ada", "Ada II")
    await bob.expect("friend_connected", connectionId=connection, friend=friend("ada", "Ada II"))
    await again.nothing_more()
    await again.ask("back", "bob")
    await bob.expect("question", content="back", from_="ada", fromNickname="Ada II")
    await bob.answer("good", "ada")
    await again.expect("answer", content="good", from_="bob", fromNickname="Bob")
    await bob.nothing_more()


@covers("MAGI-32.b", "SECTION-8.q")
async def open_invitations_stay_valid_through_a_quick_reconnect(place: Place):
    ada, bob = await place.friends()
    cy = await place.person("cy", node=1)
    code = await ada.invite()
    await ada.close()
    await bob.expect("friend_disconnected")
    again = await place.client(0)
    await place.claim(again, "ada", "Ada")
    await bob.expect("friend_connected")
    await cy.redeem(code)
    await again.expect("friend_connected", friend=friend("cy"))


@covers("MAGI-32.c")
async def a_reconnect_from_another_address_is_a_newcomer(place: Place):
    ada, bob = await place.friends()
    await ada.close()
    await bob.expect("friend_disconnected")
    again = await place.client(0, address=place.address(1))
    await place.claim(again, "ada", "Ada")
    await again.refused({"type": "ask", "content": 1}, "No active connection. Please connect first.")
    await bob.refused(
        {"type": "ask", "content": 1, "to": "ada"}, "No active connection with Ada. Create an invite first."
    )
    await bob.nothing_more()


@covers("MAGI-32.e", session={"grace_seconds": 0})
async def without_a_grace_nobody_comes_back_to_friends(place: Place):
    ada, bob = await place.friends()
    await ada.close()
    await bob.expect("friend_disconnected")
    again = await place.client(0)
    await place.claim(again, "ada", "Ada")
    await again.refused({"type": "ask", "content": 1}, "No active connection. Please connect first.")
    await bob.nothing_more()


@covers("MAGI-32.a", "MAGI-18.c")
async def a_friend_who_took_another_name_meanwhile_is_found_under_it(place: Place):
    ada, bob = await place.friends()
    await ada.close()
    await bob.expect("friend_disconnected")
    await bob.identify("robert", "Rob")
    heir = await place.person("bob", "Heir", 0)
    again = await place.client(1)
    await place.claim(again, "ada", "Ada")
    await bob.expect("friend_connected", friend=friend("ada", "Ada"))
    await bob.ask("hello", "ada")
    await again.expect("question", from_="robert", fromNickname="Rob")
    await again.refused(
        {"type": "ask", "content": 1, "to": "bob"}, "No active connection with Heir. Create an invite first."
    )
    await again.call({"type": "ask", "content": 2, "to": "rob"}, "question_sent", to="Rob")
    await bob.expect("question", content=2)
    await heir.nothing_more()


@covers("MAGI-28.b", "MAGI-18.c")
async def who_joined_meanwhile_is_told_under_the_name_it_has_now(place: Place):
    ada, bob = await place.friends()
    cy = await place.person("cy", "Cy", 1)
    code = await ada.invite()
    await ada.close()
    await bob.expect("friend_disconnected")
    told = await cy.redeem(code)
    await cy.identify("cyrus", "Cyrus")
    again = await place.client(0)
    await place.claim(again, "ada", "Ada")
    await again.expect("friend_connected", connectionId=told["connectionId"], friend=friend("cyrus", "Cyrus"))


@covers("MAGI-32.a", "MAGI-31.a")
async def friends_who_both_left_find_each_other_again(place: Place):
    ada, bob = await place.friends()
    cy = await place.person("cy", node=0)
    await befriend(cy, ada)
    await befriend(cy, bob)
    await ada.close()
    await bob.expect("friend_disconnected")
    await cy.expect("friend_disconnected")
    await bob.close()
    await cy.expect("friend_disconnected")
    ada2, bob2 = await place.client(0), await place.client(1)
    await place.claim(ada2, "ada", "Ada")
    await cy.expect("friend_connected", friend=friend("ada", "Ada"))
    await ada2.nothing_more()
    await place.claim(bob2, "bob", "Bob")
    await cy.expect("friend_connected", friend=friend("bob", "Bob"))
    await ada2.expect("friend_connected", friend=friend("bob", "Bob"))
    await bob2.ask("here again", "ada")
    await ada2.expect("question", content="here again")


@covers("MAGI-33.a", "MAGI-33.b", "MAGI-7.a", "SECTION-8.r", session={"idle_seconds": 1.0})
async def who_says_nothing_for_too_long_is_closed_with_4000_and_pings_do_not_help(place: Place):
    ada, bob = await place.friends()
    cy = await place.person("cy", "Cy", 0)
    await befriend(cy, ada)
    answers = 0
    async with asyncio.timeout(WAIT_SECONDS):
        while cy.socket.close_code is None:
            await ada.send({"type": "answer", "content": answers, "to": "bob"})
            await bob.expect("answer", content=answers)
            answers += 1
            if answers % 1000 == 0:
                with contextlib.suppress(ConnectionClosed):
                    await (await cy.socket.ping())
    assert await cy.expect_close(4000) == "Inactivity timeout"
    frames = [await ada.next() for _ in range(answers + 1)]
    assert [frame["content"] for frame in frames if frame["type"] == "answer_sent"] == list(range(answers))
    assert [frame["friend"] for frame in frames if frame["type"] == "friend_disconnected"] == [friend("cy", "Cy")]
    await ada.nothing_more()


@covers("MAGI-33.c", session={"idle_seconds": 0.6})
async def frames_from_the_server_count_as_traffic(place: Place):
    ada, bob = await place.friends()
    silent = await place.client(1)
    async with asyncio.timeout(WAIT_SECONDS):
        while silent.socket.close_code is None:
            # Bob says nothing either, but questions reach him.
            await ada.ask("still there?")
            await bob.expect("question")
    await silent.expect_close(4000)
    await bob.nothing_more()
