"""What ``exchange.ports.Dues`` promises."""

from exchange.core.ids import NOWHERE
from exchange.core.model import Envelope, Kind, Link
from exchange.ports import Store, StoredWord

LATE_MS = 4_000_000_000_000
"""A moment that is far ahead on every clock."""


async def test_nobody_is_due_before_the_moment_has_come(store: Store) -> None:
    await store.dues.note("ada", LATE_MS)
    assert await store.dues.due(count=9) == ()


async def test_the_longest_overdue_come_first_and_no_more_than_asked_for(stores: tuple[Store, Store]) -> None:
    for number in range(50):
        await stores[0].dues.note(f"u{number}", 1 + (number * 7) % 50)
    due = await stores[1].dues.due(count=20)
    assert [at_ms for _, at_ms in due] == list(range(1, 21))
    assert due[1] == ("u43", 2)
    assert len(await stores[1].dues.due(count=99)) == 50


async def test_an_earlier_note_stays(store: Store) -> None:
    for at_ms in (7, 9, 5, 6):
        await store.dues.note("ada", at_ms)
    assert await store.dues.due(count=9) == (("ada", 5),)


async def test_who_was_looked_at_is_due_again_at_the_next_moment_or_never(store: Store) -> None:
    await store.dues.note("ada", 5)
    await store.dues.note("zoe", 6)
    await store.dues.settle("ada", 5, 8)
    await store.dues.settle("zoe", 6, 0)
    assert await store.dues.due(count=9) == (("ada", 8),)
    await store.dues.settle("ada", 8, LATE_MS)
    assert await store.dues.due(count=9) == ()


async def test_an_earlier_note_made_meanwhile_is_not_settled(store: Store) -> None:
    await store.dues.note("ada", 5)
    await store.dues.note("ada", 3)
    for next_ms in (0, 8, LATE_MS):
        await store.dues.settle("ada", 5, next_ms)
        assert await store.dues.due(count=9) == (("ada", 3),)


async def test_the_next_moment_of_somebody_who_was_settled_meanwhile_is_noted(store: Store) -> None:
    await store.dues.settle("ada", 5, 8)
    await store.dues.settle("zoe", 5, 0)
    assert await store.dues.due(count=9) == (("ada", 8),)


async def test_owners_are_those_with_mail_parked_letters_or_somebody_to_be_told(store: Store) -> None:
    boxes = store.mailboxes
    for uid in ("waiting", "parked", "told", "fate", "emptied"):
        await store.links.put(uid, Link("bob", "c1", "bob", "Bob", persist=True))
        mail = Envelope(Kind.QUESTION, "bob", "c1", 0, 5, b"", "m1")
        until_ms = 1 if uid in {"fate", "told"} else LATE_MS
        assert await boxes.post(uid, mail, until_ms) is StoredWord.STORED
    await store.links.put("friend", Link("bob", "c1", "bob", "Bob", persist=True))
    for uid in ("parked", "told", "fate", "emptied"):
        page = await boxes.read(uid, NOWHERE, count=1, bytes_=999)
        (offset,) = (letter.offset for letter in page.letters)
        if uid == "parked":
            await boxes.attempt(uid, offset, most=0)
            await boxes.told(uid, offset)
        elif uid == "emptied":
            await boxes.ack(uid, offset, page.state.epoch)
        else:
            await boxes.expire(uid)
        if uid == "told":
            await boxes.told(uid, offset)
    assert {uid async for uid in store.dues.owners()} == {"waiting", "parked", "fate"}


async def test_a_store_without_mail_has_no_owners(store: Store) -> None:
    assert [uid async for uid in store.dues.owners()] == []
