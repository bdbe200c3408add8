"""What ``exchange.ports.Histories`` promises."""

from dataclasses import replace

from exchange.core.ids import order
from exchange.core.model import Kind, Record
from exchange.ports import Store

LATE_MS = 4_000_000_000_000
"""A moment that is far ahead on every clock."""
LONG_MS = 3_600_000


def said(number: int, **changes: object) -> Record:
    return replace(Record(number, "", True, Kind.QUESTION, f"m{number}", "", b'"hello"'), **changes)


async def tell(store: Store, count: int, connection: str = "c1") -> None:
    for number in range(count):
        await store.histories.add("ada", connection, said(number), keep_ms=LONG_MS)


async def read(store: Store, before: str = "", count: int = 99, connection: str = "c1") -> tuple[list[int], bool]:
    records, more = await store.histories.read("ada", connection, before, count=count)
    return [record.at_ms for record in records], more


async def test_a_record_comes_out_as_it_went_in_but_for_its_offset(stores: tuple[Store, Store]) -> None:
    sent = said(5, offset="ignored", mine=False, kind=Kind.ANSWER, reply_to="m0", body=bytes(range(256)))
    await stores[0].histories.add("ada", "c1", sent, keep_ms=LONG_MS)
    ((record,), more) = await stores[1].histories.read("ada", "c1", "", count=9)
    assert replace(record, offset="ignored") == sent
    assert order(record.offset) > (0, 0)
    assert not more


async def test_the_newest_records_come_oldest_first_page_by_page(store: Store) -> None:
    await tell(store, 7)
    page, more = await store.histories.read("ada", "c1", "", count=3)
    assert ([record.at_ms for record in page], more) == ([4, 5, 6], True)
    assert await read(store, page[0].offset, 3) == ([1, 2, 3], True)
    assert await read(store, page[0].offset, 4) == ([0, 1, 2, 3], False)
    assert await read(store, count=7) == (list(range(7)), False)


async def test_there_is_nothing_before_the_first_record_and_in_no_history(store: Store) -> None:
    await tell(store, 1)
    ((record,), _) = await store.histories.read("ada", "c1", "", count=1)
    assert await read(store, record.offset) == ([], False)
    assert await read(store, connection="c9") == ([], False)


async def test_histories_of_two_friendships_do_not_touch(store: Store) -> None:
    await tell(store, 2, "c1")
    await tell(store, 3, "c2")
    await store.histories.add("zoe", "c1", said(9), keep_ms=LONG_MS)
    await store.histories.drop("ada", "c2")
    assert await read(store, connection="c1") == ([0, 1], False)
    assert await read(store, connection="c2") == ([], False)


async def test_a_history_that_is_not_there_is_dropped_all_the_same(store: Store) -> None:
    await store.histories.drop("ada", "c1")


async def test_adding_twice_adds_twice(store: Store) -> None:
    for _ in range(2):
        await store.histories.add("ada", "c1", said(1), keep_ms=LONG_MS)
    assert await read(store) == ([1, 1], False)


async def test_a_record_goes_when_it_was_kept_long_enough_and_another_is_added(store: Store, pass_time) -> None:
    await store.histories.add("ada", "c1", said(1), keep_ms=300)
    await pass_time(310)
    await store.histories.add("ada", "c1", said(2), keep_ms=300)
    assert await read(store) == ([2], False)


async def test_a_trim_removes_what_is_older_than_a_moment_from_all_histories(store: Store, pass_time) -> None:
    await tell(store, 2, "c1")
    await tell(store, 1, "c2")
    await pass_time(5)
    await store.histories.add("ada", "c1", said(7), keep_ms=LONG_MS)
    (*_, newest), _ = await store.histories.read("ada", "c1", "", count=9)
    before_ms = order(newest.offset)[0]
    assert [await store.histories.trim(before_ms=before_ms) for _ in range(2)] == [3, 0]
    assert await read(store, connection="c1") == ([7], False)
    assert await read(store, connection="c2") == ([], False)
    assert await store.histories.trim(before_ms=LATE_MS) == 1
    assert await read(store, connection="c1") == ([], False)
