"""Section 12: friendships that outlive connections, and what friends see of each other (MAGI-47)."""

from tests.conformance.magi.client import ExtendedClient, befriend
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers

PERSIST = ("ids", "persist", "resume")
PRESENCE = (*PERSIST, "presence")


async def pair(place: Place, *features: str) -> tuple[ExtendedClient, ExtendedClient, str]:
    """Return ada (node 0) and bob (node 1), who are friends, and their connection."""
    ada = await place.extended("ada", *features)
    bob = await place.extended("bob", *features, node=1)
    return ada, bob, await befriend(ada, bob)


async def listed(client: ExtendedClient) -> dict[str, tuple[str, bool]]:
    """Return a client's friends: connection, and whether they are here."""
    friends = (await client.call({"type": "friends"}, "friends"))["friends"]
    assert all(set(one) == {"username", "nickname", "connectionId", "online", "features"} for one in friends)
    return {one["username"]: (one["connectionId"], one["online"]) for one in friends}


@covers("MAGI-47.a", "MAGI-47.d")
async def a_persistent_friendship_outlives_a_disconnect(place: Place):
    ada, bob, connection = await pair(place, *PERSIST)
    await bob.close()
    await ada.expect("friend_disconnected", friend=bob.friend())
    assert await listed(ada) == {bob.username: (connection, False)}
    again = await place.extended("bob", *PERSIST, token=bob.token)
    await ada.expect("friend_connected", connectionId=connection, friend=bob.friend())
    assert await listed(again) == {ada.username: (connection, True)}
    assert await listed(ada) == {bob.username: (connection, True)}
    await again.ask("back", ada.username)
    await ada.expect("question", content="back", from_=bob.username)
    await ada.nothing_more()
    await again.nothing_more()


@covers("MAGI-47.a")
async def a_persistent_friendship_outlives_the_absence_of_both(place: Place):
    ada, bob, connection = await pair(place, *PERSIST)
    await bob.close()
    await ada.expect("friend_disconnected")
    await ada.close()
    ada2 = await place.extended("ada", *PERSIST, node=1, token=ada.token)
    assert await listed(ada2) == {bob.username: (connection, False)}
    bob2 = await place.extended("bob", *PERSIST, token=bob.token)
    await ada2.expect("friend_connected", connectionId=connection)
    assert await listed(bob2) == {ada.username: (connection, True)}


@covers("MAGI-47.b", "MAGI-31.a", session={"grace_seconds": 0.0})
async def a_friendship_with_a_client_without_the_feature_is_plain(place: Place):
    ada, bob = await place.extended("ada", *PERSIST), await place.extended("bob", "ids", node=1)
    await befriend(ada, bob)
    await ada.close()
    await bob.expect("friend_disconnected", friend=ada.friend())
    again = await place.extended("ada", *PERSIST, token=ada.token)
    assert await listed(again) == {}
    await bob.refused({"type": "ask", "content": 1}, "No active connection. Please connect first.")
    await bob.nothing_more()


@covers("MAGI-47.c")
async def an_ask_for_anybody_goes_to_a_friend_who_is_here(place: Place):
    ada, bob, _ = await pair(place, *PERSIST)
    cy = await place.extended("cy", *PERSIST, node=1)
    await befriend(ada, cy)
    await cy.close()
    await ada.expect("friend_disconnected", friend=cy.friend())
    await ada.call({"type": "ask", "content": 1}, "question_sent", to=bob.username.title())
    await bob.expect("question", content=1)
    away = f"{cy.username.title()} is not connected"
    await ada.refused({"type": "ask", "content": 1, "to": cy.username}, away, "not_connected")


@covers("MAGI-28.e")
async def an_inviter_with_persistent_friendships_can_be_joined_while_it_is_away(place: Place):
    ada, cy, _ = await pair(place, *PERSIST)
    bob = await place.extended("cy", *PERSIST, node=1)
    code = await ada.invite()
    await ada.close()
    await cy.expect("friend_disconnected")
    told = await bob.redeem(code)
    assert told["friend"] == ada.friend()
    again = await place.extended("ada", *PERSIST, token=ada.token)
    await again.expect("friend_connected", connectionId=told["connectionId"], friend=bob.friend())


@covers("MAGI-45.p")
async def what_a_client_says_of_itself_reaches_its_friends(place: Place):
    ada, bob, _ = await pair(place, *PRESENCE)
    here = bob.friend() | {"online": True}
    await bob.call({"type": "presence", "status": "working"}, "presence_updated", status="working", capabilities=[])
    frame = await ada.expect("friend_presence", friend=here, online=True, status="working")
    assert "capabilities" not in frame
    message = {"type": "presence", "capabilities": ["python", "go"]}
    await bob.call(message, "presence_updated", status="working", capabilities=["python", "go"])
    await ada.expect("friend_presence", friend=here, status="working", capabilities=["python", "go"])
    await bob.call({"type": "presence"}, "presence_updated", status="working", capabilities=["python", "go"])
    await ada.nothing_more()


@covers("MAGI-47.d", "MAGI-45.p", session={"flap_seconds": 0.3})
async def who_asked_for_presence_hears_a_friend_go_after_a_while_and_come_at_once(place: Place):
    ada, bob, connection = await pair(place, *PRESENCE)
    await bob.call({"type": "presence", "status": "idle"}, "presence_updated")
    await ada.expect("friend_presence", status="idle")
    await bob.close()
    frame = await ada.expect("friend_presence", friend=bob.friend() | {"online": False}, online=False)
    assert "status" not in frame
    again = await place.extended("bob", *PRESENCE, token=bob.token)
    await ada.expect("friend_presence", friend=bob.friend() | {"online": True}, online=True)
    assert await listed(again) == {ada.username: (connection, True)}
    await ada.nothing_more()


@covers("MAGI-45.q")
async def an_unfriended_friend_is_none_any_more(place: Place):
    ada, bob, _ = await pair(place, *PERSIST)
    await ada.call({"type": "unfriend", "username": bob.username}, "unfriended", username=bob.username)
    await bob.expect("friend_disconnected", friend=ada.friend())
    assert await listed(ada) == await listed(bob) == {}
    await ada.refused({"type": "unfriend", "username": bob.username}, "No such friendship", "friend_unknown")
    await ada.nothing_more()
    await bob.nothing_more()
    await befriend(bob, ada)


@covers("MAGI-45.q")
async def a_blocked_user_can_become_no_friend_until_it_is_unblocked(place: Place):
    ada, bob, _ = await pair(place, *PERSIST)
    await ada.call({"type": "block", "username": bob.username}, "blocked", username=bob.username)
    await bob.expect("friend_disconnected", friend=ada.friend())
    blocked = f"You have blocked {bob.username}. Unblock first."
    await ada.refused({"type": "connect", "code": await bob.invite()}, blocked, "blocked_by_you")
    away = f"{ada.username.title()} is not connected"
    await bob.refused({"type": "connect", "code": await ada.invite()}, away, "not_connected")
    await ada.call({"type": "unblock", "username": bob.username}, "unblocked", username=bob.username)
    await befriend(bob, ada)
    await ada.nothing_more()
    await bob.nothing_more()
