"""A message on its way into a mailbox: two nodes on one store in memory (DEL-6, DEL-36, MAGI-48)."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.features import FEATURES
from exchange.handlers import deposit
from exchange.handlers.exchange import Policy
from exchange.ports import Caps
from exchange.storage.memory.mailboxes import Mailboxes
from tests.harness.waiting import eventually
from tests.harness.world import Peer, Place, befriend

WANTED = ["ids", "resume", "persist", "offline"]


async def extended(place: Place, name: str, features: list[str] = WANTED, **fields: str) -> Peer:
    peer = place.connect()
    reply = await peer.ask("identify", username=name, nickname=name.title(), features=features, **fields)
    assert reply["features"] == sorted(features), reply
    return peer


def uid_of(peer: Peer) -> str:
    return peer.connection.session.identified().uid


@pytest.fixture
async def friends(here, there) -> tuple[Peer, Peer]:
    ann, bob = await extended(here, "ann"), await extended(there, "bob")
    await befriend(ann, bob)
    return ann, bob


async def test_a_message_for_a_friend_who_is_here_is_delivered_and_stays_stored_until_it_is_acknowledged(here, friends):
    ann, bob = friends
    reply = await ann.ask("ask", content="hello", to="bob", id="m1")
    assert reply == {"type": "question_sent", "content": "hello", "to": "Bob", "id": "m1", "status": "delivered"}
    question = await bob.hears("question")
    assert (question["content"], question["id"], question["from"]) == ("hello", "m1", "ann")
    assert len(here.memory.boxes[uid_of(bob)].letters) == 1
    bob.say("ack", upTo=question["offset"])
    await eventually(lambda: not here.memory.boxes[uid_of(bob)].letters)
    assert (here.witness.sent, here.witness.stored) == ([(1, "ann", "bob", 5)], 1)


async def test_a_message_for_a_friend_who_is_away_is_queued_and_given_on_return_before_anything_newer(
    here, there, friends
):
    ann, bob = friends
    token, uid = bob.connection.session.token, uid_of(bob)
    bob.leave()
    await eventually(lambda: not here.memory.users[uid].sessions)
    for number in range(3):
        reply = await ann.ask("ask", content=number, to="bob")
        assert reply["status"] == "queued"
    assert here.memory.dues[uid] > here.memory.now_ms()
    back = await extended(here, "bob", token=token)
    await eventually(lambda: back.types.count("question") == 3)
    await ann.ask("ask", content=3, to="bob")
    await eventually(lambda: back.types.count("question") == 4)
    assert [message["content"] for message in back.heard if message["type"] == "question"] == [0, 1, 2, 3]


async def test_a_repeat_of_an_id_is_stored_once_and_answered_like_the_first_time(here, friends):
    ann, bob = friends
    first = await ann.ask("ask", content="hello", to="bob", id="m1")
    assert await ann.ask("ask", content="hello", to="bob", id="m1") == first
    assert len(here.memory.boxes[uid_of(bob)].letters) == 1
    assert (here.witness.stored, here.witness.repeats) == (1, 1)
    assert bob.types.count("question") == 1


async def test_an_id_cannot_be_used_for_another_message(here, friends):
    ann, bob = friends
    await ann.ask("ask", content="hello", to="bob", id="m1")
    reply = await ann.ask("ask", content="goodbye", to="bob", id="m1")
    assert (reply["type"], reply["code"], reply["id"]) == ("error", "id_reused", "m1")
    assert len(here.memory.boxes[uid_of(bob)].letters) == 1


async def test_a_full_mailbox_refuses_and_keeps_what_it_has(here, friends):
    ann, bob = friends
    object.__setattr__(here.store, "mailboxes", Mailboxes(here.memory, Caps(count=2, share_percent=100)))
    for number in range(2):
        await ann.ask("ask", content=number, to="bob")
    reply = await ann.ask("ask", content=2, to="bob")
    assert (reply["type"], reply["code"]) == ("error", "mailbox_full")
    assert len(here.memory.boxes[uid_of(bob)].letters) == 2


async def test_a_friendship_that_ended_unheard_refuses_the_message(here, friends):
    ann, bob = friends
    del here.memory.users[uid_of(bob)].links[uid_of(ann)]
    reply = await ann.ask("ask", content="hello", to="bob")
    assert reply["message"] == "No active connection with Bob. Create an invite first."


async def test_a_message_that_has_expired_before_it_was_sent_is_refused(here, friends):
    ann, bob = friends
    reply = await ann.ask("ask", content="hello", to="bob", expires=here.memory.now_ms())
    assert (reply["type"], reply["code"]) == ("error", "already_expired")
    assert not here.memory.boxes[uid_of(bob)].letters


async def test_a_repeat_after_its_time_gets_the_first_reply_again(here, friends):
    ann, _ = friends
    message = {"content": "hello", "to": "bob", "id": "m1", "expires": here.memory.now_ms() + 1000}
    first = await ann.ask("ask", **message)
    assert first["type"] == "question_sent"
    here.memory.now_ms.ms += 2000
    assert await ann.ask("ask", **message) == first


async def test_a_message_waits_no_longer_than_its_sender_wants(here, friends):
    ann, bob = friends
    await ann.ask("ask", content="hello", to="bob", expires=here.memory.now_ms() + 1000)
    assert here.memory.boxes[uid_of(bob)].letters[0].until_ms == here.memory.now_ms() + 1000


async def test_an_unknown_outcome_is_asked_for_again_until_it_is_known(here, friends, monkeypatch):
    monkeypatch.setattr(deposit, "RETRY_SECONDS", (0.0, 0.0, 0.0))
    ann, bob = friends
    append, failures = here.store.mailboxes.append, iter([True, True, False])

    def unsure(uid, envelope, until_ms, receipt):
        if next(failures):
            here.store.mailboxes._append(uid, envelope, until_ms)
            receipt.failed(StorageUnavailable(sent=True))
        else:
            append(uid, envelope, until_ms, receipt)

    monkeypatch.setattr(here.store.mailboxes, "append", unsure)
    reply = await ann.ask("ask", content="hello", to="bob")
    assert (reply["type"], reply["status"]) == ("question_sent", "delivered")
    assert len(here.memory.boxes[uid_of(bob)].letters) == 1


async def test_a_repeat_of_our_own_does_all_that_the_first_try_would_have_done(here, there, friends, monkeypatch):
    monkeypatch.setattr(deposit, "RETRY_SECONDS", (0.0, 0.0))
    ann, bob = friends
    uid = uid_of(bob)
    bob.leave()
    await eventually(lambda: not here.memory.users[uid].sessions)
    append, failures = here.store.mailboxes.append, iter([True])

    def unsure(to, envelope, until_ms, receipt):
        if next(failures, False):
            here.store.mailboxes._append(to, envelope, until_ms)
            receipt.failed(StorageUnavailable(sent=True))
        else:
            append(to, envelope, until_ms, receipt)

    monkeypatch.setattr(here.store.mailboxes, "append", unsure)
    assert (await ann.ask("ask", content="hello", to="bob"))["status"] == "queued"
    await eventually(lambda: uid in here.memory.dues)
    assert (here.witness.stored, here.witness.repeats) == (1, 0)


async def test_a_repeat_does_not_make_an_older_message_the_newest(here, friends):
    ann, bob = friends
    await ann.ask("ask", content="one", to="bob", id="m1")
    await ann.ask("ask", content="two", to="bob", id="m2")
    await ann.ask("ask", content="one", to="bob", id="m1")
    assert ann.connection.session.sent[uid_of(bob)][1] == "m2"


async def test_a_store_that_stays_away_is_said_to_be_away(here, friends, monkeypatch):
    monkeypatch.setattr(deposit, "RETRY_SECONDS", (0.0, 0.0))
    ann, _ = friends
    monkeypatch.setattr(here.store.mailboxes, "append", lambda *_, **__: _[-1].failed(StorageUnavailable(sent=False)))
    reply = await ann.ask("ask", content="hello", to="bob", id="m1")
    assert (reply["type"], reply["code"], reply["id"]) == ("error", "unavailable", "m1")


async def test_with_a_plain_friend_messages_stay_live(here, there):
    ann, bob = await extended(here, "ann"), await there.identified("bob")
    await befriend(ann, bob)
    reply = await ann.ask("ask", content="hello", to="bob")
    assert reply == {"type": "question_sent", "content": "hello", "to": "Bob"}
    assert set(await bob.hears("question")) == {"type", "content", "from", "fromNickname"}
    assert here.memory.boxes == {}


async def test_a_limited_ask_that_was_not_stored_does_not_count(memory):
    place = await Place(memory, "strict", Policy(asks_per_minute=1, asks_burst=1, store_up_seconds=0)).start()
    ann, bob = await extended(place, "ann"), await extended(place, "bob")
    await befriend(ann, bob)
    first = await ann.ask("ask", content="hello", to="bob", id="m1")
    assert first["type"] == "question_sent"
    refused = await ann.ask("ask", content="more", to="bob", id="m2")
    assert refused["code"] == "rate_limited"


async def test_what_was_said_is_remembered_on_both_sides_if_both_want_it(memory):
    policy = Policy(asks_per_minute=0, store_up_seconds=0, available=FEATURES, history_keep_ms=60_000)
    place = await Place(memory, "remembering", policy).start()
    wanted = [*WANTED, "history"]
    ann, bob = await extended(place, "ann", wanted), await extended(place, "bob", wanted)
    await befriend(ann, bob)
    await ann.ask("ask", content="hello", to="bob", id="m1")
    await eventually(lambda: len(memory.histories) == 2)
    sides = {owner: records for (owner, _), records in memory.histories.items()}
    assert [(record.mine, record.id) for record in sides[uid_of(ann)]] == [(True, "m1")]
    assert [(record.mine, record.id) for record in sides[uid_of(bob)]] == [(False, "m1")]
