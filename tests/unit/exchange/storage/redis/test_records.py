"""Packing of records and wakes."""

from dataclasses import replace
from typing import get_args

import msgspec
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from exchange.core.model import Envelope, Kind, Link, Presence, Profile
from exchange.core.pairs import HandedOver, PassedOn, PeerDown, PeerUp, Revoked, SlotWake, Superseded
from exchange.core.wakes import Linked, Mail, Replaced, Unlinked
from exchange.ports import PutWord
from exchange.storage.redis import records
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.store import RedisStore, open_store
from tests.harness.valkey import Valkey

BOB = Link(
    "bob",
    "c1",
    "bob@example.com",
    "Bob 🦀",
    made=2**40,
    waiting=True,
    persist=True,
    features=frozenset({"persist", "offline"}),
    status="working",
    capabilities=("vision", "two\nlines", "", '"'),
    stamp=1_800_000_000_000_001,
)
ADA = Profile("ada", "Ada")
NEWER = msgspec.msgpack.encode((2, "c1", "bob@example.com", "Bob", 1, False))
OLDER = msgspec.msgpack.encode((1, "c1", "bob@example.com", "Bob", 1, False))
LONGER = msgspec.msgpack.encode((1, "c1", "bob", "Bob", 1, False, False, "", "", "", 0, False, "news"))
UNREADABLE = msgspec.msgpack.encode((1, "c1", "bob", "Bob", 1, False, False, "", "", "no list", 0, False))
INDEX_KEY = b"an index key for tests"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
numbers = st.integers(0, 2**53)
envelopes = st.builds(
    Envelope,
    kind=st.sampled_from(Kind),
    sender=texts,
    connection=texts,
    deadline_ms=numbers,
    accepted_ms=numbers,
    body=st.binary(max_size=2000),
    id=texts,
    reply_to=texts,
    trace=st.lists(texts, max_size=16).map(tuple),
    expires_ms=numbers,
)


@given(envelopes)
def test_an_envelope_comes_out_as_it_went_in(envelope: Envelope) -> None:
    assert records.unpack_wake(records.pack_envelope(envelope)) == envelope


def test_the_body_of_an_envelope_stands_unchanged_in_its_wake() -> None:
    body = bytes(range(256)) * 300
    payload = records.pack_envelope(Envelope(Kind.ANSWER, "u", "c", 1, 2, body))
    assert body in payload
    assert len(payload) < len(body) + 64


def test_mail_comes_with_its_envelope_or_without() -> None:
    envelope = Envelope(Kind.ANSWER, "u", "c", 1, 2, b"of several words \n", "m1", name="Ada L.")
    inline = b"M17 0-0 18-0 " + msgspec.msgpack.encode(envelope)
    assert records.unpack_wake(inline) == Mail("17", "0-0", "18-0", envelope)
    assert records.unpack_wake(b"M17 0-0 18-0 ") == Mail("17", "0-0", "18-0", None)


def test_changes_of_links_are_told_apart_by_their_first_byte() -> None:
    linked = Linked(
        7, 6, True, "bob", "c1", "bob@example.com", "Bob", 7, False, True, ("ids", "resume"), "idle", ("a",), 5
    )
    told = (*linked[:10], "ids resume", "idle", '["a"]', 5)
    unlinked = Unlinked(8, 7, "bob", "c1")
    assert records.unpack_wake(b"L" + msgspec.msgpack.encode(told)) == linked
    assert records.unpack_wake(b"U" + msgspec.msgpack.encode(unlinked)) == unlinked
    assert records.unpack_wake(b"R" + msgspec.msgpack.encode(Replaced("s1"))) == Replaced("s1")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"E",
        b"M17 0-0 18-0",
        b"M17 0-0 18-0 \xc1",
        b"M\xff 0-0 18-0 ",
        b"Z" + msgspec.msgpack.encode(("of", "a", "newer", "release")),
        b"U" + msgspec.msgpack.encode((1, 0, "bob", "c1", "a new field")),
        b"U" + msgspec.msgpack.encode((1, 0, "bob")),
        b"L" + msgspec.msgpack.encode({"rev": 1}),
        b"L" + msgspec.msgpack.encode((1, 0, True, "bob", "c1", "bob", "Bob", 1, False, True, "", "", "no list", 0)),
        records.pack_envelope(Envelope(1, "u", "c", 1, 2, b"cut off"))[:-3],
    ],
)
def test_a_wake_of_unknown_shape_is_none(payload: bytes) -> None:
    assert records.unpack_wake(payload) is None


def test_a_link_comes_out_as_it_went_in() -> None:
    for unseen in (False, True):
        assert records.unpack_link(b"bob", records.pack_link(BOB, unseen=unseen)) == BOB


@pytest.mark.parametrize("record", [NEWER, OLDER, LONGER, UNREADABLE, b"\xc1", b""])
def test_a_link_of_unknown_layout_is_left_out_and_counted(record: bytes) -> None:
    fields = [b"eve", record, b"bob", records.pack_link(BOB)]
    assert records.unpack_links(fields) == ((BOB,), 1)


@given(st.lists(texts).map(tuple))
def test_a_list_comes_out_as_it_went_in(listed: tuple[str, ...]) -> None:
    assert records.unpack_list(records.pack_list(listed)) == listed


def test_an_empty_list_is_no_text() -> None:
    assert records.pack_list(()) == ""


def test_a_profile_is_packed_as_the_fields_of_its_user() -> None:
    profile = Profile("ada", "Ada", frozenset({"resume", "ids"}), "idle", ("vision",))
    assert msgspec.msgpack.decode(records.pack_profile(profile)) == ["ada", "Ada", "ids resume", "idle", '["vision"]']


def test_a_presence_comes_out_without_its_address() -> None:
    presence = Presence("s1", "ada", "ada@example.com", "n1", "magi", "198.51.100.7", "zoe@example.com")
    record = records.pack_presence(presence)
    assert b"198.51" not in record
    assert records.unpack_presence(b"s1", record) == replace(presence, address="")


def test_a_presence_of_a_session_that_takes_no_other_name_may_be_shorter() -> None:
    record = msgspec.msgpack.encode((1, "ada", "ada@example.com", "n1", "magi"))
    assert records.unpack_presence(b"s1", record) == Presence("s1", "ada", "ada@example.com", "n1", "magi", "")


def test_a_presence_in_a_slot_keeps_its_role_and_another_is_packed_as_before_there_were_roles() -> None:
    user = Presence("s1", "ada", "ada@example.com", "n1", "magi", "")
    end = Presence("s1", "p1", "", "n1", "coralmux", "", role="phone")
    assert records.unpack_presence(b"s1", records.pack_presence(end)) == end
    assert len(msgspec.msgpack.decode(records.pack_presence(user))) == 6
    assert len(msgspec.msgpack.decode(records.pack_presence(end))) == 7


@pytest.mark.parametrize("record", [msgspec.msgpack.encode((2, "u", "name", "n1", "magi")), b"\xc1", b""])
def test_a_presence_of_unknown_layout_is_none(record: bytes) -> None:
    assert records.unpack_presence(b"s1", record) is None


NUMBER = 1_795_223_356_499_610


@pytest.mark.parametrize(
    ("payload", "wake"),
    [
        (b"F%d 0 {}" % NUMBER, PassedOn(NUMBER, 0, b"{}")),
        (b"F%d 7 " % NUMBER, PassedOn(NUMBER, 7, b"")),
        (b"F1 2 a b\0\n 3", PassedOn(1, 2, b"a b\0\n 3")),
        (b"U%d" % NUMBER, PeerUp(NUMBER)),
        (b"D%d" % NUMBER, PeerDown(NUMBER)),
        (b"S%d" % NUMBER, Superseded(NUMBER)),
        (b"R", Revoked()),
        (records.pack_handed_over(NUMBER), HandedOver(NUMBER)),
    ],
)
def test_what_arrives_for_a_slot_is_told_apart_by_its_first_byte(payload: bytes, wake: SlotWake) -> None:
    found = records.unpack_slot_wake(payload)
    assert (type(found), found) == (type(wake), wake)


def test_every_kind_of_wake_of_a_slot_can_be_read() -> None:
    assert len(records._DECODE_SLOT_WAKE) == len(get_args(SlotWake))


@pytest.mark.parametrize("payload", [b"", b"?", b"U", b"Ux", b"F1 2", b"Fx 2 {}", b"F1 x {}", b"f1 2 {}"])
def test_an_unknown_wake_of_a_slot_is_none(payload: bytes) -> None:
    assert records.unpack_slot_wake(payload) is None


@pytest.fixture
async def store(valkey: Valkey):
    """A store in which a newer release left a link."""
    keys = Keyspace("magi", INDEX_KEY)
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
        client.hset(keys.links("ada"), "bob", NEWER)
    store = await open_store(valkey.url, prefix="magi", index_key=INDEX_KEY)
    yield store
    await store.close()


async def test_readers_leave_a_newer_record_out_and_count_it(store: RedisStore) -> None:
    assert await store.ports.links.table("ada") == (0, ())
    opened = await store.ports.users.open(Presence("s1", "ada", "ada", "n1", "magi", ""), ADA)
    assert opened.links == ()
    assert store.unknown_records == 2


async def test_scripts_ignore_a_newer_record(store: RedisStore) -> None:
    assert not await store.ports.links.end("ada", "bob", "c1")
    assert store.ports.links.unknown_records == 0
    await store.ports.links.table("ada")
    assert store.ports.links.unknown_records == 1
    assert (await store.ports.links.put("ada", BOB)).word is PutWord.ADDED


async def test_a_newer_record_that_ended_is_not_brought_back(store: RedisStore, valkey: Valkey) -> None:
    await store.ports.users.open(Presence("s1", "ada", "ada", "n1", "magi", ""), ADA)
    await store.ports.links.put("ada", Link("eve", "c2", "eve", "Eve"))
    closed = await store.ports.users.close("ada", "s1", grace_ms=60_000)
    assert [link.peer for link in closed.ended] == ["eve"]
    assert closed.belongings  # it may be a persistent one
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
        newer = msgspec.msgpack.encode((2, "c3", "kim", "Kim", 1, False, False, "", "", "", 0, False, 2**42, False))
        client.hset(Keyspace("magi", INDEX_KEY).ended("ada"), "kim", newer)
    opened = await store.ports.users.open(Presence("s2", "ada", "ada", "n1", "magi", ""), ADA)
    assert opened.restored == {"eve"}
