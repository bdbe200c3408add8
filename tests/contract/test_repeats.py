"""What ``exchange.ports.Repeats`` promises."""

import asyncio

import pytest

from exchange.ports import Store

REPLY = b"\x00\xff= kept as it came"


async def test_a_new_id_may_proceed(store: Store) -> None:
    assert await store.repeats.reserve("u1", "m1", "s1") is None


async def test_a_kept_reply_answers_every_repeat(stores: tuple[Store, Store]) -> None:
    one, two = stores
    await one.repeats.reserve("u1", "m1", "s1")
    await one.repeats.keep("u1", "m1", REPLY)
    assert await one.repeats.reserve("u1", "m1", "s1") == REPLY
    assert await two.repeats.reserve("u1", "m1", "s2") == REPLY


async def test_an_empty_reply_is_a_reply(store: Store) -> None:
    await store.repeats.reserve("u1", "m1", "s1")
    await store.repeats.keep("u1", "m1", b"")
    assert await store.repeats.reserve("u1", "m1", "s1") == b""


@pytest.mark.parametrize("sid", ["s1", "s2"], ids=["same session", "another session"])
async def test_a_reservation_without_a_reply_is_taken_over(stores: tuple[Store, Store], sid: str) -> None:
    one, two = stores
    await one.repeats.reserve("u1", "m1", "s1")
    assert await two.repeats.reserve("u1", "m1", sid) is None
    await two.repeats.keep("u1", "m1", REPLY)
    assert await one.repeats.reserve("u1", "m1", "s1") == REPLY


async def test_a_dropped_reservation_may_be_tried_again(store: Store) -> None:
    await store.repeats.reserve("u1", "m1", "s1")
    await store.repeats.drop("u1", "m1")
    assert await store.repeats.reserve("u1", "m1", "s2") is None


async def test_ids_belong_to_their_user(store: Store) -> None:
    await store.repeats.reserve("u1", "m1", "s1")
    await store.repeats.keep("u1", "m1", REPLY)
    assert await store.repeats.reserve("u2", "m1", "s1") is None
    assert await store.repeats.reserve("u1", "m2", "s1") is None


async def test_any_text_is_an_id(store: Store) -> None:
    ids = ["", "=", "?", "{x}", "a:b", "ö 漢 \0 \n", "x" * 10_000]
    await asyncio.gather(*(store.repeats.keep("u1", id_, f"reply {n}".encode()) for n, id_ in enumerate(ids)))
    kept = [await store.repeats.reserve("u1", id_, "s1") for id_ in ids]
    assert kept == [f"reply {n}".encode() for n in range(len(ids))]
