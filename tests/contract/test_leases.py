"""What ``exchange.ports.Leases`` promises."""

import asyncio
from dataclasses import replace

import pytest

from exchange.core.model import NodeInfo, Presence
from exchange.ports import Store
from tests.contract.conftest import PassTime

ONE = NodeInfo("n1", "0.1.0", 1_700_000_000_000)
TWO = NodeInfo("n2", "0.2.0", 1_700_000_000_001)
LONG_MS = 60_000
SHORT_MS = 100


def session(sid: str, node: str = "n1", name: str = "ada") -> Presence:
    return Presence(sid, f"u-{sid}", name, node, "magi", address="")


async def noted(store: Store, node: str = "n1") -> dict[str, Presence]:
    return {presence.sid: presence async for presence in store.leases.noted(node)}


async def lapse(store: Store, pass_time: PassTime, node: NodeInfo = ONE) -> None:
    assert await store.leases.renew(node, ttl_ms=SHORT_MS, draining=False)
    await pass_time(SHORT_MS)


async def test_a_renewed_node_is_alive_for_everybody(stores: tuple[Store, Store]) -> None:
    one, two = stores
    assert not await two.leases.alive("n1")
    assert await one.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    assert await two.leases.alive("n1")
    assert await two.leases.nodes() == (ONE,)
    assert await two.leases.lapsed() == ()


async def test_all_nodes_with_a_lease_are_listed(stores: tuple[Store, Store]) -> None:
    await stores[0].leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    await stores[1].leases.renew(TWO, ttl_ms=LONG_MS, draining=False)
    assert set(await stores[0].leases.nodes()) == {ONE, TWO}


async def test_a_draining_node_lives(store: Store) -> None:
    assert await store.leases.renew(ONE, ttl_ms=LONG_MS, draining=True)
    assert await store.leases.alive("n1")
    assert await store.leases.nodes() == (ONE,)


async def test_a_draining_node_serves_no_more(stores: tuple[Store, Store], pass_time: PassTime) -> None:
    one, two = stores
    await one.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    await two.leases.renew(TWO, ttl_ms=SHORT_MS, draining=False)
    assert set(await one.leases.serving()) == {ONE, TWO}
    await one.leases.renew(ONE, ttl_ms=LONG_MS, draining=True)
    assert await two.leases.serving() == (TWO,)
    await pass_time(SHORT_MS)
    assert await one.leases.serving() == ()
    assert await one.leases.nodes() == (ONE,)


async def test_a_lease_that_is_not_renewed_lapses(stores: tuple[Store, Store], pass_time: PassTime) -> None:
    one, two = stores
    await lapse(one, pass_time)
    assert not await two.leases.alive("n1")
    assert await two.leases.nodes() == ()
    assert await two.leases.lapsed() == ("n1",)


async def test_renewing_extends_the_lease(store: Store, pass_time: PassTime) -> None:
    await store.leases.renew(ONE, ttl_ms=SHORT_MS, draining=False)
    await store.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    await pass_time(SHORT_MS)
    assert await store.leases.alive("n1")


async def test_a_lapsed_node_that_was_not_reaped_comes_back(store: Store, pass_time: PassTime) -> None:
    await lapse(store, pass_time)
    assert await store.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    assert await store.leases.lapsed() == ()


async def test_a_node_that_left_in_order_is_neither_alive_nor_lapsed(stores: tuple[Store, Store]) -> None:
    one, two = stores
    await one.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    await one.leases.leave("n1")
    assert not await two.leases.alive("n1")
    assert await two.leases.nodes() == ()
    assert await two.leases.lapsed() == ()
    assert not await two.leases.reap("n1")


async def test_a_node_that_left_may_enter_again(store: Store) -> None:
    await store.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    await store.leases.leave("n1")
    assert await store.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    assert await store.leases.alive("n1")


async def test_a_living_node_is_not_reaped(stores: tuple[Store, Store]) -> None:
    one, two = stores
    await one.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    assert not await two.leases.reap("n1")
    assert await one.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)


async def test_a_reaped_node_is_fenced(stores: tuple[Store, Store], pass_time: PassTime) -> None:
    one, two = stores
    await lapse(one, pass_time)
    assert await two.leases.reap("n1")
    assert not await one.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    assert not await one.leases.alive("n1")


async def test_a_reaped_node_is_fenced_even_after_it_was_forgotten(
    stores: tuple[Store, Store], pass_time: PassTime
) -> None:
    one, two = stores
    await lapse(one, pass_time)
    await two.leases.reap("n1")
    await two.leases.forget("n1")
    assert not await one.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    assert not await one.leases.renew(ONE, ttl_ms=LONG_MS, draining=False)
    assert await two.leases.nodes() == ()


async def test_a_fenced_node_goes_on_under_a_new_id(stores: tuple[Store, Store], pass_time: PassTime) -> None:
    one, two = stores
    await lapse(one, pass_time)
    await two.leases.reap("n1")
    assert await one.leases.renew(TWO, ttl_ms=LONG_MS, draining=False)
    assert await two.leases.nodes() == (TWO,)


async def test_reaping_can_be_repeated_and_is_listed_until_forgotten(
    stores: tuple[Store, Store], pass_time: PassTime
) -> None:
    one, two = stores
    await lapse(one, pass_time)
    assert await two.leases.reap("n1")
    assert await two.leases.reap("n1")
    assert await two.leases.lapsed() == ("n1",)
    await two.leases.forget("n1")
    assert await two.leases.lapsed() == ()


async def test_renewing_and_reaping_exclude_each_other(stores: tuple[Store, Store], pass_time: PassTime) -> None:
    one, two = stores
    nodes = [NodeInfo(f"n{number}", "0.1.0", 0) for number in range(50)]
    await asyncio.gather(*(one.leases.renew(node, ttl_ms=SHORT_MS, draining=False) for node in nodes))
    await pass_time(SHORT_MS)
    renewals = (one.leases.renew(node, ttl_ms=LONG_MS, draining=False) for node in nodes)
    results = await asyncio.gather(*renewals, *(two.leases.reap(node.id) for node in nodes))
    assert all(renewed != reaped for renewed, reaped in zip(results[:50], results[50:], strict=True))


async def test_sessions_of_a_node_are_noted_with_all_but_their_address(stores: tuple[Store, Store]) -> None:
    one, two = stores
    await one.leases.note(Presence("s1", "u1", "ada@example.com", "n1", "magi", address="198.51.100.7"))
    await one.leases.note(session("s2", name="Zoë"))
    await one.leases.note(session("s3", node="n2"))
    await one.leases.note(replace(session("s4"), former="zoe"))
    assert await noted(two) == {
        "s1": Presence("s1", "u1", "ada@example.com", "n1", "magi", address=""),
        "s2": session("s2", name="Zoë"),
        "s4": replace(session("s4"), former="zoe"),
    }


async def test_noting_a_session_again_renames_it(store: Store) -> None:
    await store.leases.note(session("s1", name="ada"))
    await store.leases.note(session("s1", name="grace"))
    assert await noted(store) == {"s1": session("s1", name="grace")}


async def test_an_unnoted_session_is_gone_and_unnoting_repeats(store: Store) -> None:
    await store.leases.note(session("s1"))
    await store.leases.note(session("s2"))
    await store.leases.unnote("n1", "s1")
    await store.leases.unnote("n1", "s1")
    await store.leases.unnote("nobody", "s1")
    assert await noted(store) == {"s2": session("s2")}


async def test_a_node_without_sessions_has_none(store: Store) -> None:
    assert await noted(store) == {}


async def test_sessions_removed_meanwhile_disturb_nobody(stores: tuple[Store, Store]) -> None:
    one, two = stores
    sids = {f"s{number}" for number in range(1_500)}
    await asyncio.gather(*(one.leases.note(session(sid)) for sid in sids))
    seen = set()
    async for presence in two.leases.noted("n1"):
        seen.add(presence.sid)
        await one.leases.unnote("n1", presence.sid)
    assert seen == sids
    assert await noted(two) == {}


async def test_forgetting_a_node_removes_its_sessions_and_its_entry(store: Store, pass_time: PassTime) -> None:
    await lapse(store, pass_time)
    await store.leases.note(session("s1"))
    await store.leases.reap("n1")
    assert await noted(store) == {"s1": session("s1")}
    await store.leases.forget("n1")
    await store.leases.forget("n1")
    assert await noted(store) == {}
    assert await store.leases.lapsed() == ()


async def test_the_store_is_up_for_no_longer_than_this_process_knows_it(store: Store, pass_time: PassTime) -> None:
    first = await store.leases.store_up_seconds()
    assert 0 <= first < 60
    await pass_time(50)
    assert await store.leases.store_up_seconds() >= first


@pytest.mark.parametrize("draining", [False, True])
async def test_renewing_brings_the_clock_up_to_date(store: Store, draining: bool) -> None:
    before_ms = store.clock.now_ms()
    await store.leases.renew(ONE, ttl_ms=LONG_MS, draining=draining)
    assert abs(store.clock.now_ms() - before_ms) < LONG_MS
