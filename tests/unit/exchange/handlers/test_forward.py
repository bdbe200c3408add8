"""Who a message goes to, and what may stand in its way: two nodes on one store in memory."""

import pytest

from exchange.handlers.exchange import Policy
from tests.harness.waiting import eventually
from tests.harness.world import Peer, Place, befriend

BURST = 2


@pytest.fixture
async def friends(here, there) -> tuple[Peer, Peer, Peer]:
    """Ann, and her friends Bob and Cat, of whom Cat came last."""
    ann, bob, cat = await here.identified("ann"), await there.identified("bob@two"), await here.identified("cat")
    await befriend(ann, bob)
    await befriend(ann, cat)
    return ann, bob, cat


async def sent_to(peer: Peer, type_: str = "ask", **fields: object) -> str:
    """Return the nickname a message went to, or why it was refused."""
    reply = await peer.ask(type_, **{"content": "hello", **fields})
    return reply.get("to") or reply["message"]


async def test_a_question_without_a_target_goes_to_the_latest_friend(friends):
    ann, bob, cat = friends
    assert await sent_to(ann) == "Cat"
    assert (await cat.hears("question"))["content"] == "hello"
    assert "question" not in bob.types


async def test_an_answer_without_a_target_goes_to_whoever_asked_last(friends):
    ann, bob, _ = friends
    await bob.ask("ask", content="how are you?")
    await ann.hears("question")
    assert await sent_to(ann, "answer") == "Bob@Two"
    assert await sent_to(ann, "ask") == "Cat"


async def test_an_answer_goes_to_the_latest_friend_when_the_asker_has_gone(friends, there):
    ann, bob, _ = friends
    await bob.ask("ask", content="how are you?")
    await ann.hears("question")
    bob.leave()
    await ann.hears("friend_disconnected")
    assert await sent_to(ann, "answer") == "Cat"


@pytest.mark.parametrize("target", ["bob@two", "BOB", "@bob", "Bob@Two", "bob"])
async def test_a_friend_is_found_by_name_nickname_or_local_part(friends, target):
    assert await sent_to(friends[0], to=target) == "Bob@Two"


@pytest.mark.parametrize("target", ["anyone", "Friend", "FRIEND"])
async def test_some_words_mean_any_friend(friends, target):
    assert await sent_to(friends[0], to=target) == "Cat"


async def test_a_friend_may_be_called_like_such_a_word(here, friends):
    ann, _, _ = friends
    await befriend(await here.identified("friend", nick="Fred"), ann)
    await befriend(await here.identified("last"), ann)
    assert await sent_to(ann, to="friend") == "Fred"


async def test_a_user_who_is_no_friend_is_not_written_to(there, friends):
    eve = await there.identified("eve", nick="Eve")
    assert await sent_to(friends[0], to="eve") == "No active connection with Eve. Create an invite first."
    assert eve.types == ["connected", "identified"]


async def test_a_stranger_goes_before_a_friend_of_a_like_name(there, friends):
    await there.identified("bob", nick="The Other Bob")
    assert (await sent_to(friends[0], to="bob")).startswith("No active connection with The Other Bob")


async def test_nobody_of_that_name_is_said_so(friends):
    assert await sent_to(friends[0], to="nobody") == "User 'nobody' not found or not connected"


async def test_without_friends_nothing_is_sent(here):
    assert await sent_to(await here.identified("ann")) == "No active connection. Please connect first."


@pytest.mark.parametrize("content", [None])
async def test_a_message_needs_content(friends, content):
    ann, _, cat = friends
    assert await sent_to(ann, content=content) == "Invalid message format"
    assert "question" not in cat.types


@pytest.mark.parametrize("content", ["", 0, False, [], {}, "ü" * 1000, {"deep": [1, {"x": None}]}])
async def test_any_other_json_is_content_and_arrives_as_it_was(friends, content):
    ann, _, cat = friends
    assert await sent_to(ann, content=content) == "Cat"
    assert (await cat.hears("question"))["content"] == content


async def test_messages_arrive_in_the_order_in_which_they_were_sent(friends):
    ann, _, cat = friends
    for number in range(20):
        # Some need not ask the store first, some must.
        ann.say("ask", content=number, **({"id": f"m{number}"} if number % 3 else {}))
    await eventually(lambda: cat.types.count("question") == 20)
    assert [message["content"] for message in cat.heard if message["type"] == "question"] == list(range(20))


async def test_questions_above_the_limit_are_refused_with_the_time_to_wait_and_answers_are_not(memory, there):
    strict = await Place(memory, "strict", Policy(asks_per_minute=60, asks_burst=BURST)).start()
    ann, bob = await strict.identified("ann"), await there.identified("bob")
    await befriend(ann, bob)
    for _ in range(BURST):
        assert await sent_to(ann) == "Bob"
    assert await sent_to(ann) == "Rate limit exceeded. Try again in 1 seconds."
    assert await sent_to(ann, "answer") == "Bob"
    memory.now_ms.ms += 1000
    assert await sent_to(ann) == "Bob"


async def test_a_question_that_did_not_reach_its_friend_does_not_count(memory, there):
    strict = await Place(memory, "strict", Policy(asks_per_minute=60, asks_burst=BURST)).start()
    ann, bob = await strict.identified("ann"), await there.identified("bob")
    await befriend(ann, bob)
    there.store.wakes.forget(bob.connection.session.identified().uid)
    bob.leave()
    await ann.hears("friend_disconnected")
    for _ in range(BURST + 1):
        assert (await sent_to(ann)).startswith("No active connection")
