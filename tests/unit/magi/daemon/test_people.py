import pytest

from magi.client.model import Origin
from magi.daemon.port import DeskError
from magi.desk.config import Config
from magi.desk.consent import Act
from magi.desk.ports import Mode
from magi.wire.magi1_requests import Block, Connect, Unblock
from tests.harness.waiting import eventually


async def test_a_new_friend_gets_a_petname_of_its_nickname_and_keeps_it(bureau):
    assert await bureau.people.petname("dave@example.com", "David The Great") == "david-the"
    assert await bureau.people.petname("dave@example.com", "Root") == "david-the"


async def test_two_friends_of_one_nickname_have_two_petnames(bureau):
    names = [await bureau.people.petname(f"dave{number}", "Dave") for number in range(3)]
    assert names == ["dave", "dave-2", "dave-3"]


async def test_nobody_gets_the_username_of_a_friend_as_petname(bureau):
    assert await bureau.people.petname("mallory", "Bob") == "bob-2"


async def test_a_new_friend_has_the_mode_of_the_settings(bureau):
    bureau.config = Config(default_mode=Mode.MUTE)
    await bureau.people.petname("dave", "Dave")
    assert (await bureau.people.view("dave")).mode == "mute"


async def test_a_friend_is_found_by_petname_username_or_with_an_at(bureau):
    await bureau.people.rename("bob", "Bobby")
    for who in ("bobby", "Bobby", "bob", "@bob", " bob "):
        assert await bureau.people.username(who) == "bob"


async def test_anyone_prefers_those_who_are_here_and_the_newest_of_them(bureau):
    assert await bureau.people.addressee("Anyone") == "carol"
    await bureau.store.ledger.set_blocked("carol", True)
    assert await bureau.people.addressee("anyone") == "bob"


async def test_open_questions_are_counted_per_friend(bureau):
    await bureau.asked("q1")
    await bureau.asked("q2")
    assert {one.petname: one.open_count for one in await bureau.people.all()} == {"bob": 2, "carol": 0}


async def test_a_petname_of_somebody_else_is_refused_before_a_code_is_used(bureau):
    await bureau.people.petname("bob", "Bob")
    for petname in ("bob", "BOB", "carol", "magi", "no spaces"):
        with pytest.raises(DeskError):
            await bureau.people.connect("ABC123", petname)
    assert bureau.exchange.sent(Connect) == []
    assert (await bureau.people.connect(" ABC123 ", "countess")).petname == "countess"


async def test_raising_and_lowering_a_mode_are_told_apart(bureau):
    assert await bureau.people.changing("bob", "auto") is Act.RAISE_MODE
    assert await bureau.people.changing("bob", "mute") is Act.LOWER_MODE
    with pytest.raises(DeskError, match="no mode"):
        await bureau.people.changing("bob", "loud")


async def test_words_of_a_muted_friend_are_for_the_owner(bureau):
    await bureau.people.mode("bob", "mute")
    assert await bureau.people.shows("bob", Origin.HUMAN)
    assert not await bureau.people.shows("bob", Origin.MODEL)


async def test_a_stranger_can_be_blocked(bureau):
    await bureau.people.block("mallory", blocked=True)
    assert [one.username for one in bureau.exchange.sent(Block)] == ["mallory"]
    assert (await bureau.store.ledger.person("mallory")).blocked
    await bureau.people.block("mallory", blocked=False)
    assert [one.username for one in bureau.exchange.sent(Unblock)] == ["mallory"]


async def test_where_the_exchange_cannot_unfriend_the_friend_is_muted_here(bureau):
    bureau.exchange.granted = frozenset()
    bureau.exchange.line.end()
    before = bureau.exchange.line
    await eventually(lambda: bureau.exchange.line is not before and bureau.client.server)
    await bureau.people.unfriend("bob")
    assert await bureau.store.ledger.mode("bob") is Mode.MUTE
