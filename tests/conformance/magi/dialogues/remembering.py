"""Section 12: what two friends both wanted kept (MAGI-49)."""

from typing import Any

from tests.conformance.magi.client import ExtendedClient, befriend
from tests.conformance.magi.dialogues.storing import OFFLINE, send
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers
from tests.harness.waiting import eventually

HISTORY = (*OFFLINE, "history")
KEPT = {"retention_seconds": 3600.0}


async def said(client: ExtendedClient, connection: str, **fields: Any) -> list[Any]:
    """Return the content of a page of history."""
    message = {"type": "history", "connectionId": connection} | fields
    page = await client.call(message, "history", connectionId=connection)
    return [one["content"] for one in page["messages"]]


@covers("MAGI-49.a")
async def history_is_granted_only_where_something_is_kept(place: Place):
    client = await place.stranger()
    client.features = frozenset(OFFLINE)
    message = {"type": "identify", "username": place.name("ada"), "features": list(HISTORY)}
    await client.call(message, "identified", features=sorted(OFFLINE))
    await client.refused({"type": "history", "connectionId": "k"}, "Unknown message type: history", "unknown_type")


@covers("MAGI-49.b", history=KEPT)
async def both_ends_can_read_what_both_wanted_kept(place: Place):
    ada, bob = await place.extended("ada", *HISTORY), await place.extended("bob", *HISTORY, node=1)
    connection = await befriend(ada, bob)
    await send(ada, bob, {"text": "Tea?"}, id="q1")
    question = await bob.expect("question")
    await bob.ack(question)
    await send(bob, ada, "Yes", "answer", id="a1", replyTo="q1")
    await eventually(lambda: _has(ada, connection, 2))
    await eventually(lambda: _has(bob, connection, 2))
    for client, mine in ((ada, [True, False]), (bob, [False, True])):
        page = await client.call({"type": "history", "connectionId": connection}, "history", more=False)
        first, second = page["messages"]
        assert [first["mine"], second["mine"]] == mine
        assert set(first) == {"id", "kind", "mine", "content", "ts", "offset"}
        assert (first["id"], first["kind"], first["content"]) == ("q1", "question", {"text": "Tea?"})
        assert (second["id"], second["kind"], second["content"], second["replyTo"]) == ("a1", "answer", "Yes", "q1")
        assert first["ts"] == question["ts"]


async def _has(client: ExtendedClient, connection: str, count: int) -> bool:
    return len(await said(client, connection)) == count


@covers("MAGI-49.b", history=KEPT)
async def a_history_is_read_backwards_page_by_page(place: Place):
    ada, bob = await place.extended("ada", *HISTORY), await place.extended("bob", *HISTORY, node=1)
    connection = await befriend(ada, bob)
    for number in range(5):
        await send(ada, bob, number)
        await eventually(lambda wanted=number + 1: _has(ada, connection, wanted))
    message = {"type": "history", "connectionId": connection, "limit": 2}
    page = await ada.call(dict(message), "history", more=True)
    assert [one["content"] for one in page["messages"]] == [3, 4]
    page = await ada.call(message | {"before": page["messages"][0]["offset"]}, "history", more=True)
    assert [one["content"] for one in page["messages"]] == [1, 2]
    page = await ada.call(message | {"before": page["messages"][0]["offset"]}, "history", more=False)
    assert [one["content"] for one in page["messages"]] == [0]
    for field, value in (("limit", 0), ("before", "yesterday"), ("connectionId", "")):
        await ada.refused(message | {field: value}, f"Invalid value for {field}", "unusable")


@covers("MAGI-49.c", history=KEPT)
async def nobody_reads_a_history_that_is_not_its_own(place: Place):
    ada, bob = await place.extended("ada", *HISTORY), await place.extended("bob", *HISTORY, node=1)
    eve = await place.extended("eve", *HISTORY)
    connection = await befriend(ada, bob)
    await send(ada, bob, "secret")
    await eve.refused({"type": "history", "connectionId": connection}, "No such friendship", "friend_unknown")
    await ada.call({"type": "unfriend", "username": bob.username}, "unfriended")
    await bob.expect("friend_disconnected")
    await bob.refused({"type": "history", "connectionId": connection}, "No such friendship", "friend_unknown")


@covers("MAGI-49.c", history=KEPT)
async def nothing_is_kept_of_what_only_one_of_them_wanted_kept(place: Place):
    ada, bob = await place.extended("ada", *HISTORY), await place.extended("bob", *OFFLINE, node=1)
    connection = await befriend(ada, bob)
    await send(ada, bob, 1)
    await send(bob, ada, 2)
    await ada.expect("question", content=2)
    assert await said(ada, connection) == []
