"""What ``exchange.ports.Slots`` promises."""

import asyncio
import random

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.pairs import End, HandedOver, PairId, PassedOn, Passing, PeerUp, Role, Superseded
from exchange.ports import Allowances, Store
from tests.contract.conftest import PassTime
from tests.harness.ends import Ear, enter, pass_on
from tests.harness.waiting import eventually

TOKEN = "oc_pair_" + "0123456789abcdef" * 2
PHONE, AGENT = Role.PHONE, Role.AGENT
LARGE_BYTES = 5 * 1024 * 1024
FREE = Allowances(phone_burst=1_000_000, agent_burst=1_000_000)
SLOW = Allowances(phone_per_minute=1, phone_burst=2, agent_per_minute=1, agent_burst=3)

UNLIMITED = pytest.mark.parametrize("allowances", [FREE])


@pytest.fixture
async def pair(store: Store) -> PairId:
    return await store.pairs.create(TOKEN)


@pytest.fixture
def ears(stores: tuple[Store, Store]) -> tuple[Ear, Ear]:
    return Ear(stores[0]), Ear(stores[1])


@pytest.fixture
async def phone(stores: tuple[Store, Store], ears: tuple[Ear, Ear], pair: PairId) -> End:
    """Is on the first node."""
    return await enter(stores[0], pair, PHONE)


@pytest.fixture
async def agent(stores: tuple[Store, Store], ears: tuple[Ear, Ear], pair: PairId, phone: End) -> End:
    """Comes second, on the other node."""
    end = await enter(stores[1], pair, AGENT)
    for ear, role in zip(ears, (PHONE, AGENT), strict=True):
        await ear.told(pair, role)
    return end


# --- frames ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [b"", b" ", b"F1 2 3\n\r\n", bytes(range(256)) * 4, b"\0\0", '{"type":"ö \U0001f600"}'.encode()],
    ids=["empty", "blank", "like a wake", "every byte", "NUL", "text"],
)
async def test_a_frame_arrives_as_it_was_sent(
    stores: tuple[Store, Store], ears: tuple[Ear, Ear], phone: End, agent: End, frame: bytes
) -> None:
    # CORAL-4
    assert await pass_on(stores[0], phone, frame) == [Passing.PASSED]
    assert await ears[1].told(agent.pair, AGENT) == [PassedOn(agent.number, 0, frame)]
    assert ears[0].wakes == []


async def test_the_largest_frame_arrives_as_it_was_sent_and_counts_whole(
    stores: tuple[Store, Store], ears: tuple[Ear, Ear], phone: End, agent: End
) -> None:
    # CORAL-20
    frame = random.Random(20).randbytes(LARGE_BYTES)
    assert await pass_on(stores[1], agent, frame) == [Passing.PASSED]
    ((at, role, wake),) = await eventually(lambda: ears[0].wakes)  # type: ignore[misc]
    assert (at, role) == (agent.pair, PHONE)
    assert wake == PassedOn(phone.number, 0, frame)
    assert (await stores[0].pairs.usage(agent.pair)).daily_used_bytes == LARGE_BYTES


@UNLIMITED
async def test_frames_and_receipts_keep_their_order_both_ways(
    stores: tuple[Store, Store], ears: tuple[Ear, Ear], phone: End, agent: End
) -> None:
    # CORAL-16
    settled: list[tuple[Role, int, object]] = []
    for number in range(1_000):
        for store, end in zip(stores, (phone, agent), strict=True):
            role = end.role
            store.slots.pass_on(
                end, b"%d" % number, lambda outcome, role=role, number=number: settled.append((role, number, outcome))
            )
        # Nothing is called from within `pass_on`.
        assert len(settled) <= 2 * number
        if number % 50 == 0:
            await asyncio.sleep(0)
    await eventually(lambda: len(settled) == 2_000)
    for role, ear, recipient in ((PHONE, ears[1], agent), (AGENT, ears[0], phone)):
        assert [entry[1:] for entry in settled if entry[0] is role] == [
            (number, Passing.PASSED) for number in range(1_000)
        ]
        heard = await ear.told(recipient.pair, recipient.role)
        assert heard == [PassedOn(recipient.number, 0, b"%d" % number) for number in range(1_000)]


@UNLIMITED
async def test_a_newcomer_is_announced_before_its_frames_whatever_else_happens(
    stores: tuple[Store, Store], ears: tuple[Ear, Ear], phone: End, pair: PairId
) -> None:
    # CORAL-11: agents replace each other from both nodes, each sends at once, and all report to one phone.
    numbers: dict[int, int] = {}

    async def come(turn: int) -> None:
        store = stores[turn % 2]
        end = await enter(store, pair, AGENT, f"s{turn}")
        numbers[turn] = end.number
        await pass_on(store, end, *(b"%d" % turn for _ in range(3)))

    await asyncio.gather(*(come(turn) for turn in range(40)))
    heard = await ears[0].told(pair, PHONE)
    order = sorted(numbers, key=numbers.__getitem__)
    assert heard[0] == Superseded(phone.number)
    assert len([wake for wake in heard if isinstance(wake, PeerUp)]) == 40
    arrived = 0
    for wake in heard[1:]:
        if isinstance(wake, PassedOn):
            # A frame belongs to the agent that was announced last: nobody else's gets through.
            assert int(wake.frame) == order[arrived - 1]
        else:
            arrived += 1


async def test_a_frame_that_wants_to_be_handed_names_its_sender(
    stores: tuple[Store, Store], ears: tuple[Ear, Ear], phone: End, agent: End
) -> None:
    outcomes: list[object] = []
    stores[0].slots.pass_on(phone, b"large", outcomes.append, handed=True)
    await eventually(lambda: outcomes)
    assert await ears[1].told(agent.pair, AGENT) == [PassedOn(agent.number, phone.number, b"large")]
    stores[1].slots.hand_over(phone.pair, PHONE, phone.number)
    await eventually(lambda: ears[0].wakes)
    assert ears[0].wakes == [(phone.pair, PHONE, HandedOver(phone.number))]


async def test_a_receipt_that_passes_on_is_served(stores: tuple[Store, Store], phone: End, agent: End) -> None:
    outcomes: list[object] = []

    def again(outcome: object) -> None:
        outcomes.append(outcome)
        stores[0].slots.pass_on(phone, b"2", outcomes.append)

    stores[0].slots.pass_on(phone, b"1", again)
    await eventually(lambda: outcomes == [Passing.PASSED, Passing.PASSED])


# --- what becomes of a frame (CORAL-19, in this order) ---------------------------------------------------------------


async def test_frames_of_who_was_replaced_or_left_are_dropped(
    stores: tuple[Store, Store], ears: tuple[Ear, Ear], phone: End, agent: End
) -> None:
    # CORAL-24
    one, two = stores
    newer = await enter(two, phone.pair, PHONE, "newer")
    await ears[1].told(agent.pair, AGENT)
    assert await pass_on(one, phone) == [Passing.OLD]
    assert await pass_on(two, newer) == [Passing.PASSED]
    assert await two.pairs.leave(phone.pair, PHONE, "newer")
    assert await pass_on(two, newer) == [Passing.OLD]
    heard = await ears[1].told(agent.pair, AGENT)
    assert [wake for wake in heard if isinstance(wake, PassedOn)] == [PassedOn(agent.number, 0, b"{}")]


async def test_a_peer_that_is_not_there_is_offline(store: Store, phone: End) -> None:
    assert await pass_on(store, phone) == [Passing.OFFLINE]
    assert (await store.pairs.usage(phone.pair)).daily_used_bytes == 0


async def test_a_peer_that_left_or_that_nobody_listens_for_is_offline(
    stores: tuple[Store, Store], phone: End, agent: End
) -> None:
    one, two = stores
    two.slots.forget(agent.pair, AGENT)
    await two.slots.listen(two.pairs.pair_of("a confirmation behind it"), AGENT)
    assert await pass_on(one, phone) == [Passing.OFFLINE]
    assert (await one.pairs.usage(phone.pair)).daily_used_bytes == 0
    await two.slots.listen(agent.pair, AGENT)
    assert await pass_on(one, phone) == [Passing.PASSED]
    await two.pairs.leave(agent.pair, AGENT, "sid-agent")
    assert await pass_on(one, phone) == [Passing.OFFLINE]


async def test_a_frame_after_the_peer_was_replaced_is_for_its_successor(
    stores: tuple[Store, Store], ears: tuple[Ear, Ear], phone: End, agent: End
) -> None:
    # CORAL-25
    successor = await enter(stores[1], agent.pair, AGENT, "successor")
    await pass_on(stores[0], phone, b"new")
    assert await ears[1].told(agent.pair, AGENT) == [
        Superseded(successor.number),
        PassedOn(successor.number, 0, b"new"),
    ]


async def test_a_busy_peer_gets_nothing_until_it_is_not_busy_any_more(
    stores: tuple[Store, Store], ears: tuple[Ear, Ear], phone: End, agent: End
) -> None:
    one, two = stores
    for _ in range(2):
        await two.slots.mark(agent, busy=True)
    assert await pass_on(one, phone) == [Passing.BUSY]
    assert await pass_on(two, agent) == [Passing.PASSED], "the other way is free"
    assert await ears[1].told(agent.pair, AGENT) == []
    await two.slots.mark(agent, busy=False)
    assert await pass_on(one, phone) == [Passing.PASSED]


async def test_only_the_current_end_can_be_marked_and_a_new_one_is_not_busy(
    stores: tuple[Store, Store], phone: End, agent: End
) -> None:
    one, two = stores
    await two.slots.mark(agent, busy=True)
    newer = await enter(two, agent.pair, AGENT, "newer")
    assert await pass_on(one, phone) == [Passing.PASSED]
    await two.slots.mark(agent, busy=True)
    assert await pass_on(one, phone) == [Passing.PASSED]
    await two.slots.mark(newer, busy=True)
    await two.slots.mark(agent, busy=False)
    assert await pass_on(one, phone) == [Passing.BUSY]
    await two.pairs.leave(agent.pair, AGENT, "newer")
    await two.slots.mark(newer, busy=True)
    await enter(two, agent.pair, AGENT, "newest")
    assert await pass_on(one, phone) == [Passing.PASSED]


@pytest.mark.parametrize("allowances", [Allowances(daily_bytes=10, monthly_bytes=25, phone_per_minute=1)])
async def test_a_quota_is_looked_at_before_a_frame_so_one_may_overshoot(
    stores: tuple[Store, Store], phone: End, agent: End
) -> None:
    # CORAL-22: both directions together
    assert await pass_on(stores[0], phone, b"12345") == [Passing.PASSED]
    assert await pass_on(stores[1], agent, b"1234") == [Passing.PASSED]
    assert await pass_on(stores[0], phone, b"x" * 16) == [Passing.PASSED]
    assert await pass_on(stores[1], agent, b"") == [Passing.DAY], "before the month, which is used up, too"
    usage = await stores[1].pairs.usage(phone.pair)
    assert (usage.daily_used_bytes, usage.monthly_used_bytes) == (25, 25)


@pytest.mark.parametrize(
    ("allowances", "outcome"),
    [
        (Allowances(daily_bytes=1, monthly_bytes=1, phone_burst=2), Passing.DAY),
        (Allowances(daily_bytes=99, monthly_bytes=1, phone_burst=2), Passing.MONTH),
        (Allowances(phone_burst=2), Passing.OFFLINE),
    ],
    ids=["day", "month", "offline"],
)
async def test_each_check_comes_before_the_next(
    stores: tuple[Store, Store], phone: End, agent: End, outcome: Passing
) -> None:
    one, two = stores
    assert await pass_on(one, phone, b"{}") == [Passing.PASSED]
    await two.slots.mark(agent, busy=True)
    if outcome is Passing.OFFLINE:
        # The mark goes with its end.
        assert await pass_on(one, phone, b"{}") == [Passing.BUSY]
    else:
        await two.pairs.leave(agent.pair, AGENT, "sid-agent")
        assert await pass_on(one, phone, b"{}") == [outcome]
    # Frames that did not get through took a token, too (CORAL-21).
    assert await pass_on(one, phone, b"{}") == [Passing.RATE]
    await enter(one, phone.pair, PHONE, "newer")
    assert await pass_on(one, phone, b"{}") == [Passing.OLD]


# --- the bucket (CORAL-21) -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("allowances", [SLOW])
async def test_each_role_has_a_bucket_that_a_new_connection_does_not_fill(
    stores: tuple[Store, Store], phone: End, agent: End
) -> None:
    one, two = stores
    assert await pass_on(one, phone, *[b"{}"] * 3) == [Passing.PASSED, Passing.PASSED, Passing.RATE]
    assert await pass_on(two, agent, *[b"{}"] * 4) == [Passing.PASSED] * 3 + [Passing.RATE]
    newer = await enter(two, phone.pair, PHONE, "newer")
    assert await pass_on(two, newer) == [Passing.RATE]
    await two.pairs.leave(phone.pair, PHONE, "newer")
    assert await pass_on(one, await enter(one, phone.pair, PHONE, "newest")) == [Passing.RATE]


@pytest.mark.parametrize("allowances", [SLOW])
async def test_frames_of_who_is_not_current_take_no_token(stores: tuple[Store, Store], phone: End, agent: End) -> None:
    newer = await enter(stores[1], phone.pair, PHONE, "newer")
    assert await pass_on(stores[0], phone, *[b"{}"] * 9) == [Passing.OLD] * 9
    assert await pass_on(stores[1], newer) == [Passing.PASSED]


@pytest.mark.parametrize("allowances", [Allowances(phone_per_minute=1_200, phone_burst=1)])
async def test_tokens_come_back_with_time(store: Store, phone: End, agent: End, pass_time: PassTime) -> None:
    assert await pass_on(store, phone, b"{}", b"{}") == [Passing.PASSED, Passing.RATE]
    await pass_time(50)
    assert await pass_on(store, phone) == [Passing.PASSED]


@pytest.mark.parametrize("allowances", [Allowances(phone_per_minute=1, phone_burst=10)])
async def test_senders_on_many_nodes_never_exceed_the_burst(
    stores: tuple[Store, Store], phone: End, agent: End
) -> None:
    outcomes = await asyncio.gather(*(pass_on(stores[turn % 2], phone) for turn in range(50)))
    assert outcomes.count([Passing.PASSED]) == 10
    assert outcomes.count([Passing.RATE]) == 40


@UNLIMITED
async def test_bytes_of_simultaneous_senders_are_all_counted(
    stores: tuple[Store, Store], ears: tuple[Ear, Ear], phone: End, agent: End
) -> None:
    sizes = range(1, 101)
    outcomes = await asyncio.gather(
        *(pass_on(stores[size % 2], end, b"x" * size) for size in sizes for end in (phone, agent))
    )
    assert outcomes == [[Passing.PASSED]] * 200
    usage = await stores[0].pairs.usage(phone.pair)
    assert (usage.daily_used_bytes, usage.monthly_used_bytes) == (2 * sum(sizes),) * 2
    for ear, role in zip(ears, (PHONE, AGENT), strict=True):
        heard = await ear.told(phone.pair, role)
        assert sum(len(wake.frame) for wake in heard if isinstance(wake, PassedOn)) == sum(sizes)


# --- channels --------------------------------------------------------------------------------------------------------


async def test_only_the_slot_that_is_meant_hears(stores: tuple[Store, Store], ears: tuple[Ear, Ear]) -> None:
    one, _ = stores
    pairs = [await one.pairs.create(token) for token in ("first", "second")]
    for pair in pairs:
        await ears[1].listen(pair)
    one.slots.hand_over(pairs[1], AGENT, 5)
    one.slots.hand_over(pairs[0], PHONE, 6)
    await eventually(lambda: len(ears[1].wakes) == 2)
    assert ears[1].wakes == [(pairs[1], AGENT, HandedOver(5)), (pairs[0], PHONE, HandedOver(6))]


async def test_a_slot_that_is_forgotten_is_heard_no_more_until_it_is_listened_for_again(
    stores: tuple[Store, Store], ears: tuple[Ear, Ear], pair: PairId
) -> None:
    one, two = stores
    await ears[1].listen(pair)
    two.slots.forget(pair, PHONE)
    two.slots.forget(pair, PHONE)
    one.slots.hand_over(pair, PHONE, 1)
    assert await ears[1].told(pair, AGENT) == []
    assert ears[1].wakes == []
    await two.slots.listen(pair, PHONE)
    one.slots.hand_over(pair, PHONE, 2)
    await eventually(lambda: ears[1].wakes)
    assert ears[1].wakes == [(pair, PHONE, HandedOver(2))]


async def test_listening_twice_hears_once(stores: tuple[Store, Store], ears: tuple[Ear, Ear], pair: PairId) -> None:
    await ears[1].listen(pair)
    await ears[1].listen(pair)
    stores[0].slots.hand_over(pair, PHONE, 1)
    assert await ears[1].told(pair, PHONE) == [HandedOver(1)]


async def test_a_node_that_is_heard_is_not_silent_for_long(store: Store) -> None:
    await eventually(lambda: 0 <= store.slots.silent_seconds() < 5)


async def test_nothing_is_cut_while_all_is_well(ears: tuple[Ear, Ear], phone: End, agent: End) -> None:
    assert [ear.cuts for ear in ears] == [0, 0]
    assert not isinstance(await pass_on(ears[0].store, phone), StorageUnavailable)
