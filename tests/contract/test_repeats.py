"""What ``exchange.ports.Repeats`` promises."""

import asyncio

import pytest

from exchange.core.errors import IdReused
from exchange.ports import Store

REPLY = b"\x00\xff= kept as it came"
ONE, TWO = "0123456789abcdef", "fedcba9876543210"


async def kept(store: Store, uid: str = "u1", id_: str = "m1", reply: bytes = REPLY) -> None:
    assert await store.repeats.reserve(uid, id_, "s1", ONE) is None
    await store.repeats.keep(uid, id_, "s1", ONE, reply)


async def test_a_new_id_may_proceed(store: Store) -> None:
    assert await store.repeats.reserve("u1", "m1", "s1", ONE) is None


async def test_a_kept_reply_answers_every_repeat(stores: tuple[Store, Store]) -> None:
    one, two = stores
    await kept(one)
    assert await one.repeats.reserve("u1", "m1", "s1", ONE) == REPLY
    assert await two.repeats.reserve("u1", "m1", "s2", ONE) == REPLY


async def test_an_empty_reply_is_a_reply(store: Store) -> None:
    await kept(store, reply=b"")
    assert await store.repeats.reserve("u1", "m1", "s1", ONE) == b""


@pytest.mark.parametrize("sid", ["s1", "s2"], ids=["same session", "another session"])
async def test_a_reservation_without_a_reply_is_taken_over(stores: tuple[Store, Store], sid: str) -> None:
    one, two = stores
    await one.repeats.reserve("u1", "m1", "s1", ONE)
    assert await two.repeats.reserve("u1", "m1", sid, ONE) is None
    await two.repeats.keep("u1", "m1", sid, ONE, REPLY)
    assert await one.repeats.reserve("u1", "m1", "s1", ONE) == REPLY


async def test_an_id_that_was_reserved_for_another_request_is_reused(stores: tuple[Store, Store]) -> None:
    one, two = stores
    await one.repeats.reserve("u1", "m1", "s1", ONE)
    for sid in ("s1", "s2"):
        with pytest.raises(IdReused):
            await two.repeats.reserve("u1", "m1", sid, TWO)
    await one.repeats.keep("u1", "m1", "s1", ONE, REPLY)
    with pytest.raises(IdReused):
        await two.repeats.reserve("u1", "m1", "s1", TWO)
    assert await one.repeats.reserve("u1", "m1", "s1", ONE) == REPLY


async def test_a_reply_is_kept_for_the_session_that_has_the_id_reserved_only(stores: tuple[Store, Store]) -> None:
    one, two = stores
    await one.repeats.keep("u1", "m1", "s1", ONE, REPLY)
    await one.repeats.reserve("u1", "m1", "s1", ONE)
    await two.repeats.reserve("u1", "m1", "s2", ONE)
    await one.repeats.keep("u1", "m1", "s1", ONE, b"too late")
    await two.repeats.keep("u1", "m1", "s2", TWO, b"another request")
    assert await one.repeats.reserve("u1", "m1", "s3", ONE) is None


async def test_the_first_reply_stays(store: Store) -> None:
    await kept(store)
    await store.repeats.keep("u1", "m1", "s1", ONE, b"a second one")
    await store.repeats.drop("u1", "m1", "s1")
    assert await store.repeats.reserve("u1", "m1", "s1", ONE) == REPLY


async def test_a_dropped_reservation_may_be_tried_again_with_another_request(store: Store) -> None:
    await store.repeats.reserve("u1", "m1", "s1", ONE)
    await store.repeats.drop("u1", "m1", "s1")
    assert await store.repeats.reserve("u1", "m1", "s2", TWO) is None


async def test_only_the_own_reservation_is_dropped(store: Store) -> None:
    await store.repeats.drop("u1", "m1", "s1")
    await store.repeats.reserve("u1", "m1", "s1", ONE)
    for sid in ("s2", ""):
        await store.repeats.drop("u1", "m1", sid)
    with pytest.raises(IdReused):
        await store.repeats.reserve("u1", "m1", "s1", TWO)


async def test_ids_belong_to_their_user(store: Store) -> None:
    await kept(store)
    assert await store.repeats.reserve("u2", "m1", "s1", TWO) is None
    assert await store.repeats.reserve("u1", "m2", "s1", TWO) is None


async def test_of_fifty_simultaneous_requests_under_one_id_one_proceeds(stores: tuple[Store, Store]) -> None:
    digests = [f"{i:016}" for i in range(50)]
    outcomes = await asyncio.gather(
        *(stores[i % 2].repeats.reserve("u1", "m1", f"s{i}", digest) for i, digest in enumerate(digests)),
        return_exceptions=True,
    )
    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, IdReused) for outcome in outcomes) == 49


async def test_any_text_is_an_id(store: Store) -> None:
    ids = ["", "=", "?", "{x}", "a:b", "ö 漢 \0 \n", "x" * 10_000]
    await asyncio.gather(*(kept(store, "u1", id_, f"reply {n}".encode()) for n, id_ in enumerate(ids)))
    replies = [await store.repeats.reserve("u1", id_, "s1", ONE) for id_ in ids]
    assert replies == [f"reply {n}".encode() for n in range(len(ids))]
