"""Section 12: who comes back with a token is who it was (MAGI-46)."""

from tests.conformance.magi.client import ExtendedClient, befriend
from tests.conformance.magi.dialogues.persisting import PERSIST, listed, pair
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers

TAKEN = "Username already taken"
INVALID = "Resume token is not valid"


def claim(client: ExtendedClient, token: str = "", *features: str) -> dict[str, object]:
    """Return the request that claims a client's name."""
    message = {"type": "identify", "username": client.username, "features": list(features)}
    return message | ({"token": token} if token else {})


@covers("MAGI-46.b", "MAGI-46.d")
async def a_token_takes_over_from_a_connection_that_still_stands(place: Place):
    ada, bob, connection = await pair(place, *PERSIST)
    again = await place.extended("bob", *PERSIST, node=0, token=bob.token)
    assert await bob.expect_close(1000) == "Session continues elsewhere"
    assert again.token != bob.token
    assert await listed(again) == {ada.username: (connection, True)}
    await ada.ask("still you?", bob.username)
    await again.expect("question", content="still you?")
    await ada.nothing_more()
    await again.nothing_more()


@covers("MAGI-46.b")
async def a_token_takes_over_on_the_same_node_and_from_a_half_open_connection(place: Place):
    ada, bob, connection = await pair(place, *PERSIST)
    bob.freeze()
    again = await place.extended("bob", *PERSIST, node=1, token=bob.token)
    assert await listed(again) == {ada.username: (connection, True)}
    await again.ask("hello", ada.username)
    await ada.expect("question", content="hello")
    await ada.nothing_more()


@covers("MAGI-46.a")
async def a_token_brings_plain_friendships_back_within_the_grace(place: Place):
    ada, bob = await place.extended("ada", "resume"), await place.extended("bob", "ids", node=1)
    connection = await befriend(ada, bob)
    await ada.close()
    await bob.expect("friend_disconnected", friend=ada.friend())
    again = await place.extended("ada", "resume", node=1, token=ada.token)
    await bob.expect("friend_connected", connectionId=connection, friend=ada.friend())
    await again.nothing_more()


@covers("MAGI-46.b")
async def a_takeover_brings_plain_friendships_along(place: Place):
    ada, bob = await place.extended("ada", "resume"), await place.extended("bob", "ids", node=1)
    await befriend(ada, bob)
    again = await place.extended("ada", "resume", node=1, token=ada.token)
    await ada.expect_close(1000)
    await bob.call({"type": "ask", "content": 1, "to": ada.username}, "question_sent")
    await again.expect("question", content=1)
    await bob.nothing_more()


@covers("MAGI-46.c")
async def a_wrong_token_is_refused_and_never_answered_with_a_fresh_identity(place: Place):
    ada = await place.extended("ada", *PERSIST)
    other = await place.extended("other", *PERSIST)
    await ada.close()
    eve = await place.stranger(1)
    for token in ("wrong", other.token, ada.token + "x", "", 5, [], "x" * 201):
        message = {"type": "identify", "username": ada.username, "token": token}
        await eve.refused(message, INVALID)
    await eve.refused({"type": "ask", "content": 1}, "Please identify yourself first")
    nobody = {"type": "identify", "username": place.name("nobody"), "token": "wrong"}
    await eve.refused(nobody, INVALID)
    again = await place.extended("ada", *PERSIST, token=ada.token)
    await again.nothing_more()


@covers("MAGI-46.d")
async def a_token_stays_good_until_the_one_after_it_was_used(place: Place):
    first = await place.extended("ada", *PERSIST)
    second = await place.extended("ada", *PERSIST, node=1, token=first.token)
    # As if the reply with the second one had been lost.
    third = await place.extended("ada", *PERSIST, token=first.token)
    fourth = await place.extended("ada", *PERSIST, node=1, token=third.token)
    assert len({first.token, second.token, third.token, fourth.token}) == 4
    eve = await place.stranger()
    for token in (first.token, second.token):
        await eve.refused(claim(first, token), INVALID)
    await fourth.nothing_more()


@covers("MAGI-46.e")
async def a_name_on_which_something_hangs_is_kept_for_who_has_its_token(place: Place):
    ada, bob, _ = await pair(place, *PERSIST)
    eve = await place.stranger(1)
    await eve.refused(claim(ada), TAKEN)
    await ada.close()
    await bob.expect("friend_disconnected")
    await eve.refused(claim(ada), TAKEN)
    await eve.nothing_more()
    await bob.nothing_more()


@covers("MAGI-46.e")
async def a_name_on_which_nothing_hangs_can_be_claimed_by_anybody_once_it_is_free(place: Place):
    ada = await place.extended("ada", "resume")
    eve = await place.stranger(1)
    await eve.refused(claim(ada), TAKEN)
    await ada.close()
    await place.claim(eve, ada.username)
    late = await place.stranger()
    await late.refused(claim(ada, ada.token), INVALID)


@covers("MAGI-46.f", "MAGI-32.f")
async def a_name_with_a_token_does_not_come_back_by_its_address(place: Place):
    ada, bob = await place.extended("ada", "resume"), await place.person("bob", node=1)
    await befriend(bob, ada)
    await ada.close()
    await bob.expect("friend_disconnected", friend=ada.friend())
    heir = await place.stranger()
    await place.claim(heir, ada.username)
    await heir.refused({"type": "ask", "content": 1}, "No active connection. Please connect first.")
    await bob.nothing_more()


@covers("MAGI-46.a")
async def a_token_can_be_given_in_connect(place: Place):
    ada, bob, connection = await pair(place, *PERSIST)
    await bob.close()
    await ada.expect("friend_disconnected")
    cy = await place.extended("cy", *PERSIST)
    code = await cy.invite()
    again = await place.stranger(1)
    again.features = frozenset(PERSIST)
    message = {"type": "connect", "code": code, "username": bob.username, "features": list(PERSIST)}
    await again.refused(message | {"token": "wrong"}, INVALID, "token_invalid")
    frame = await again.call(message | {"token": bob.token}, "identified", features=sorted(PERSIST))
    assert frame["token"] not in ("", bob.token)
    await again.expect("connected_to_friend", friend=cy.friend())
    await cy.expect("friend_connected")
    frame = await ada.expect("friend_connected")
    assert frame["connectionId"] == connection
