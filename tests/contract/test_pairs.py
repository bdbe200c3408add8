"""What ``exchange.ports.Pairs`` promises."""

import asyncio
from itertools import pairwise

import pytest
import redis

from exchange.core.pairs import PairId, PairInfo, Passing, PeerDown, PeerUp, Revoked, Role, Superseded, Usage
from exchange.ports import Allowances, Entered, Store
from tests.contract.conftest import MovableClock, PassTime, SetTime
from tests.harness.ends import Ear, enter, pass_on
from tests.harness.valkey import Valkey

TOKEN = "oc_pair_" + "0123456789abcdef" * 2
PHONE, AGENT = Role.PHONE, Role.AGENT
SHORT_MS = 100
DAY_MS = 86_400_000
NOVEMBER_MS = 1_793_491_200_000
"""The first moment of November 2026."""
UNUSED = Usage(524_288_000, 0, 10_737_418_240, 0)


@pytest.fixture
async def pair(store: Store) -> PairId:
    return await store.pairs.create(TOKEN)


async def entered(store: Store, pair: PairId, role: Role = PHONE, sid: str = "s1") -> Entered:
    result = await store.pairs.enter(pair, role, sid, "n1")
    assert result is not None
    return result


# --- tokens ----------------------------------------------------------------------------------------------------------


async def test_every_node_knows_a_pair_that_was_made_and_no_other(stores: tuple[Store, Store]) -> None:
    one, two = stores
    pair = await one.pairs.create(TOKEN)
    assert pair == two.pairs.pair_of(TOKEN)
    assert await two.pairs.exists(pair)
    assert not await two.pairs.exists(two.pairs.pair_of(TOKEN.upper()))


async def test_the_id_of_a_pair_says_nothing_of_its_token(store: Store) -> None:
    pair = store.pairs.pair_of(TOKEN)
    assert len(pair) == 32
    assert set(pair) <= set("0123456789abcdef")
    assert TOKEN[8:16] not in pair
    assert len({store.pairs.pair_of(text) for text in (TOKEN, TOKEN[:-1], "", "\ud800", "{}:\0")}) == 5


async def test_making_a_pair_again_changes_nothing(store: Store, pair: PairId, pass_time: PassTime) -> None:
    (before,) = [info async for info in store.pairs.all()]
    await pass_time(10)
    assert await store.pairs.create(TOKEN, ttl_ms=1) == pair
    await pass_time(10)
    assert [info async for info in store.pairs.all()] == [before]


async def test_a_token_runs_out(stores: tuple[Store, Store], pass_time: PassTime) -> None:
    one, two = stores
    pair = await one.pairs.create(TOKEN, ttl_ms=SHORT_MS)
    assert await two.pairs.exists(pair)
    await entered(one, pair)
    await pass_time(SHORT_MS)
    assert not await two.pairs.exists(pair)
    assert await two.pairs.enter(pair, AGENT, "s2", "n2") is None
    assert await two.pairs.connected(pair) == frozenset()
    assert [info async for info in two.pairs.all()] == []
    assert await one.pairs.leave(pair, PHONE, "s1")


# --- entering (CORAL-24, CORAL-25) -----------------------------------------------------------------------------------


async def test_nobody_enters_a_pair_that_there_is_not(store: Store) -> None:
    pair = store.pairs.pair_of("another")
    ear = await Ear(store).listen(pair)
    assert await store.pairs.enter(pair, PHONE, "s1", "n1") is None
    assert await store.pairs.connected(pair) == frozenset()
    assert await ear.told(pair, PHONE) == []


async def test_who_comes_first_is_alone_and_who_comes_second_is_paired(
    stores: tuple[Store, Store], pair: PairId
) -> None:
    one, two = stores
    first = await entered(one, pair, AGENT, "s1")
    second = await entered(two, pair, PHONE, "s2")
    assert (first.paired, second.paired) == (False, True)
    assert (first.usage, first.replaced_count) == (UNUSED, 0)


async def test_of_two_who_come_at_the_same_time_one_is_first(stores: tuple[Store, Store], pair: PairId) -> None:
    # CORAL-15: whoever is not paired hears of the other, and nobody else does.
    ears = [await Ear(store).listen(pair) for store in stores]
    for turn in range(30):
        answers = await asyncio.gather(
            *(entered(store, pair, role, f"s{turn}") for store, role in zip(stores, Role, strict=True))
        )
        assert [answer.paired for answer in answers].count(True) == 1
        for role, answer in zip(Role, answers, strict=True):
            told = [wake for wake in await ears[0].told(pair, role) if isinstance(wake, PeerUp)]
            assert told == ([] if answer.paired else [PeerUp(answer.number)])
        for role in Role:
            assert await stores[0].pairs.leave(pair, role, f"s{turn}")
            await ears[0].told(pair, role)


async def test_every_entry_tells_the_peer_and_the_own_slot_once(stores: tuple[Store, Store], pair: PairId) -> None:
    one, two = stores
    ear = await Ear(two).listen(pair)
    phone = await entered(one, pair, PHONE, "s1")
    assert await ear.told(pair, PHONE) == [Superseded(phone.number)]
    assert await ear.told(pair, AGENT) == []
    for sid in ("s2", "s3", "s4"):
        # Replacements too: never de-duplicated (CORAL-12).
        agent = await entered(one, pair, AGENT, sid)
        assert await ear.told(pair, PHONE) == [PeerUp(phone.number)]
        assert await ear.told(pair, AGENT) == [Superseded(agent.number)]


async def test_a_repeated_entry_gets_the_same_answer_and_tells_nobody(
    stores: tuple[Store, Store], pair: PairId
) -> None:
    one, two = stores
    await entered(one, pair, AGENT, "s0")
    await entered(one, pair, AGENT, "s1")
    ear = await Ear(two).listen(pair)
    first = await entered(one, pair, PHONE, "s2")
    replacing = await entered(one, pair, PHONE, "s3")
    for role in Role:
        await ear.told(pair, role)
    assert await entered(two, pair, PHONE, "s3") == replacing
    assert replacing.number > first.number
    assert [await ear.told(pair, role) for role in Role] == [[], []]


async def test_numbers_of_a_slot_only_grow(stores: tuple[Store, Store], pair: PairId) -> None:
    one, two = stores
    numbers = [(await entered(stores[turn % 2], pair, sid=f"s{turn}")).number for turn in range(5)]
    assert await one.pairs.leave(pair, PHONE, "s4")
    numbers.append((await entered(one, pair, sid="s5")).number)
    await two.pairs.delete(pair)
    await two.pairs.create(TOKEN)
    numbers.append((await entered(one, pair, sid="s5")).number)
    assert all(earlier < later for earlier, later in pairwise(numbers))
    together = await asyncio.gather(*(entered(stores[turn % 2], pair, sid=f"t{turn}") for turn in range(40)))
    assert len({entry.number for entry in together}) == 40


async def test_only_the_last_of_many_who_enter_together_is_current(stores: tuple[Store, Store], pair: PairId) -> None:
    together = await asyncio.gather(*(entered(stores[turn % 2], pair, sid=f"s{turn}") for turn in range(20)))
    last = max(range(20), key=lambda turn: together[turn].number)
    left = [await stores[0].pairs.leave(pair, PHONE, f"s{turn}") for turn in range(20)]
    assert [turn for turn, was_current in enumerate(left) if was_current] == [last]


async def test_replacements_of_a_running_minute_are_counted(
    stores: tuple[Store, Store], pair: PairId, server: Valkey | None, clock: MovableClock
) -> None:
    # CORAL-26
    counts = [(await entered(stores[turn % 2], pair, sid=f"s{turn}")).replaced_count for turn in range(5)]
    assert counts == [0, 1, 2, 3, 4]
    assert (await entered(stores[0], pair, AGENT)).replaced_count == 0
    clock.ms += 60_000
    if server is not None:
        with redis.Redis(unix_socket_path=str(server.socket)) as client:
            (slot,) = client.keys("*:slot:phone")
            client.hincrby(slot, "replaced_ms", -60_000)
    assert (await entered(stores[0], pair, sid="s5")).replaced_count == 1


async def test_who_comes_after_somebody_left_replaces_nobody(store: Store, pair: PairId) -> None:
    for sid in ("s1", "s2", "s3"):
        await entered(store, pair, sid=sid)
    await store.pairs.leave(pair, PHONE, "s3")
    assert (await entered(store, pair, sid="s4")).replaced_count == 0


# --- leaving (CORAL-14, CORAL-24) ------------------------------------------------------------------------------------


async def test_the_peer_is_told_once_that_the_current_connection_left(
    stores: tuple[Store, Store], pair: PairId
) -> None:
    one, two = stores
    ear = await Ear(two).listen(pair)
    agent = await enter(two, pair, AGENT)
    await entered(one, pair, PHONE, "s1")
    assert await two.pairs.connected(pair) == {PHONE, AGENT}
    await ear.told(pair, AGENT)
    left = await asyncio.gather(*(stores[turn % 2].pairs.leave(pair, PHONE, "s1") for turn in range(6)))
    assert left.count(True) == 1
    assert await ear.told(pair, AGENT) == [PeerDown(agent.number)]
    assert await two.pairs.connected(pair) == {AGENT}


async def test_who_was_replaced_can_neither_free_the_slot_nor_tell_the_peer(
    stores: tuple[Store, Store], pair: PairId
) -> None:
    one, two = stores
    ear = await Ear(two).listen(pair)
    agent = await enter(two, pair, AGENT)
    await ear.told(pair, AGENT)
    await entered(one, pair, PHONE, "s1")
    await entered(two, pair, PHONE, "s2")
    assert not await one.pairs.leave(pair, PHONE, "s1")
    assert await ear.told(pair, AGENT) == [PeerUp(agent.number)] * 2
    assert await one.pairs.connected(pair) == {PHONE, AGENT}


async def test_nobody_is_told_where_nobody_is(store: Store, pair: PairId) -> None:
    ear = await Ear(store).listen(pair)
    await entered(store, pair)
    assert await store.pairs.leave(pair, PHONE, "s1")
    assert await ear.told(pair, AGENT) == []
    assert not await store.pairs.leave(pair, AGENT, "")


# --- deletion (CORAL-27) ---------------------------------------------------------------------------------------------


async def test_a_deleted_pair_is_gone_for_everybody_and_both_slots_are_told(
    stores: tuple[Store, Store], pair: PairId
) -> None:
    one, two = stores
    ear = await Ear(two).listen(pair)
    ends = [await enter(one, pair, role) for role in Role]
    for role in Role:
        await ear.told(pair, role)
    assert await one.pairs.delete(pair)
    assert [await ear.told(pair, role) for role in Role] == [[Revoked()]] * 2
    assert not await two.pairs.exists(pair)
    assert await two.pairs.connected(pair) == frozenset()
    assert await two.pairs.enter(pair, PHONE, "s9", "n2") is None
    assert not await two.pairs.leave(pair, PHONE, "sid-phone")
    for end in ends:
        assert await pass_on(one, end) == [Passing.OLD]
    assert [await ear.told(pair, role) for role in Role] == [[], []]


async def test_deleting_what_there_is_not_does_no_harm(stores: tuple[Store, Store], pair: PairId) -> None:
    one, two = stores
    assert not await one.pairs.delete(one.pairs.pair_of("another"))
    assert sorted(await asyncio.gather(one.pairs.delete(pair), two.pairs.delete(pair))) == [False, True]


async def test_deleting_a_pair_that_ran_out_still_ends_its_connections(store: Store, pass_time: PassTime) -> None:
    pair = await store.pairs.create(TOKEN, ttl_ms=SHORT_MS)
    ear = await Ear(store).listen(pair)
    end = await enter(store, pair, PHONE)
    await pass_time(SHORT_MS)
    assert not await store.pairs.delete(pair)
    assert await ear.told(pair, PHONE) == [Superseded(end.number), Revoked()]
    assert await pass_on(store, end) == [Passing.OLD]


async def test_usage_outlives_its_pair(stores: tuple[Store, Store], pair: PairId) -> None:
    one, two = stores
    Ear(one)
    phone, _ = [await enter(one, pair, role) for role in Role]
    assert await pass_on(one, phone, b"x" * 100) == [Passing.PASSED]
    used = Usage(UNUSED.daily_quota_bytes, 100, UNUSED.monthly_quota_bytes, 100)
    await one.pairs.delete(pair)
    assert await two.pairs.usage(pair) == used
    await two.pairs.create(TOKEN)
    assert (await entered(two, pair)).usage == used


# --- usage and lists -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("allowances", [Allowances(daily_bytes=7, monthly_bytes=8)])
async def test_usage_tells_what_a_pair_may(store: Store, pair: PairId) -> None:
    assert await store.pairs.usage(pair) == Usage(7, 0, 8, 0)
    assert await store.pairs.usage(store.pairs.pair_of("another")) == Usage(7, 0, 8, 0)
    assert (await entered(store, pair)).usage == Usage(7, 0, 8, 0)


async def test_a_new_day_and_a_new_month_begin_at_midnight_of_utc(
    store: Store, pair: PairId, set_time: SetTime
) -> None:
    # CORAL-22
    Ear(store)
    phone, _ = [await enter(store, pair, role) for role in Role]

    async def used(at_ms: int) -> tuple[int, int]:
        set_time(at_ms)
        usage = await store.pairs.usage(pair)
        assert (await entered(store, pair, sid="sid-phone")).usage == usage
        return usage.daily_used_bytes, usage.monthly_used_bytes

    moments = [NOVEMBER_MS - 2 * DAY_MS, NOVEMBER_MS - DAY_MS, NOVEMBER_MS - 3_600_000, NOVEMBER_MS]
    seen = []
    for at_ms in moments:
        before = await used(at_ms)
        assert await pass_on(store, phone, b"1234567890") == [Passing.PASSED]
        seen.append((before, await used(at_ms)))
    assert seen == [((0, 0), (10, 10)), ((0, 10), (10, 20)), ((10, 20), (20, 30)), ((0, 0), (10, 10))]


async def test_operators_see_all_pairs(stores: tuple[Store, Store]) -> None:
    one, two = stores
    Ear(one)
    pairs = [await one.pairs.create(f"oc_pair_{number:032}") for number in range(20)]
    expiring = await one.pairs.create(TOKEN, ttl_ms=3_600_000)
    phone, _ = [await enter(one, pairs[7], role) for role in Role]
    await entered(one, pairs[8], AGENT)
    await pass_on(one, phone, b"12345")
    await one.pairs.delete(pairs[0])
    infos: dict[PairId, PairInfo] = {info.pair: info async for info in two.pairs.all()}
    assert set(infos) == {*pairs[1:], expiring}
    assert (infos[pairs[1]].shown, infos[pairs[1]].expires_ms) == ("oc_pair_00000000", 0)
    assert infos[pairs[7]].connected == {PHONE, AGENT}
    assert infos[pairs[7]].usage == Usage(UNUSED.daily_quota_bytes, 5, UNUSED.monthly_quota_bytes, 5)
    assert infos[pairs[8]].connected == {AGENT}
    info = infos[expiring]
    assert info.shown == TOKEN[:16]
    assert 0 < info.created_ms
    assert abs(info.expires_ms - info.created_ms - 3_600_000) < 1000
