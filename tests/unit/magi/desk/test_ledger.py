"""What the owner decided about each user (CLI-33)."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magi.client.model import Friend
from magi.desk.ports import Mode, Person
from tests.harness.desks import HOUR_MS, NOW_MS, theirs


async def test_a_stranger_is_asked_about_and_has_no_petname(store):
    assert await store.ledger.person("bob") == Person("bob", "", Mode.ASK, blocked=False)
    assert await store.ledger.people() == []


@pytest.mark.parametrize("mode", list(Mode))
async def test_a_mode_stays_as_it_was_set(store, mode):
    await store.ledger.set_mode("bob", Mode.AUTO)
    await store.ledger.set_mode("bob", mode)
    assert await store.ledger.mode("bob") is mode
    assert await store.ledger.mode("carol") is Mode.ASK


async def test_a_petname_belongs_to_one_user_in_any_letter_case(store):
    assert await store.ledger.set_petname("bob@b", "Bob")
    assert not await store.ledger.set_petname("carol@c", "bOB")
    assert await store.ledger.petname("carol@c") == ""
    assert await store.ledger.username("BOB") == "bob@b"
    assert await store.ledger.username("carol") == ""


async def test_a_user_keeps_its_petname_when_called_so_again_and_frees_it_when_renamed(store):
    for petname in ("bob", "bob", "BOB", "robert"):
        assert await store.ledger.set_petname("bob@b", petname)
    assert await store.ledger.petname("bob@b") == "robert"
    assert await store.ledger.set_petname("carol@c", "Bob")


async def test_no_petname_is_nobodys(store):
    for username in ("bob", "carol"):
        assert await store.ledger.set_petname(username, "")
    assert await store.ledger.username("") == ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["u1", "u2", "u3"]), st.sampled_from(["a", "A", "b", "", "ss"])), max_size=8
    )
)
async def test_whatever_is_set_no_two_users_are_called_the_same(store, steps):
    for username, petname in steps:
        if await store.ledger.set_petname(username, petname):
            assert await store.ledger.petname(username) == petname
    named = [person.petname.casefold() for person in await store.ledger.people() if person.petname]
    assert len(named) == len(set(named))


async def test_people_are_listed_by_petname(store):
    for username, petname in (("u1", "carol"), ("u2", "Alice"), ("u3", "bob")):
        await store.ledger.set_petname(username, petname)
    assert [person.petname for person in await store.ledger.people()] == ["Alice", "bob", "carol"]


async def test_who_is_blocked_has_nothing_open_and_no_rights(store):
    await store.put_in(theirs())
    await store.ledger.set_mode("bob", Mode.AUTO)
    await store.ledger.allow("bob", NOW_MS + HOUR_MS)
    await store.ledger.set_blocked("bob", blocked=True)
    assert (await store.ledger.person("bob")) == Person("bob", "", Mode.ASK, blocked=True)
    assert not await store.ledger.allowed("bob")
    assert await store.inbox() == []
    assert (await store.incoming("bob", "b1")).text == ""
    await store.ledger.set_blocked("bob", blocked=False)
    await store.put_in(theirs("b2"))
    assert [one.id for one in await store.inbox()] == ["b2"]


async def test_leave_holds_for_its_thread_and_its_time(store, clock):
    await store.ledger.allow("bob", NOW_MS + HOUR_MS, thread="t1")
    assert await store.ledger.allowed("bob", thread="t1")
    assert not await store.ledger.allowed("bob", thread="t2")
    assert not await store.ledger.allowed("bob")
    assert not await store.ledger.allowed("carol", thread="t1")
    clock.ms += HOUR_MS
    assert not await store.ledger.allowed("bob", thread="t1")


async def test_leave_for_a_user_covers_all_its_threads(store):
    await store.ledger.allow("bob", NOW_MS + HOUR_MS)
    assert await store.ledger.allowed("bob")
    assert await store.ledger.allowed("bob", thread="t1")


@pytest.mark.parametrize("mode", [Mode.ASK, Mode.MUTE])
async def test_a_mode_below_auto_ends_leave(store, mode):
    await store.ledger.allow("bob", NOW_MS + HOUR_MS, thread="t1")
    await store.ledger.set_mode("bob", mode)
    assert not await store.ledger.allowed("bob", thread="t1")


@pytest.mark.parametrize("how", ["dropped", "not listed"])
async def test_who_is_a_friend_no_more_comes_again_without_rights(store, how):
    for name in ("bob", "carol"):
        await store.keep_friend(Friend(name, name))
        await store.ledger.set_mode(name, Mode.AUTO)
        await store.ledger.set_petname(name, name)
    await store.ledger.allow("bob", NOW_MS + HOUR_MS)
    if how == "dropped":
        await store.drop_friend("bob")
    else:
        await store.keep_friends([Friend("carol", "Carol")])
    await store.keep_friend(Friend("bob", "Bob"))
    assert await store.ledger.person("bob") == Person("bob", "bob", Mode.ASK)
    assert not await store.ledger.allowed("bob")
    assert await store.ledger.mode("carol") is Mode.AUTO


async def test_a_mute_outlives_the_friendship(store):
    await store.keep_friend(Friend("bob", "Bob"))
    await store.ledger.set_mode("bob", Mode.MUTE)
    await store.drop_friend("bob")
    assert await store.ledger.mode("bob") is Mode.MUTE


async def test_a_pause_ends_at_its_time_or_when_it_is_ended(store, clock):
    assert not await store.ledger.paused()
    await store.ledger.pause(NOW_MS + HOUR_MS)
    assert await store.ledger.paused()
    clock.ms += HOUR_MS
    assert not await store.ledger.paused()
    await store.ledger.pause(-1)
    clock.ms += 10**12
    assert await store.ledger.paused()
    await store.ledger.pause(0)
    assert not await store.ledger.paused()


async def test_the_secret_is_made_once_and_outlives_the_process(store):
    secret = await store.ledger.secret()
    assert len(secret) == 32
    await store.close()
    await store.open()
    assert await store.ledger.secret() == secret
