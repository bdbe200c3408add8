"""Conversations on one node with a store in memory."""

import json

import pytest

from exchange.core.errors import TooLarge, Unavailable, Unparsed
from exchange.core.events import FriendWent
from exchange.core.pairs import Role
from exchange.core.session import State
from exchange.front import Ending
from exchange.node.connection import Bounds
from exchange.storage.memory.state import Memory
from tests.harness.joints import MEMBER, ONLINE, TOKEN, Joint, Line, text
from tests.harness.waiting import eventually
from tests.harness.world import STORING, Place, Time, befriend

FEW = Bounds(pending_count=4, pending_bytes=1000)


@pytest.fixture
async def place() -> Place:
    return await Place(Memory(Time())).start()


async def test_the_greeting_comes_first_and_names_the_client(place):
    peer = place.connect()
    assert peer.heard == [{"type": "connected", "clientId": peer.connection.session.client}]
    assert len(place.roster) == 1


async def test_every_request_gets_one_reply_in_the_order_of_the_requests(place):
    peer = place.connect()
    peer.say("identify", username="ann")
    peer.say("create_invite")
    peer.say("nonsense")
    peer.say("create_invite")
    await eventually(lambda: len(peer.heard) == 5)
    assert peer.types == ["connected", "identified", "invite_created", "error", "invite_created"]


async def test_a_reply_of_the_short_way_waits_for_its_turn(place):
    ann, bob = await place.identified("ann"), await place.identified("bob")
    await befriend(ann, bob)
    before = len(bob.heard)
    bob.say("create_invite")  # asks the store
    bob.say("ask", content="hello")  # need not ask
    await eventually(lambda: len(bob.heard) == before + 2)
    assert bob.types[before:] == ["invite_created", "question_sent"]


async def test_what_is_no_request_is_refused_and_the_conversation_goes_on(place):
    peer = place.connect()
    peer.connection.received(b"not json")
    assert peer.heard[-1] == {"type": "error", "message": "Invalid message format"}
    assert isinstance(place.refused[-1], Unparsed)
    assert (await peer.ask("identify", username="ann"))["type"] == "identified"


async def test_an_oversized_message_is_refused_in_its_turn(place):
    peer = place.connect()
    peer.say("identify", username="ann")
    peer.connection.oversized()
    await eventually(lambda: len(peer.heard) == 3)
    assert peer.types == ["connected", "identified", "error"]
    assert isinstance(place.refused[-1], TooLarge)


async def test_an_empty_message_is_not_json(place):
    peer = place.connect()
    peer.connection.received(b"")
    assert peer.heard[-1] == {"type": "error", "message": "Invalid message format"}


async def test_past_the_bound_of_waiting_requests_the_socket_stops_reading_until_half_are_done(place):
    peer = place.connect(bounds=FEW)
    peer.say("identify", username="ann")
    for _ in range(FEW.pending_count - 1):
        peer.say("create_invite")
    assert not peer.paused
    peer.say("create_invite")
    assert peer.paused
    await eventually(lambda: len(peer.heard) == 2 + FEW.pending_count)
    assert not peer.paused


async def test_past_the_bound_of_waiting_bytes_the_socket_stops_reading(place):
    peer = place.connect(bounds=FEW)
    peer.say("identify", username="ann")
    peer.say("ask", content="x" * FEW.pending_bytes)
    assert peer.paused
    await eventually(lambda: not peer.paused)
    assert peer.types == ["connected", "identified", "error"]


async def test_what_waits_is_refused_as_transient_when_the_node_drains(place):
    peer = place.connect()
    peer.say("identify", username="ann")
    peer.say("create_invite")
    peer.say("create_invite")
    assert peer.connection.busy
    peer.connection.refuse_waiting()
    await eventually(lambda: not peer.connection.busy)
    assert peer.types == ["connected", "identified", "error", "error"]
    assert all(isinstance(error, Unavailable) for error in place.refused)


async def test_a_request_that_comes_while_its_connection_is_let_go_is_answered_too(place):
    peer = await place.identified("ann")
    peer.connection.refuse_waiting()
    assert (await peer.ask("create_invite"))["message"] == "Service temporarily unavailable. Please try again."
    await peer.connection.leave()
    assert (await peer.ask("create_invite"))["message"] == "Service temporarily unavailable. Please try again."


async def test_mail_is_acknowledged_even_while_the_connection_is_let_go(place):
    ann, bob = [await place.identified(name, features=STORING) for name in ("ann", "bob")]
    await befriend(ann, bob)
    await ann.ask("ask", to="bob", content="hello")
    question = await bob.hears("question")
    bob.connection.refuse_waiting()
    bob.say("ack", upTo=question["offset"])
    await bob.connection.leave()
    (box,) = place.memory.boxes.values()
    await eventually(lambda: not box.letters)
    assert "error" not in bob.types


async def test_a_session_that_left_before_its_socket_leaves_once(place, monkeypatch):
    ann, bob = await place.identified("ann"), await place.identified("bob")
    await befriend(ann, bob)
    farewells = []
    farewell = place.exchange.farewell

    async def counted(session):
        farewells.append(session)
        await farewell(session)

    monkeypatch.setattr(place.exchange, "farewell", counted)
    await ann.connection.leave()
    assert await bob.hears("friend_disconnected")
    assert ann.connection.open
    ann.connection.ended(Ending.DRAIN)
    await ann.connection.leave()
    assert farewells == [ann.connection.session]
    assert ann.connection.session.state is State.ENDED


async def test_a_mistake_of_ours_is_a_transient_refusal_and_not_the_end(place, monkeypatch):
    peer = await place.identified("ann")

    def broken(*_words):
        raise RuntimeError("a mistake")

    with monkeypatch.context() as patch:
        patch.setattr(place.exchange, "handle", broken)
        assert (await peer.ask("create_invite"))["message"].startswith("Service temporarily unavailable")
    assert (await peer.ask("create_invite"))["type"] == "invite_created"


async def test_an_event_between_a_request_and_its_reply_is_told_at_once(place):
    peer = place.connect()
    peer.say("identify", username="ann")
    peer.connection.tell(FriendWent("bob", "Bob"))
    await peer.hears("identified")
    assert peer.types == ["connected", "friend_disconnected", "identified"]


async def test_a_close_says_what_the_wire_says_for_its_ending(place):
    peer = place.connect()
    peer.connection.close(Ending.DRAIN)
    assert peer.closed == (1001, "")
    assert not peer.connection.open
    assert [ending for _, ending, _ in place.closed] == [Ending.DRAIN]


async def test_after_the_end_nothing_is_told_and_nothing_breaks(place):
    peer = place.connect()
    peer.say("identify", username="ann")
    peer.say("create_invite")
    count = len(peer.heard)
    peer.leave()
    assert await place.exchange.settled(10) == 0
    peer.connection.tell(FriendWent("bob", "Bob"))
    peer.connection.close(Ending.DRAIN)
    assert len(peer.heard) == count
    assert peer.closed is None
    assert peer.connection.buffered_bytes == 0
    assert peer.connection.session.state is State.ENDED
    assert len(place.roster) == 0


async def test_a_session_that_ended_while_it_identified_leaves_its_name_free(place):
    peer = place.connect()
    peer.say("identify", username="ann")
    peer.leave()
    await place.exchange.settled(10)
    assert not place.hub.holds(await place.store.names.find("ann", "magi") or "")
    assert (await place.connect(address="198.51.100.7").ask("identify", username="ann"))["type"] == "identified"


async def test_messages_both_ways_are_counted(place):
    peer = await place.identified("ann")
    peer.connection.received(json.dumps(None).encode())
    assert place.counts.frames_in == 2
    assert place.counts.frames_out == len(peer.heard) == 3


# --- strangers and members -------------------------------------------------------------------------------------------


@pytest.fixture
async def joint() -> Joint:
    joint = await Joint(Memory(Time())).start()
    await joint.pair()
    return joint


def auth(token: str = TOKEN) -> bytes:
    return text("auth", token=token, role="phone")


async def test_a_strangers_messages_are_taken_one_at_a_time_and_a_members_are_not(joint):
    line, adopted = joint.dial(), []
    line.adopt = adopted.append
    line.packet(auth(), text("ping"))
    assert line.paused
    assert adopted == []
    await line.hears("pong")
    assert adopted == [MEMBER]
    line.packet(*[text("chat.send")] * 3)
    assert not line.paused
    await eventually(lambda: not line.connection.busy)


async def test_a_socket_without_rules_for_members_is_not_paused_for_its_first_message(place):
    peer = place.connect()
    peer.say("identify", username="ann")
    assert not peer.paused
    await peer.hears("identified")


async def test_whoever_did_not_prove_anything_keeps_the_rules_for_strangers(joint):
    line = joint.dial()
    line.packet(auth("unknown"), auth())
    assert await line.ended() is Ending.REFUSED
    assert line.rules is None
    assert line.types == ["refused"]


async def test_a_refusal_that_parts_is_said_before_the_close_and_what_waits_is_forgotten(joint):
    line = joint.dial()
    line.packet(auth("unknown"))
    for message in (auth(), text("ping")):
        line.connection.received(message)
    order = []
    line.send = lambda message: order.append(json.loads(message)["type"])
    line.close = lambda *what, **_how: order.append(what[-1])  # the peer takes its time to answer
    await eventually(lambda: not line.connection.busy)
    assert await joint.exchange.settled(10) == 0
    assert order == ["refused", Ending.REFUSED]
    assert joint.counts.frames_in == joint.counts.frames_out == 1


async def test_a_refusal_without_words_only_closes(joint):
    joint.memory.down = True
    line = joint.dial()
    line.packet(auth())
    assert await line.ended() is Ending.STORE
    assert line.heard == []
    assert joint.counts.frames_out == 0


async def test_an_oversized_first_message_parts(joint):
    line = joint.dial()
    line.connection.oversized()
    assert await line.ended() is Ending.REFUSED
    assert line.heard == [{"type": "refused", "why": "TooLarge"}]


async def test_an_oversized_later_message_does_not(joint):
    line = await joint.attend(Role.PHONE)
    line.connection.oversized()
    assert (await line.ask("ping"))["type"] == "pong"
    assert line.types == ["auth.ok", "refused", "pong"]


@pytest.mark.parametrize("discard", [True, False])
async def test_a_close_says_whether_what_was_not_written_is_discarded(joint, discard):
    line = joint.dial()
    line.connection.close(Ending.REPLACED, discard=discard)
    assert (await line.ended(), line.discarded) == (Ending.REPLACED, discard)


async def test_an_event_is_told_to_an_end_only_if_its_wire_has_words_for_it(joint):
    phone = await joint.attend(Role.PHONE)
    phone.connection.tell(FriendWent("bob", "Bob"))
    await joint.attend(Role.AGENT)
    await eventually(lambda: len(phone.heard) == 2)
    assert phone.heard[-1] == ONLINE


async def test_what_ends_of_pairs_say_while_the_node_drains_closes_them(joint):
    phone: Line = await joint.attend(Role.PHONE)
    phone.connection.refuse_waiting()
    phone.packet(text("chat.send"), text("ping"))
    assert await phone.ended() is Ending.STORE
    assert phone.types == ["auth.ok"]
