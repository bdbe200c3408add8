"""Opening invitations, on one node with a store in memory."""

import pytest

from exchange.entropy import derived_code
from exchange.handlers import create_invite
from exchange.handlers.exchange import Policy
from exchange.ports import InviteWord, Peeked
from exchange.storage.memory.state import Memory
from tests.harness.world import Place, Time

POLICY = Policy(open_invites=2, code_characters=8, invite_life_ms=120_000)


@pytest.fixture
async def place() -> Place:
    return await Place(Memory(Time()), policy=POLICY).start()


async def test_an_invitation_has_a_code_its_inviter_and_its_life(place):
    peer = await place.identified("ann", nick="Ann")
    reply = await peer.ask("create_invite")
    assert reply == {"type": "invite_created", "code": reply["code"], "from": "Ann", "expiresIn": "2 minutes"}
    assert len(reply["code"]) == 8
    assert place.witness.invites == ["created"]
    uid = peer.connection.session.identified().uid
    assert await place.store.invites.peek(reply["code"], "bob") == Peeked(InviteWord.OPEN, uid)


async def test_every_invitation_has_a_code_of_its_own(place):
    peer = await place.identified("ann")
    assert (await peer.ask("create_invite"))["code"] != (await peer.ask("create_invite"))["code"]


async def test_too_many_open_invitations_are_refused_until_one_has_run_out(place):
    peer = await place.identified("ann")
    for expected in ("invite_created", "invite_created", "error"):
        assert (await peer.ask("create_invite"))["type"] == expected
    place.memory.now_ms.ms += POLICY.invite_life_ms
    assert (await peer.ask("create_invite"))["type"] == "invite_created"


async def test_a_code_that_is_in_use_is_made_again(place, monkeypatch):
    codes = iter(["TAKEN", "TAKEN", "FREE"])
    monkeypatch.setattr(create_invite, "new_code", lambda _characters: next(codes))
    ann, bob = await place.identified("ann"), await place.identified("bob")
    await ann.ask("create_invite")
    assert (await bob.ask("create_invite"))["code"] == "FREE"


async def test_without_a_free_code_it_is_refused_as_transient(place, monkeypatch):
    monkeypatch.setattr(create_invite, "new_code", lambda _characters: "TAKEN")
    ann, bob = await place.identified("ann"), await place.identified("bob")
    await ann.ask("create_invite")
    assert (await bob.ask("create_invite"))["message"].startswith("Service temporarily unavailable")


async def test_a_repeated_request_gets_the_same_code_which_no_dump_of_the_store_shows(place):
    peer = await place.identified("ann")
    first = await peer.ask("create_invite", id="m1")
    assert await peer.ask("create_invite", id="m1") == first
    assert place.witness.invites == ["created"]
    assert not any(first["code"].encode() in kept.reply for kept in place.memory.replies.values())


async def test_an_extended_client_may_ask_for_another_length(place):
    peer = await place.identified("ann", features=["ids"])
    for length in (6, 16):
        place.memory.invites.clear()
        assert len((await peer.ask("create_invite", length=length))["code"]) == length


@pytest.mark.parametrize(
    "fields", [{"length": 5}, {"length": 17}, {"length": "8"}, {"length": 0}, {"for": "\0"}, {"for": 7}], ids=str
)
async def test_lengths_and_names_that_cannot_be_are_refused(place, fields):
    peer = await place.identified("ann", features=["ids"])
    assert (await peer.ask("create_invite", **fields))["type"] == "error"
    assert place.memory.invites == {}


async def test_to_a_plain_client_length_and_terms_mean_nothing(place):
    ann, bob = await place.identified("ann"), await place.identified("bob")
    reply = await ann.ask("create_invite", **{"length": 5, "for": "cat", "confirm": True})
    assert len(reply["code"]) == POLICY.code_characters
    assert (await bob.ask("connect", code=reply["code"]))["type"] == "connected_to_friend"


async def test_a_repeat_with_a_length_gets_the_same_code(place):
    peer = await place.identified("ann", features=["ids"])
    first = await peer.ask("create_invite", id="m1", length=12)
    assert await peer.ask("create_invite", id="m1", length=12) == first


async def test_a_repeat_gets_the_same_code_also_if_the_first_choice_was_in_use(place):
    ann, bob = await place.identified("ann", features=["ids"]), await place.identified("bob")
    in_use = derived_code(ann.connection.session.identified().uid, "m1", POLICY.code_characters)
    uid = bob.connection.session.identified().uid
    await place.store.invites.open(in_use, uid, life_ms=POLICY.invite_life_ms, most=9)
    first = await ann.ask("create_invite", id="m1")
    assert first["code"] != in_use
    assert await ann.ask("create_invite", id="m1") == first
