"""What ``exchange.ports.Limits`` promises."""

import asyncio

from exchange.ports import Store
from tests.contract.conftest import PassTime

SLOW = 1
"""Tokens a minute: none comes back while a test runs."""
FAST = 3_000
"""One token in 20 ms."""
LONG_MS = 60_000
SHORT_MS = 150


async def take(store: Store, per_minute: int = SLOW, burst: int = 3, uid: str = "u1", action: str = "ask") -> int:
    return await store.limits.take(uid, action, per_minute=per_minute, burst=burst)


async def give_back(store: Store, per_minute: int = SLOW, burst: int = 3) -> None:
    await store.limits.give_back("u1", "ask", per_minute=per_minute, burst=burst)


async def test_a_burst_is_free_and_then_the_wait_is_told(stores: tuple[Store, Store]) -> None:
    one, two = stores
    assert [await take(one), await take(two), await take(one)] == [0, 0, 0]
    wait_ms = await take(two)
    assert 30_000 < wait_ms <= 60_000


async def test_a_refused_take_costs_nothing(store: Store) -> None:
    assert await take(store, burst=1) == 0
    first, second = await take(store, burst=1), await take(store, burst=1)
    assert 0 < second <= first


async def test_simultaneous_takes_never_exceed_the_burst(stores: tuple[Store, Store]) -> None:
    waits = await asyncio.gather(*(take(stores[turn % 2], burst=10) for turn in range(50)))
    assert waits.count(0) == 10


async def test_tokens_come_back_with_time(store: Store, pass_time: PassTime) -> None:
    assert await take(store, FAST, burst=1) == 0
    wait_ms = await take(store, FAST, burst=1)
    assert wait_ms <= 20
    await pass_time(wait_ms)
    assert await take(store, FAST, burst=1) == 0


async def test_no_more_than_a_burst_comes_back(store: Store, pass_time: PassTime) -> None:
    assert await take(store, per_minute=120, burst=1) == 0
    await pass_time(1_010)
    # Two tokens' time has gone by.
    assert await take(store, per_minute=120, burst=1) == 0
    assert await take(store, per_minute=120, burst=1) > 0


async def test_a_token_given_back_can_be_taken(store: Store) -> None:
    assert [await take(store, burst=1), await take(store, burst=1) > 0] == [0, True]
    await give_back(store, burst=1)
    assert await take(store, burst=1) == 0


async def test_giving_back_never_makes_more_than_the_burst(store: Store) -> None:
    for _ in range(5):
        await give_back(store, burst=2)
    assert [await take(store, burst=2), await take(store, burst=2)] == [0, 0]
    assert await take(store, burst=2) > 0


async def test_a_smaller_burst_holds_for_a_bucket_that_was_larger(store: Store) -> None:
    assert await take(store, burst=10) == 0
    assert await take(store, burst=1) == 0
    assert await take(store, burst=1) > 0


async def test_users_and_actions_have_buckets_of_their_own(store: Store) -> None:
    assert await take(store, burst=1) == 0
    assert await take(store, burst=1, uid="u2") == 0
    assert await take(store, burst=1, action="redeem") == 0
    assert await take(store, burst=1) > 0


async def test_failures_are_counted_for_the_cluster(stores: tuple[Store, Store]) -> None:
    one, two = stores
    assert await one.limits.failures("10.0.0.1", "redeem") == 0
    assert await one.limits.fail("10.0.0.1", "redeem", window_ms=LONG_MS) == 1
    assert await two.limits.fail("10.0.0.1", "redeem", window_ms=LONG_MS) == 2
    assert await one.limits.failures("10.0.0.1", "redeem") == 2


async def test_simultaneous_failures_are_all_counted(stores: tuple[Store, Store]) -> None:
    counts = await asyncio.gather(
        *(stores[turn % 2].limits.fail("10.0.0.1", "redeem", window_ms=LONG_MS) for turn in range(50))
    )
    assert sorted(counts) == list(range(1, 51))


async def test_addresses_and_actions_have_windows_of_their_own(store: Store) -> None:
    await store.limits.fail("10.0.0.1", "redeem", window_ms=LONG_MS)
    assert await store.limits.failures("10.0.0.2", "redeem") == 0
    assert await store.limits.failures("10.0.0.1", "login") == 0


async def test_a_window_ends_for_all_its_failures_together(store: Store, pass_time: PassTime) -> None:
    for _ in range(3):
        await store.limits.fail("10.0.0.1", "redeem", window_ms=SHORT_MS)
    await pass_time(SHORT_MS)
    assert await store.limits.failures("10.0.0.1", "redeem") == 0


async def test_later_failures_do_not_extend_the_window(store: Store, pass_time: PassTime) -> None:
    await store.limits.fail("10.0.0.1", "redeem", window_ms=SHORT_MS)
    await store.limits.fail("10.0.0.1", "redeem", window_ms=LONG_MS)
    await pass_time(SHORT_MS)
    assert await store.limits.fail("10.0.0.1", "redeem", window_ms=SHORT_MS) == 1


async def slide(store: Store, most: int = 2, address: str = "10.0.0.1", window_ms: int = LONG_MS) -> int:
    return await store.limits.slide(address, "register", most=most, window_ms=window_ms)


async def test_so_often_and_no_more_within_any_window_and_the_wait_is_told(stores: tuple[Store, Store]) -> None:
    one, two = stores
    assert [await slide(one), await slide(two)] == [0, 0]
    for store in stores:
        assert 0 < await slide(store) <= LONG_MS


async def test_simultaneous_uses_never_exceed_what_is_allowed(stores: tuple[Store, Store]) -> None:
    waits = await asyncio.gather(*(slide(stores[turn % 2], most=32) for turn in range(80)))
    assert waits.count(0) == 32


async def test_the_window_slides_over_each_use(store: Store, pass_time: PassTime) -> None:
    assert await slide(store, window_ms=300) == 0
    await pass_time(150)
    assert await slide(store, window_ms=300) == 0
    wait_ms = await slide(store, window_ms=300)
    assert 0 < wait_ms <= 150
    await pass_time(wait_ms)
    # The first use has left the window, the second has not.
    assert await slide(store, window_ms=300) == 0
    assert await slide(store, window_ms=LONG_MS) > 0


async def test_a_refused_use_does_not_count(store: Store, pass_time: PassTime) -> None:
    assert await slide(store, most=1, window_ms=SHORT_MS) == 0
    first = await slide(store, most=1, window_ms=SHORT_MS)
    assert 0 < await slide(store, most=1, window_ms=SHORT_MS) <= first
    await pass_time(first)
    assert await slide(store, most=1, window_ms=SHORT_MS) == 0


async def test_what_is_allowed_never_is_refused_at_once(store: Store) -> None:
    assert await slide(store, most=0) > 0


async def test_addresses_slide_alone_but_those_of_one_ipv6_network_together(store: Store) -> None:
    assert await slide(store, most=1) == 0
    assert await slide(store, most=1, address="10.0.0.2") == 0
    assert await slide(store, most=1, address="2001:db8::1") == 0
    assert await slide(store, most=1, address="2001:db8:0:0:9::1") > 0
    assert await slide(store, most=1, address="2001:db8:0:1::1") == 0


async def test_uses_and_failures_of_one_action_do_not_meet(store: Store) -> None:
    assert await slide(store) == 0
    assert await store.limits.fail("10.0.0.1", "register", window_ms=LONG_MS) == 1
    assert await slide(store) == 0
