"""The store in memory while it plays an outage, and what its simulated nodes share."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.ids import Uid
from exchange.core.model import Counts, Envelope, Kind, NodeInfo, NodeTally, Presence, Record
from exchange.core.pairs import End, PassedOn, Passing, Role
from exchange.core.wakes import Wake
from exchange.ports import Store
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.ends import Ear as SlotEar
from tests.harness.ends import enter, pass_on
from tests.harness.waiting import eventually
from tests.harness.world import Time

NODE = NodeInfo("n1", "0.1.0", 0)
PRESENCE = Presence("s1", "u1", "ada", "n1", "magi", "")
DIGEST = "0123456789abcdef"
END = End("p1", Role.PHONE, 1)
ENVELOPE = Envelope(Kind.QUESTION, "sender", "c1", 1, 2, b"{}")

CALLS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "listen": lambda store: store.wakes.listen("u1"),
    "post": lambda store: store.mailboxes.post("u1", ENVELOPE, 1),
    "state": lambda store: store.mailboxes.state("u1"),
    "read_mail": lambda store: store.mailboxes.read("u1", "0-0", count=1, bytes_=1),
    "ack": lambda store: store.mailboxes.ack("u1", "0-0", ""),
    "attempt": lambda store: store.mailboxes.attempt("u1", "0-0", most=1),
    "expire": lambda store: store.mailboxes.expire("u1"),
    "purge": lambda store: store.mailboxes.purge("u1", "u2"),
    "ended": lambda store: store.mailboxes.ended("u1"),
    "told": lambda store: store.mailboxes.told("u1", "0-0"),
    "trim_parked": lambda store: store.mailboxes.trim_parked("u1", before_ms=1),
    "note_due": lambda store: store.dues.note("u1", 1),
    "due": lambda store: store.dues.due(count=1),
    "settle": lambda store: store.dues.settle("u1", 1, 0),
    "owners": lambda store: anext(aiter(store.dues.owners())),
    "add_record": lambda store: store.histories.add("u1", "c1", Record(1, "", True, 1, "m1", "", b""), keep_ms=1),
    "read_records": lambda store: store.histories.read("u1", "c1", "", count=1),
    "drop_records": lambda store: store.histories.drop("u1", "c1"),
    "trim_records": lambda store: store.histories.trim(before_ms=1),
    "take": lambda store: store.limits.take("u1", "ask", per_minute=1, burst=1),
    "give_back": lambda store: store.limits.give_back("u1", "ask", per_minute=1, burst=1),
    "failures": lambda store: store.limits.failures("", "redeem"),
    "fail": lambda store: store.limits.fail("", "redeem", window_ms=1),
    "reserve": lambda store: store.repeats.reserve("u1", "m1", "s1", DIGEST),
    "keep": lambda store: store.repeats.keep("u1", "m1", "s1", DIGEST, b""),
    "drop": lambda store: store.repeats.drop("u1", "m1", "s1"),
    "renew": lambda store: store.leases.renew(NODE, ttl_ms=1, draining=False),
    "leave": lambda store: store.leases.leave("n1"),
    "alive": lambda store: store.leases.alive("n1"),
    "nodes": lambda store: store.leases.nodes(),
    "serving": lambda store: store.leases.serving(),
    "lapsed": lambda store: store.leases.lapsed(),
    "reap": lambda store: store.leases.reap("n1"),
    "forget": lambda store: store.leases.forget("n1"),
    "note": lambda store: store.leases.note(PRESENCE),
    "unnote": lambda store: store.leases.unnote("n1", "s1"),
    "noted": lambda store: anext(aiter(store.leases.noted("n1"))),
    "store_up_seconds": lambda store: store.leases.store_up_seconds(),
    "report": lambda store: store.tallies.report("n1", NodeTally(), Counts(), ttl_ms=1),
    "read": lambda store: store.tallies.read(),
    "slide": lambda store: store.limits.slide("", "register", most=1, window_ms=1),
    "create_pair": lambda store: store.pairs.create("token"),
    "pair_exists": lambda store: store.pairs.exists("p1"),
    "delete_pair": lambda store: store.pairs.delete("p1"),
    "enter": lambda store: store.pairs.enter("p1", Role.PHONE, "s1", "n1"),
    "leave_slot": lambda store: store.pairs.leave("p1", Role.PHONE, "s1"),
    "connected": lambda store: store.pairs.connected("p1"),
    "usage": lambda store: store.pairs.usage("p1"),
    "all_pairs": lambda store: anext(aiter(store.pairs.all())),
    "listen_slot": lambda store: store.slots.listen("p1", Role.PHONE),
    "mark": lambda store: store.slots.mark(END, busy=True),
    "hold": lambda store: store.jobs.hold("reap_nodes", "w1", ttl_ms=1),
}


class Ear:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.heard: list[Wake] = []

    def woken(self, uid: Uid, wake: Wake, size_bytes: int) -> None:
        self.heard.append(wake)

    def gap(self) -> None:
        raise AssertionError("nothing is lost in memory")


class Slip:
    """A receipt that remembers."""

    outcome: object = None

    def counted(self, nodes_count: int) -> None:
        self.outcome = nodes_count

    def failed(self, error: StorageUnavailable) -> None:
        self.outcome = error


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_during_an_outage_nothing_is_sent(call: Callable[[Store], Awaitable[object]]) -> None:
    memory = Memory()
    memory.down = True
    with pytest.raises(StorageUnavailable) as outage:
        await call(memory_store(memory))
    assert not outage.value.sent


async def test_during_an_outage_a_wake_fails_and_wakes_nobody() -> None:
    memory, ear, slip = Memory(), Ear(), Slip()
    store = memory_store(memory)
    store.wakes.attend(ear)
    await store.wakes.listen("u1")
    memory.down = True
    store.wakes.send("u1", ENVELOPE, slip)
    assert slip.outcome is None
    await eventually(lambda: slip.outcome)
    assert isinstance(slip.outcome, StorageUnavailable)
    assert not slip.outcome.sent
    assert ear.heard == []


async def test_during_an_outage_mail_fails_and_is_not_stored() -> None:
    memory, slip = Memory(), Slip()
    store = memory_store(memory)
    memory.down = True
    store.mailboxes.append("u1", ENVELOPE, 1, slip)
    assert slip.outcome is None
    await eventually(lambda: slip.outcome)
    assert isinstance(slip.outcome, StorageUnavailable)
    assert not slip.outcome.sent
    assert memory.boxes == {}


async def test_forgetting_a_user_leaves_nothing_in_the_shared_state() -> None:
    memory = Memory()
    one, two = memory_store(memory), memory_store(memory)
    for store in (one, two):
        store.wakes.attend(Ear())
        await store.wakes.listen("u1")
    one.wakes.forget("u1")
    assert len(memory.listeners["u1"]) == 1
    two.wakes.forget("u1")
    assert memory.listeners == {}


async def test_a_wake_under_way_to_a_forgotten_user_is_dropped() -> None:
    store, ear, slip = memory_store(Memory()), Ear(), Slip()
    store.wakes.attend(ear)
    await store.wakes.listen("u1")
    store.wakes.send("u1", ENVELOPE, slip)
    store.wakes.forget("u1")
    await eventually(lambda: slip.outcome is not None)
    await asyncio.sleep(0)
    assert ear.heard == []
    assert slip.outcome == 1


async def test_during_an_outage_a_frame_fails_and_nobody_hears_anything_for_a_slot() -> None:
    memory = Memory()
    store = memory_store(memory)
    ear = SlotEar(store)
    pair = await store.pairs.create("token")
    phone, _ = [await enter(store, pair, role) for role in Role]
    for role in Role:
        await ear.told(pair, role)
    memory.down = True
    (outcome,) = await pass_on(store, phone)
    store.slots.hand_over(pair, Role.AGENT, 5)
    assert isinstance(outcome, StorageUnavailable)
    assert not outcome.sent
    memory.down = False
    assert await pass_on(store, phone) == [Passing.PASSED]
    (wake,) = await ear.told(pair, Role.AGENT)
    assert isinstance(wake, PassedOn)


async def test_a_node_is_silent_for_as_long_as_the_outage_lasts() -> None:
    time = Time()
    memory = Memory(time)
    slots = memory_store(memory).slots
    time.ms += 60_000
    assert slots.silent_seconds() == 0
    memory.down = True
    time.ms += 2_500
    assert slots.silent_seconds() == 2.5
    memory.down = False
    assert slots.silent_seconds() == 0


async def test_forgetting_a_slot_leaves_no_listener_and_drops_what_is_under_way() -> None:
    memory = Memory()
    store = memory_store(memory)
    ear = SlotEar(store)
    await store.slots.listen("p1", Role.PHONE)
    store.slots.hand_over("p1", Role.PHONE, 5)
    store.slots.forget("p1", Role.PHONE)
    await asyncio.sleep(0)
    assert ear.wakes == []
    assert memory.slot_listeners == {}
