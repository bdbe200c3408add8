"""A repeated message id has no second effect (MAGI-45)."""

import pytest

from exchange.core.commands import CreateInvite
from exchange.core.errors import AskLimit, InviteUnknown, NotConnected, StorageUnavailable, Unavailable, UserUnknown
from exchange.handlers.exchange import Policy
from exchange.handlers.once import once
from exchange.storage.memory.state import Memory
from tests.harness.world import PERSISTENT, WATCHING, Peer, Place, Time, befriend


@pytest.fixture
async def place() -> Place:
    return await Place(Memory(Time()), policy=Policy(asks_per_minute=60, asks_burst=1)).start()


@pytest.fixture
async def friends(place) -> tuple[Peer, Peer]:
    ann, bob = await place.identified("ann"), await place.identified("bob")
    await befriend(ann, bob)
    return ann, bob


class Effect:
    def __init__(self, *outcomes: object) -> None:
        self.outcomes = list(outcomes)
        self.count = 0

    async def __call__(self) -> object:
        self.count += 1
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def test_a_repeated_question_is_delivered_once_and_answered_alike(friends):
    ann, bob = friends
    first = await ann.ask("ask", content="hello", id="m1")
    assert first["type"] == "question_sent"
    assert await ann.ask("ask", content="hello", id="m1") == first
    assert bob.types.count("question") == 1


async def test_another_users_ids_are_its_own(friends):
    ann, bob = friends
    await ann.ask("answer", content="hello", id="m1")
    await bob.hears("answer")
    await bob.ask("answer", content="hi", id="m1")
    assert (await ann.hears("answer"))["content"] == "hi"


@pytest.mark.parametrize("error", [InviteUnknown(), UserUnknown("bob"), NotConnected("Bob")], ids=str)
async def test_a_final_refusal_is_kept_with_its_words(place, friends, error):
    effect = Effect(error)
    session = friends[0].connection.session
    for _ in range(2):
        with pytest.raises(type(error)) as refusal:
            await once(place.exchange, session, CreateInvite("m1"), effect)
        assert str(refusal.value) == str(error)
        await place.exchange.settled(10)
    assert effect.count == 1


@pytest.mark.parametrize("error", [AskLimit(5), Unavailable()], ids=str)
async def test_after_a_refusal_that_may_pass_the_id_may_be_tried_again(place, friends, error):
    effect = Effect(error, error)
    for _ in range(2):
        with pytest.raises(type(error)):
            await once(place.exchange, friends[0].connection.session, CreateInvite("m1"), effect)
        await place.exchange.settled(10)
    assert effect.count == 2


async def test_without_an_id_every_request_counts(place, friends):
    effect = Effect("one", "two")
    session = friends[0].connection.session
    assert await once(place.exchange, session, CreateInvite(), effect) == "one"
    assert await once(place.exchange, session, CreateInvite(), effect) == "two"


async def test_after_ten_minutes_an_id_is_new_again(place, friends):
    ann, bob = friends
    await ann.ask("ask", content="hello", id="m1")
    place.memory.now_ms.ms += 600_000
    await ann.ask("ask", content="hello again", id="m1")
    assert bob.types.count("question") == 2


async def test_nothing_has_an_effect_when_the_id_cannot_be_reserved(place, friends):
    effect = Effect("never")
    place.memory.down = True
    with pytest.raises(StorageUnavailable):
        await once(place.exchange, friends[0].connection.session, CreateInvite("m1"), effect)
    assert effect.count == 0


@pytest.mark.parametrize("other", [{"content": "bye"}, {"content": "hello", "to": "bob"}], ids=str)
async def test_an_id_that_was_used_for_another_request_is_refused(friends, other):
    ann, bob = friends
    await ann.ask("answer", content="hello", id="m1")
    assert (await ann.ask("answer", **other, id="m1"))["type"] == "error"
    assert (await ann.ask("create_invite", id="m1"))["type"] == "error"
    assert bob.types.count("answer") == 1


async def test_a_redeem_repeated_with_another_token_is_the_same_request(place):
    ann = await place.identified("ann")
    code = (await ann.ask("create_invite"))["code"]
    bob = await place.identified("bob", features=PERSISTENT)
    fields = {"code": code, "username": "bob", "features": list(PERSISTENT), "id": "m1"}
    first, second = place.connect(), place.connect()
    first.say("connect", **fields, token=bob.token)
    heard = await first.hears("connected_to_friend")
    second.say("connect", **fields, token=first.token)
    assert await second.hears("connected_to_friend") == heard
    assert ann.types.count("friend_connected") == 1


@pytest.mark.parametrize(
    ("request_type", "fields"),
    [
        ("block", {"username": "bob"}),
        ("unblock", {"username": "bob"}),
        ("presence", {"status": "idle", "capabilities": ["read"]}),
    ],
)
async def test_replies_of_every_kind_are_kept(place, request_type, fields):
    ann = await place.identified("ann", features=WATCHING)
    first = await ann.ask(request_type, **fields, id="m1")
    await place.exchange.settled(10)
    assert await ann.ask(request_type, **fields, id="m1") == first
    assert first["id"] == "m1"


async def test_what_is_kept_of_a_request_tells_nothing_to_who_does_not_know_its_id(place, friends):
    ann, _ = friends
    for number in range(2):
        await ann.ask("answer", content="hello", id=f"m{number}")
    digests = {kept.digest for kept in place.memory.replies.values()}
    assert len(digests) == 2
    assert all(len(digest) == 16 for digest in digests)
