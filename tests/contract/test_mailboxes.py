"""What ``exchange.ports.Mailboxes`` promises."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.ids import NOWHERE, Offset, order
from exchange.core.model import Envelope, Fate, Kind, Link, MailState, Presence, Profile, Undelivered
from exchange.core.wakes import Mail, Wake
from exchange.ports import Caps, Notice, Store, StoredWord
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from exchange.storage.parcel import pack
from exchange.storage.redis.store import open_store
from tests.harness.valkey import Valkey
from tests.harness.waiting import eventually

LATE_MS = 4_000_000_000_000
"""A moment that is far ahead on every clock."""
PAST_MS = 1
BOB = Link("bob", "c1", "bob@example.com", "Bob", persist=True)
EVE = Link("eve", "c2", "eve@example.com", "Eve", persist=True)
HELLO = Envelope(Kind.QUESTION, "bob", "c1", 0, 5, b'"hello"', "m0", "", (), 0, "bob@example.com", "Bob")
SIZE = len(pack(HELLO))

Opener = Callable[[Caps], Awaitable[Store]]


class Slip:
    """A receipt that remembers, and tells ``after`` that it was called."""

    def __init__(self, after: Callable[["Slip"], object] = lambda _: None) -> None:
        self.outcomes: list[Any] = []
        self.after = after

    def filed(self, word: StoredWord, offset: Offset, nodes_count: int) -> None:
        self.outcomes.append((word, offset, nodes_count))
        self.after(self)

    def failed(self, error: StorageUnavailable) -> None:
        self.outcomes.append(error)
        self.after(self)


class Ear:
    """Keeps what a node is told."""

    def __init__(self) -> None:
        self.heard: list[Wake] = []
        self.sizes: list[int] = []

    def woken(self, uid: str, wake: Wake, size_bytes: int) -> None:
        self.heard.append(wake)
        self.sizes.append(size_bytes)

    def gap(self) -> None:
        raise AssertionError("no connection broke")


def mail(number: int = 0, **changes: Any) -> Envelope:
    return HELLO._replace(**{"id": f"m{number}", **changes})


async def append(store: Store, envelope: Envelope, until_ms: int = LATE_MS) -> tuple[StoredWord, Offset, int]:
    slip = Slip()
    store.mailboxes.append("ada", envelope, until_ms, slip)
    await eventually(lambda: slip.outcomes)
    ((word, offset, nodes_count),) = slip.outcomes
    return word, offset, nodes_count


async def fill(store: Store, count: int, until_ms: int = LATE_MS, **changes: Any) -> list[Offset]:
    """Store this many letters of Bob and return their offsets."""
    slips = [Slip() for _ in range(count)]
    for number, slip in enumerate(slips):
        store.mailboxes.append("ada", mail(number, **changes), until_ms, slip)
    await eventually(lambda: all(slip.outcomes for slip in slips))
    assert {slip.outcomes[0][0] for slip in slips} == {StoredWord.STORED}
    return [slip.outcomes[0][1] for slip in slips]


async def waiting(store: Store, after: Offset = NOWHERE) -> list[Offset]:
    page = await store.mailboxes.read("ada", after, count=1000, bytes_=1 << 30)
    assert not page.more
    return [letter.offset for letter in page.letters]


async def come(store: Store, sid: str = "s1") -> None:
    presence = Presence(sid, "ada", "ada@example.com", "n1", "magi", "")
    await store.users.open(presence, Profile("ada@example.com", "Ada"))


async def befriend(store: Store) -> Store:
    await store.links.put("ada", BOB)
    await store.links.put("ada", EVE)
    return store


@pytest.fixture
async def friends(stores: tuple[Store, Store]) -> tuple[Store, Store]:
    """The user has two friends."""
    await befriend(stores[0])
    return stores


@pytest.fixture
async def box(friends: tuple[Store, Store]) -> Store:
    """The same as one node sees it."""
    return friends[0]


@pytest.fixture
async def capped(server: Valkey | None, clock: Callable[[], int]) -> AsyncIterator[Opener]:
    """Opens stores with other caps, in which the user has two friends."""
    async with AsyncExitStack() as stack:

        async def open_(caps: Caps) -> Store:
            if server is None:
                return await befriend(memory_store(Memory(clock), caps))
            view = await open_store(server.url, index_key=b"an index key for tests", caps=caps)
            stack.push_async_callback(view.close)
            return await befriend(view.ports)

        yield open_


# --- append


async def test_mail_is_stored_in_order_with_all_that_was_given(friends: tuple[Store, Store]) -> None:
    one, two = friends
    sent = mail(1, body=bytes(range(256)), reply_to="m9", trace=("h1", "h2"), expires_ms=7, nick="Bob 🦀")
    (word, first, nodes_count), (_, second, _) = await append(one, sent, 2**41), await append(two, mail(2))
    assert (word, nodes_count) == (StoredWord.STORED, 0)
    assert order(NOWHERE) < order(first) < order(second)
    page = await two.mailboxes.read("ada", NOWHERE, count=10, bytes_=1 << 20)
    assert [letter.offset for letter in page.letters] == [first, second]
    assert page.letters[0].envelope == sent
    assert (page.letters[0].until_ms, page.letters[0].size_bytes) == (2**41, len(pack(sent)))
    assert page.state.epoch
    assert page.state == MailState(page.state.epoch, second, NOWHERE, 2)
    assert not page.more


async def test_appends_of_one_node_take_effect_and_are_answered_in_order(box: Store) -> None:
    settled: list[Slip] = []
    slips = [Slip(settled.append) for _ in range(500)]
    for number, slip in enumerate(slips):
        box.mailboxes.append("ada", mail(number), LATE_MS, slip)
    assert settled == []  # nothing is called from within
    await eventually(lambda: len(settled) == 500)
    assert settled == slips
    offsets = [slip.outcomes[0][1] for slip in slips]
    assert offsets == sorted(offsets, key=order) == await waiting(box)


async def test_mailboxes_of_two_users_do_not_touch(box: Store) -> None:
    await box.links.put("zoe", BOB)
    await fill(box, 2)
    assert await box.mailboxes.post("zoe", mail(0), LATE_MS) is StoredWord.STORED
    assert (await box.mailboxes.state("zoe"))[0].waiting_count == 1
    assert (await box.mailboxes.state("ada"))[0].waiting_count == 2


async def test_whoever_has_no_link_may_not_store(box: Store) -> None:
    await box.links.end("ada", "eve", "c2")
    for stranger in ("eve", "mallory"):
        assert await append(box, mail(sender=stranger)) == (StoredWord.NOT_LINKED, "", 0)
    assert await box.mailboxes.state("ada") == (MailState(), 3)
    assert await append(box, mail(connection="of an earlier friendship")) != (StoredWord.NOT_LINKED, "", 0)


async def test_a_repeat_is_known_and_gets_the_first_answer(friends: tuple[Store, Store]) -> None:
    one, two = friends
    two.wakes.attend(Ear())
    await two.wakes.listen("ada")
    stored = await append(one, mail(1))
    two.wakes.forget("ada")
    await append(one, mail(2))
    # When it was accepted, over which friendship and under which name is no part of a message.
    again = mail(1, accepted_ms=99, connection="c9", name="robert", nick="Rob", trace=("h1",), deadline_ms=3)
    assert stored[0::2] == (StoredWord.STORED, 1)
    assert await append(two, again, 2**41) == (StoredWord.DUPLICATE, *stored[1:])
    assert len(await waiting(one)) == 2


@pytest.mark.parametrize(
    "change", [{"body": b'"other"'}, {"kind": Kind.ANSWER}, {"reply_to": "m9"}, {"expires_ms": 9}], ids=str
)
async def test_another_message_under_the_same_id_is_a_conflict(box: Store, change: dict[str, Any]) -> None:
    (offset,) = await fill(box, 1)
    assert await append(box, mail(0, **change)) == (StoredWord.CONFLICT, "", 0)
    assert await waiting(box) == [offset]


async def test_mail_past_its_time_is_not_stored_but_known_if_it_was(box: Store) -> None:
    assert await append(box, mail(), 0) == (StoredWord.LATE, "", 0)
    assert await waiting(box) == []
    first = await append(box, mail())
    assert await append(box, mail(), 0) == (StoredWord.DUPLICATE, *first[1:])


async def test_what_was_stored_is_known_also_when_it_is_gone(box: Store) -> None:
    assert not await box.mailboxes.knows("ada", "bob", "m0")
    _, offset, _ = await append(box, mail())
    await box.mailboxes.ack("ada", offset, (await box.mailboxes.state("ada"))[0].epoch)
    assert await box.mailboxes.knows("ada", "bob", "m0")
    assert not await box.mailboxes.knows("ada", "eve", "m0")


async def test_ids_of_two_senders_do_not_meet(box: Store) -> None:
    assert (await append(box, mail(1)))[0] is StoredWord.STORED
    assert (await append(box, mail(1, sender="eve", body=b"other")))[0] is StoredWord.STORED


async def test_mail_without_an_id_is_never_a_repeat(box: Store) -> None:
    assert [(await append(box, mail(id="")))[0] for _ in range(2)] == [StoredWord.STORED] * 2


async def test_a_repeat_is_known_after_the_mail_is_gone(box: Store) -> None:
    (offset,) = await fill(box, 1)
    state, _ = await box.mailboxes.state("ada")
    await box.mailboxes.ack("ada", offset, state.epoch)
    assert await append(box, mail(0)) == (StoredWord.DUPLICATE, offset, 0)
    assert await waiting(box) == []


async def test_a_repeat_is_known_for_the_dedupe_time_and_forgotten_after_twice_that(capped: Opener, pass_time) -> None:
    box = await capped(Caps(dedupe_ms=400))
    await append(box, mail(1))
    await pass_time(200)
    await append(box, mail(2))
    assert (await append(box, mail(1)))[0] is StoredWord.DUPLICATE
    await pass_time(801)
    assert (await append(box, mail(1)))[0] is StoredWord.STORED
    assert (await append(box, mail(2)))[0] is StoredWord.STORED


async def test_mail_beyond_the_count_is_refused_and_nothing_trimmed(capped: Opener) -> None:
    box = await capped(Caps(count=3, share_percent=100))
    offsets = await fill(box, 3)
    assert await append(box, mail(3)) == (StoredWord.FULL, "", 0)
    assert (await append(box, mail(2)))[0] is StoredWord.DUPLICATE
    assert await waiting(box) == offsets
    await box.mailboxes.ack("ada", offsets[0], (await box.mailboxes.state("ada"))[0].epoch)
    assert (await append(box, mail(3)))[0] is StoredWord.STORED


async def test_mail_beyond_the_bytes_is_refused(capped: Opener) -> None:
    box = await capped(Caps(bytes=3 * SIZE, share_percent=100))
    await fill(box, 2)
    assert (await append(box, mail(2, body=HELLO.body + b"x")))[0] is StoredWord.FULL
    assert (await append(box, mail(2)))[0] is StoredWord.STORED
    assert (await append(box, mail(3, body=b"")))[0] is StoredWord.FULL


@pytest.mark.parametrize("caps", [Caps(count=8), Caps(bytes=8 * SIZE), Caps(count=400, bytes=1 << 20)], ids=str)
async def test_one_sender_gets_its_share_and_another_still_has_room(capped: Opener, caps: Caps) -> None:
    box = await capped(caps)
    most = min(caps.count // 2, caps.bytes // SIZE // 2)
    offsets = await fill(box, most)
    assert (await append(box, mail(most)))[0] is StoredWord.FULL
    assert (await append(box, mail(0, sender="eve")))[0] is StoredWord.STORED
    await box.mailboxes.ack("ada", offsets[0], (await box.mailboxes.state("ada"))[0].epoch)
    assert (await append(box, mail(most)))[0] is StoredWord.STORED
    assert (await append(box, mail(most + 1)))[0] is StoredWord.FULL


async def test_one_letter_may_always_wait_even_if_it_is_more_than_a_share(capped: Opener) -> None:
    box = await capped(Caps(count=1, bytes=SIZE, share_percent=1))
    assert [(await append(box, mail(number)))[0] for number in range(2)] == [StoredWord.STORED, StoredWord.FULL]


@pytest.mark.parametrize("kind", [Kind.EXPIRED, Kind.PARKED])
async def test_a_notice_needs_no_link_and_is_told_once(store: Store, kind: Kind) -> None:
    notice = Envelope(kind, "stranger", "", 0, 5, b"", "expired:17-0")
    posted = [await store.mailboxes.post("ada", notice, LATE_MS) for _ in range(2)]
    assert posted == [StoredWord.STORED, StoredWord.DUPLICATE]
    page = await store.mailboxes.read("ada", NOWHERE, count=9, bytes_=9999)
    assert [letter.envelope for letter in page.letters] == [notice]


async def test_post_says_what_append_says(capped: Opener) -> None:
    box = await capped(Caps(count=2, share_percent=100))
    tried = [mail(1), mail(1), mail(1, body=b""), mail(2, sender="mallory"), mail(2), mail(3)]
    assert [await box.mailboxes.post("ada", envelope, LATE_MS) for envelope in tried] == [
        StoredWord.STORED,
        StoredWord.DUPLICATE,
        StoredWord.CONFLICT,
        StoredWord.NOT_LINKED,
        StoredWord.STORED,
        StoredWord.FULL,
    ]


# --- waking


@pytest.fixture
async def ear(friends: tuple[Store, Store]) -> Ear:
    """The other node listens for the user."""
    ear = Ear()
    friends[1].wakes.attend(ear)
    await friends[1].wakes.listen("ada")
    return ear


async def test_a_node_that_listens_is_woken_with_the_mail_and_finds_it(friends: tuple[Store, Store], ear: Ear) -> None:
    one, two = friends
    filed = [await append(one, mail(number)) for number in range(2)]
    await eventually(lambda: len(ear.heard) == 2)
    state, _ = await two.mailboxes.state("ada")
    (_, first, nodes_count), (_, second, _) = filed
    assert nodes_count == 1
    assert ear.heard == [Mail(state.epoch, NOWHERE, first, mail(0)), Mail(state.epoch, first, second, mail(1))]
    assert ear.sizes[0] >= len(HELLO.body)
    assert await waiting(two) == [first, second]


async def test_a_large_envelope_is_left_out_of_the_wake(capped: Opener) -> None:
    box, ear = await capped(Caps(inline_bytes=SIZE)), Ear()
    box.wakes.attend(ear)
    await box.wakes.listen("ada")
    await append(box, mail(1))
    await append(box, mail(2, body=HELLO.body + b"x"))
    await eventually(lambda: len(ear.heard) == 2)
    assert [wake.envelope for wake in ear.heard] == [mail(1), None]


async def test_only_what_is_stored_wakes_and_in_order_with_links(friends: tuple[Store, Store], ear: Ear) -> None:
    one, _ = friends
    await append(one, mail(1))
    await append(one, mail(1))
    await append(one, mail(1, sender="mallory"))
    await one.links.put("ada", BOB, notice=Notice.QUIET)
    await append(one, mail(2))
    await eventually(lambda: len(ear.heard) == 3)
    assert [type(wake).__name__ for wake in ear.heard] == ["Mail", "Linked", "Mail"]


# --- state, read, ack


async def test_where_nothing_ever_was_there_is_no_epoch_and_nothing_to_do(store: Store) -> None:
    boxes = store.mailboxes
    assert await boxes.state("ada") == (MailState(), 0)
    assert (await boxes.read("ada", NOWHERE, count=9, bytes_=9)).letters == ()
    assert await boxes.ack("ada", NOWHERE, "")
    assert not await boxes.ack("ada", NOWHERE, "17")
    assert await boxes.attempt("ada", "17-0", most=1) == 0
    assert await boxes.expire("ada") == 0
    assert await boxes.purge("ada", "bob") == 0
    assert await boxes.ended("ada") == ()
    await boxes.told("ada", "17-0")
    assert await boxes.trim_parked("ada", before_ms=LATE_MS) == 0
    assert await boxes.state("ada") == (MailState(), 0)


async def test_the_state_comes_with_the_revision_of_the_table(box: Store) -> None:
    (offset,) = await fill(box, 1)
    state, rev = await box.mailboxes.state("ada")
    assert (state.last, state.acked, state.waiting_count, rev) == (offset, NOWHERE, 1, 2)
    assert rev == (await box.links.table("ada"))[0]


async def test_a_page_begins_after_an_offset_and_says_whether_there_is_more(box: Store) -> None:
    offsets = await fill(box, 30)
    for after, count, expected, more in (
        (NOWHERE, 10, offsets[:10], True),
        (offsets[9], 20, offsets[10:], False),
        (offsets[9], 19, offsets[10:29], True),
        (offsets[28], 100, offsets[29:], False),
        (offsets[29], 100, [], False),
    ):
        page = await box.mailboxes.read("ada", after, count=count, bytes_=1 << 20)
        assert ([letter.offset for letter in page.letters], page.more) == (expected, more)
        assert (page.state.last, page.state.waiting_count) == (offsets[29], 30)


async def test_a_page_holds_no_more_bytes_than_asked_for_but_one_letter(box: Store) -> None:
    offsets = [(await append(box, mail(number, body=b"x" * 100)))[1] for number in range(3)]
    size = len(pack(mail(1, body=b"x" * 100)))
    for bytes_, count in ((0, 1), (size, 1), (2 * size - 1, 1), (2 * size, 2), (3 * size, 3)):
        page = await box.mailboxes.read("ada", NOWHERE, count=9, bytes_=bytes_)
        assert ([letter.offset for letter in page.letters], page.more) == (offsets[:count], count < 3)


async def test_an_ack_removes_everything_up_to_its_offset(box: Store) -> None:
    offsets = await fill(box, 70)
    epoch = (await box.mailboxes.state("ada"))[0].epoch
    for upto in (0, 1, 66, 69):
        assert await box.mailboxes.ack("ada", offsets[upto], epoch)
        assert await waiting(box) == offsets[upto + 1 :]
        expected = MailState(epoch, offsets[69], offsets[upto], 69 - upto)
        assert (await box.mailboxes.state("ada"))[0] == expected


async def test_an_older_ack_changes_nothing_and_another_epoch_neither(box: Store) -> None:
    offsets = await fill(box, 3)
    epoch = (await box.mailboxes.state("ada"))[0].epoch
    assert await box.mailboxes.ack("ada", offsets[1], epoch)
    before = await box.mailboxes.state("ada")
    assert await box.mailboxes.ack("ada", offsets[0], epoch)
    assert await box.mailboxes.ack("ada", offsets[1], epoch)
    assert not await box.mailboxes.ack("ada", offsets[2], epoch + "1")
    assert not await box.mailboxes.ack("ada", offsets[2], "")
    assert await box.mailboxes.state("ada") == before
    assert await waiting(box) == offsets[2:]


async def test_an_ack_beyond_the_newest_mail_goes_as_far_as_there_is_mail(box: Store) -> None:
    offsets = await fill(box, 2)
    epoch = (await box.mailboxes.state("ada"))[0].epoch
    assert await box.mailboxes.ack("ada", f"{LATE_MS}-0", epoch)
    assert (await box.mailboxes.state("ada"))[0] == MailState(epoch, offsets[1], offsets[1], 0)
    newer = await append(box, mail(7))
    assert await waiting(box) == [newer[1]]


async def test_no_offset_is_used_twice_though_the_mailbox_is_emptied_in_between(box: Store) -> None:
    offsets = []
    for number in range(50):
        offsets.append((await append(box, mail(number)))[1])
        await box.mailboxes.ack("ada", offsets[-1], (await box.mailboxes.state("ada"))[0].epoch)
    assert offsets == sorted(set(offsets), key=order)


# --- what ends otherwise


def ended(offset: Offset, fate: Fate, number: int = 0) -> Undelivered:
    return Undelivered(offset, fate, Kind.QUESTION, "bob", f"m{number}")


async def test_attempts_are_counted_and_beyond_the_most_the_letter_is_parked(box: Store) -> None:
    first, second = await fill(box, 2)
    assert [await box.mailboxes.attempt("ada", first, most=3) for _ in range(4)] == [1, 2, 3, 0]
    assert await waiting(box) == [second]
    assert await box.mailboxes.ended("ada") == (ended(first, Fate.PARKED),)
    assert await box.mailboxes.attempt("ada", first, most=3) == 0
    assert await box.mailboxes.attempt("ada", second, most=3) == 1
    state, _ = await box.mailboxes.state("ada")
    assert (state.last, state.waiting_count) == (second, 1)


async def test_an_ack_forgets_attempts_and_keeps_those_of_what_still_waits(box: Store) -> None:
    offsets = await fill(box, 2)
    for offset in offsets:
        await box.mailboxes.attempt("ada", offset, most=9)
    await box.mailboxes.ack("ada", offsets[0], (await box.mailboxes.state("ada"))[0].epoch)
    assert [await box.mailboxes.attempt("ada", offset, most=9) for offset in offsets] == [0, 2]


async def test_parked_letters_are_kept_until_they_were_parked_long_ago(box: Store) -> None:
    for offset in await fill(box, 3):
        await box.mailboxes.attempt("ada", offset, most=0)
    assert await box.mailboxes.trim_parked("ada", before_ms=PAST_MS) == 0
    assert [await box.mailboxes.trim_parked("ada", before_ms=LATE_MS) for _ in range(2)] == [3, 0]


async def test_mail_past_its_time_ends_and_the_rest_says_when_it_will(box: Store) -> None:
    old = (await append(box, mail(0), PAST_MS))[1]
    kept = [(await append(box, mail(1), LATE_MS + 5))[1], (await append(box, mail(2), LATE_MS))[1]]
    assert [await box.mailboxes.expire("ada") for _ in range(2)] == [LATE_MS] * 2
    assert await waiting(box) == kept
    assert await box.mailboxes.ended("ada") == (ended(old, Fate.EXPIRED),)
    state, _ = await box.mailboxes.state("ada")
    assert (state.acked, state.last, state.waiting_count) == (NOWHERE, kept[1], 2)


async def test_nothing_is_left_to_expire(box: Store) -> None:
    offsets = await fill(box, 40, PAST_MS)
    assert await box.mailboxes.expire("ada") == 0
    assert [one.offset for one in await box.mailboxes.ended("ada")] == offsets
    assert (await append(box, mail(99)))[0] is StoredWord.STORED


async def test_only_the_oldest_are_looked_at_and_more_behind_them_is_to_be_looked_at_at_once(box: Store) -> None:
    offsets = await fill(box, 20, PAST_MS)
    again_ms = await box.mailboxes.expire("ada", count=12)
    assert PAST_MS < again_ms < LATE_MS
    assert await waiting(box) == offsets[12:]
    assert await box.mailboxes.expire("ada", count=12) == 0


async def test_while_there_is_a_session_only_that_one_ends_mail(box: Store) -> None:
    offsets = await fill(box, 1, PAST_MS)
    await come(box)
    for sid in ("", "another"):
        assert PAST_MS < await box.mailboxes.expire("ada", sid=sid) < LATE_MS
    assert await waiting(box) == offsets
    assert await box.mailboxes.expire("ada", sid="s1") == 0
    assert await waiting(box) == []


async def test_a_session_that_has_gone_does_not_keep_mail(box: Store) -> None:
    await come(box)
    await fill(box, 1, PAST_MS)
    await box.users.close("ada", "s1", grace_ms=0)
    assert await box.mailboxes.expire("ada") == 0
    assert len(await box.mailboxes.ended("ada")) == 1


async def test_a_purge_removes_the_mail_of_one_sender_and_nobody_is_told(box: Store) -> None:
    await fill(box, 150)
    eves = await append(box, mail(0, sender="eve"))
    assert [await box.mailboxes.purge("ada", "bob") for _ in range(2)] == [150, 0]
    assert await waiting(box) == [eves[1]]
    assert await box.mailboxes.ended("ada") == ()
    assert (await box.mailboxes.state("ada"))[0].waiting_count == 1


async def test_a_fate_is_named_until_its_sender_is_told(box: Store) -> None:
    offsets = await fill(box, 3, PAST_MS)
    await box.mailboxes.expire("ada")
    for _ in range(2):
        await box.mailboxes.told("ada", offsets[1])
    fates = await box.mailboxes.ended("ada")
    assert fates == (ended(offsets[0], Fate.EXPIRED, 0), ended(offsets[2], Fate.EXPIRED, 2))


async def test_fates_come_in_portions(box: Store) -> None:
    offsets = await fill(box, 300, PAST_MS)
    while await box.mailboxes.expire("ada"):
        pass
    named: set[Offset] = set()
    while fates := await box.mailboxes.ended("ada"):
        assert len(fates) <= 256
        for fate in fates:
            named.add(fate.offset)
            await box.mailboxes.told("ada", fate.offset)
    assert named == set(offsets)


async def test_a_notice_that_ends_causes_no_notice(store: Store) -> None:
    for number, kind in enumerate((Kind.EXPIRED, Kind.PARKED)):
        await store.mailboxes.post("ada", Envelope(kind, "bob", "", 0, 5, b"", f"n{number}"), PAST_MS)
    first = (await waiting(store))[0]
    assert await store.mailboxes.attempt("ada", first, most=0) == 0
    assert await store.mailboxes.expire("ada") == 0
    assert await waiting(store) == []
    assert await store.mailboxes.ended("ada") == ()
