"""Section 6: who is the target."""

from tests.conformance.magi.client import PlainClient, befriend
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers

NOBODY = "User '{}' not found or not connected"


async def reaches(sender: PlainClient, to: object, target: PlainClient, type_: str = "ask") -> None:
    """Prove that a message with this ``to`` reaches ``target``."""
    await sender.send({"type": type_, "content": [type_, to], "to": to})
    await target.expect("question" if type_ == "ask" else "answer", content=[type_, to])
    await sender.expect("question_sent" if type_ == "ask" else "answer_sent")


async def circle(place: Place) -> tuple[PlainClient, PlainClient, PlainClient]:
    """Return ada and her friends bob@example.com (Bobby) and cy@example.com (Cy), the most recent."""
    ada = await place.person("ada", "Ada", 0)
    bob = await place.person("bob@example.com", "Bobby", 1)
    cy = await place.person("cy@example.com", "Cy", 0)
    await befriend(ada, bob)
    await befriend(ada, cy)
    return ada, bob, cy


@covers("MAGI-27.a")
async def the_exact_username_of_a_friend_wins(place: Place):
    ada, bob, cy = await circle(place)
    for type_ in ("ask", "answer"):
        await reaches(ada, "bob@example.com", bob, type_)
        await reaches(ada, "cy@example.com", cy, type_)


@covers("MAGI-27.a", "MAGI-27.c")
async def a_friend_may_be_called_anyone(place: Place):
    ada, _bob, cy = await circle(place)
    anyone = await place.person("anyone", node=1)
    await befriend(anyone, ada)
    await befriend(ada, cy)
    await reaches(ada, "anyone", anyone)
    await reaches(ada, "Anyone", cy)


@covers("MAGI-27.b", "SECTION-5.l", "SECTION-8.m")
async def a_live_stranger_of_exactly_this_name_comes_before_likeness(place: Place):
    ada, _bob, _cy = await circle(place)
    stranger = await place.person("Bobby", "Robert", 1)
    for type_, hint in (("ask", ". Create an invite first."), ("answer", "")):
        await ada.refused({"type": type_, "content": 1, "to": "Bobby"}, f"No active connection with Robert{hint}")
    await ada.refused(
        {"type": "ask", "content": 1, "to": "ada"}, "No active connection with Ada. Create an invite first."
    )
    await stranger.nothing_more()


@covers("MAGI-27.c", "ORIGINALS.d")
async def anyone_and_friend_mean_no_target_in_any_case(place: Place):
    ada, _bob, cy = await circle(place)
    for word in ("anyone", "friend", "Anyone", "FRIEND", "aNyOnE"):
        await reaches(ada, word, cy)
        await reaches(ada, word, cy, "answer")


@covers("MAGI-27.d")
async def one_friend_who_is_alike_is_meant(place: Place):
    ada, bob, cy = await circle(place)
    for to in ("BOB@example.COM", "bobby", "BOBBY", "bob", "Bob", "@bob", "@Bobby", "@bob@example.com"):
        await reaches(ada, to, bob)
        await reaches(ada, to, bob, "answer")
    await reaches(ada, "cY", cy)


@covers("MAGI-27.e", "SECTION-5.k")
async def two_friends_who_are_alike_are_none(place: Place):
    ada, bob, cy = await circle(place)
    twin = await place.person("bob@elsewhere.example", "Rob", 0)
    await befriend(ada, twin)
    await ada.refused({"type": "ask", "content": 1, "to": "bob"}, NOBODY.format("bob"))
    await reaches(ada, "rob", twin)
    await cy.identify("cy@example.com", "ROB")
    await ada.refused({"type": "answer", "content": 1, "to": "@Rob"}, NOBODY.format("@Rob"))
    await bob.nothing_more()


@covers("MAGI-27.f", "SECTION-5.k", "SECTION-8.n")
async def a_name_that_nobody_live_has_is_repeated_and_cut(place: Place):
    ada, bob, _cy = await circle(place)
    for to in ("nobody", "bo", "example.com", " bob", "@", "it's", "x" * 200):
        for type_ in ("ask", "answer"):
            await ada.refused({"type": type_, "content": 1, "to": to}, NOBODY.format(to))
    await ada.refused({"type": "ask", "content": 1, "to": "y" * 500}, NOBODY.format("y" * 200))
    await ada.refused({"type": "ask", "content": 1, "to": 5}, NOBODY.format("5"))
    lonely = await place.person("lonely", node=1)
    await lonely.refused({"type": "ask", "content": 1, "to": "nobody"}, NOBODY.format("nobody"))
    await bob.nothing_more()


@covers("MAGI-27.g", "ORIGINALS.d")
async def an_ask_without_a_target_goes_to_the_most_recent_friend(place: Place):
    ada, bob, cy = await circle(place)
    for to in (None, ""):
        await reaches(ada, to, cy)
    await ada.send({"type": "ask", "content": "absent"})
    await cy.expect("question", content="absent")
    await ada.expect("question_sent", to="Cy")
    await befriend(bob, ada)
    await reaches(ada, None, bob)
    await bob.close()
    await ada.expect("friend_disconnected")
    await reaches(ada, None, cy)


@covers("MAGI-27.g")
async def an_ask_without_a_target_passes_over_a_friend_who_is_away(place: Place):
    ada, bob, cy = await circle(place)
    code = await bob.invite()
    await bob.close()
    await ada.expect("friend_disconnected")
    await ada.redeem(code)
    await reaches(ada, None, cy)


@covers("MAGI-27.h", "SECTION-8.p")
async def an_ask_without_a_target_names_the_most_recent_friend_if_all_are_away(place: Place):
    ada, bob = await place.person("ada", "Ada"), await place.person("bob", "Bob", 1)
    witness = await place.person("witness", node=1)
    for friend in (bob, await place.person("cy", "Cy", 0)):
        await befriend(friend, witness)
        code = await friend.invite()
        await friend.close()
        await witness.expect("friend_disconnected")
        await ada.redeem(code)
    for type_ in ("ask", "answer"):
        await ada.refused({"type": type_, "content": 1}, "Cy is not connected")
        await ada.refused({"type": type_, "content": 1, "to": "bob"}, "Bob is not connected")


@covers("MAGI-27.j", "SECTION-5.m")
async def without_friends_there_is_no_target(place: Place):
    ada = await place.person("ada")
    for to in ({}, {"to": None}, {"to": ""}, {"to": "anyone"}, {"to": "Friend"}):
        await ada.refused({"type": "ask", "content": 1} | to, "No active connection. Please connect first.")
        await ada.refused({"type": "answer", "content": 1} | to, "No active connection")


@covers("MAGI-27.k")
async def an_answer_without_a_target_goes_to_whoever_asked_last(place: Place):
    ada, bob, cy = await circle(place)
    await reaches(ada, None, cy, "answer")
    await reaches(bob, "ada", ada)
    await reaches(ada, None, bob, "answer")
    await reaches(cy, "ada", ada)
    await reaches(ada, "anyone", cy, "answer")
    await reaches(bob, "ada", ada)
    await reaches(cy, "ada", ada, "answer")
    await reaches(ada, "", bob, "answer")
    await bob.close()
    await ada.expect("friend_disconnected")
    await reaches(ada, None, cy, "answer")
