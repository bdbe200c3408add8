"""What becomes of one envelope: two nodes on one store in memory."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.handlers import dispatch
from tests.harness.waiting import eventually
from tests.harness.world import Peer, befriend


@pytest.fixture
async def friends(here, there) -> tuple[Peer, Peer]:
    ann, bob = await here.identified("ann"), await there.identified("bob")
    await befriend(ann, bob)
    return ann, bob


def uid_of(peer: Peer) -> str:
    return peer.connection.session.identified().uid


async def test_a_receipt_follows_the_message_and_is_noted(here, friends):
    ann, bob = friends
    reply = await ann.ask("ask", content="hello")
    assert reply == {"type": "question_sent", "content": "hello", "to": "Bob"}
    assert (await bob.hears("question"))["from"] == "ann"
    assert here.witness.sent == [(1, "ann", "bob", 5)]


async def test_between_two_on_one_node_the_receipt_never_overtakes_the_message(here):
    ann, bob = await here.identified("ann"), await here.identified("bob")
    await befriend(ann, bob)
    heard: list[str] = []
    for name, peer in (("ann", ann), ("bob", bob)):
        send = peer.send
        peer.send = lambda message, name=name, send=send: (heard.append(name), send(message))
    # The store counts first: the receipt is held back until the message has landed.
    await ann.ask("ask", content="hello")
    assert heard == ["bob", "ann"]


async def test_a_receipt_does_not_wait_for_ever_for_a_landing(here, monkeypatch):
    monkeypatch.setattr(dispatch, "LANDING_SECONDS", 0.01)
    ann, bob = await here.identified("ann"), await here.identified("bob")
    await befriend(ann, bob)
    here.hub.hold(bob.connection.session.identified())
    assert (await ann.ask("ask", content="hello"))["type"] == "question_sent"
    assert "question" not in bob.types
    here.hub.release(bob.connection.session.identified())
    assert "question" in bob.types


async def test_a_message_that_the_recipients_node_refused_was_not_sent(here):
    ann, bob = await here.identified("ann"), await here.identified("bob")
    await befriend(ann, bob)
    here.hub.hold(bob.connection.session.identified())
    ann.say("ask", content="hello")
    await eventually(lambda: bob.connection.session.identified().backlog)
    bob.leave()
    assert (await ann.hears("error"))["message"] == "Bob is not connected"
    assert here.witness.sent == []


async def test_a_friend_is_not_called_gone_because_nobody_could_look(here):
    ann, bob = await here.identified("ann"), await here.identified("bob")
    await befriend(ann, bob)
    bob.connection.session.identified().links.drop(uid_of(ann))
    tables = here.store.links.table

    async def away(uid):
        raise StorageUnavailable

    here.store.links.table = away
    assert (await ann.ask("ask", content="hello"))["message"] == "Service temporarily unavailable. Please try again."
    here.store.links.table = tables


async def test_a_friend_whose_node_subscribes_anew_gets_the_message_after_all(there, friends, monkeypatch):
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", (0.0, 0.01, 0.01, 0.01))
    ann, bob = friends
    there.store.wakes.forget(uid_of(bob))
    ann.say("ask", content="hello")
    await there.store.wakes.listen(uid_of(bob))
    await ann.hears("question_sent")
    assert (await bob.hears("question"))["content"] == "hello"
    assert bob.types.count("question") == 1


async def test_a_friend_whom_no_node_listens_for_is_not_connected(here, there, friends, monkeypatch):
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", (0.0, 0.0))
    ann, bob = friends
    there.store.wakes.forget(uid_of(bob))
    assert (await ann.ask("ask", content="hello"))["message"] == "Bob is not connected"
    assert here.witness.sent == []
    assert (await ann.ask("create_invite"))["type"] == "invite_created", "the conversation goes on"


async def test_with_later_messages_on_their_way_the_first_answer_stands(there, friends, monkeypatch):
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", (0.0,))
    ann, bob = friends
    there.store.wakes.forget(uid_of(bob))
    ann.say("ask", content="one")
    ann.say("ask", content="two")
    await there.store.wakes.listen(uid_of(bob))
    await ann.hears("question_sent")
    assert ann.types[-2:] == ["error", "question_sent"]
    assert (await bob.hears("question"))["content"] == "two", "a repeat of the first would overtake the second"
    assert bob.types.count("question") == 1


async def test_what_certainly_was_not_sent_is_refused_at_once(here, friends, memory):
    ann, bob = friends
    memory.down = True
    reply = await ann.ask("ask", content="hello")
    assert reply["message"].startswith("Service temporarily unavailable")
    memory.down = False
    assert "question" not in bob.types


async def test_what_may_have_been_sent_is_refused_only_when_it_is_too_old_to_be_delivered(here, friends, monkeypatch):
    ann, _ = friends
    deadlines: list[int] = []

    def lost(_uid, envelope, receipt):
        deadlines.append(envelope.deadline_ms)
        here.memory.now_ms.ms = envelope.deadline_ms - 20
        receipt.failed(StorageUnavailable(sent=True))

    monkeypatch.setattr(here.store.wakes, "send", lost)
    ann.say("ask", content="hello")
    assert "error" not in ann.types
    await ann.hears("error")
    assert deadlines


async def test_a_message_without_an_id_gets_one_of_its_own(here, there, friends, monkeypatch):
    ann, _ = friends
    seen: list[str] = []
    woken = there.hub.woken
    monkeypatch.setattr(there.hub, "woken", lambda uid, wake, size: (seen.append(wake.id), woken(uid, wake, size)))
    for _ in range(3):
        await ann.ask("ask", content="hello")
    await ann.ask("ask", content="hello", id="mine")
    await eventually(lambda: len(seen) == 4)
    assert len(set(seen)) == 4
    assert seen[3] == "mine"
