"""What nodes in memory share."""

import asyncio

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.model import Envelope, Presence
from exchange.core.pairs import PairId, PeerUp, Role, SlotWake
from exchange.core.wakes import Unlinked, Wake
from exchange.storage.memory.state import Memory, Pair, User
from exchange.storage.memory.store import memory_store

WAKE = Unlinked(1, 0, "bob", "c1")


def test_a_wake_reaches_every_listener_of_its_user_and_is_counted() -> None:
    memory, heard = Memory(), []

    def hear(uid: str, wake: Wake, size_bytes: int) -> None:
        heard.append((uid, wake, size_bytes))

    assert memory.publish("ada", WAKE) == 0
    memory.listeners["ada"] = {"n1": hear, "n2": hear}
    memory.listeners["bob"] = {"n1": hear}
    assert memory.publish("ada", WAKE) == 2
    assert memory.publish("bob", Envelope(1, "u", "c", 1, 2, b"twelve bytes")) == 1
    assert [(uid, size_bytes) for uid, _, size_bytes in heard] == [("ada", 0), ("ada", 0), ("bob", 12)]


def test_a_listener_may_stop_listening_while_it_is_told() -> None:
    memory, heard = Memory(), []

    def hear(uid: str, wake: Wake, size_bytes: int) -> None:
        heard.append(wake)
        memory.listeners.pop("ada", None)

    memory.listeners["ada"] = {"n1": hear, "n2": hear}
    assert memory.publish("ada", WAKE) == 2
    assert heard == [WAKE, WAKE]


async def test_a_store_that_is_down_refuses_and_changes_nothing() -> None:
    memory = Memory()
    store = memory_store(memory)
    memory.down = True
    with pytest.raises(StorageUnavailable) as refused:
        await store.names.claim("ada", Presence("s1", "u1", "ada", "n1", "magi", ""))
    assert not refused.value.sent
    memory.down = False
    assert await store.names.find("ada", "magi") is None


async def test_going_to_the_store_lets_others_run() -> None:
    memory, order = Memory(), []

    async def go(who: str) -> None:
        order.append(f"{who} leaves")
        await memory.reach()
        order.append(f"{who} arrives")

    await asyncio.gather(go("first"), go("second"))
    assert order == ["first leaves", "second leaves", "first arrives", "second arrives"]


def test_a_user_is_forgotten_when_its_time_is_over() -> None:
    now_ms = 1000
    memory = Memory(lambda: now_ms)
    memory.users["here"] = User()
    memory.users["left"] = User(ends_ms=2000)
    now_ms = 1999
    assert memory.user("left") is not None
    now_ms = 2000
    assert memory.user("left") is None
    assert memory.user("here") is not None
    assert memory.user("nobody") is None
    assert set(memory.users) == {"here"}


def test_what_is_for_a_slot_reaches_every_node_that_listens_for_it_and_no_other() -> None:
    memory, heard = Memory(), []

    def hear(pair: PairId, role: Role, wake: SlotWake) -> None:
        heard.append((pair, role, wake))

    assert memory.tell_slot("p1", Role.PHONE, PeerUp(1)) == 0
    memory.slot_listeners["p1", Role.PHONE] = {"n1": hear, "n2": hear}
    memory.slot_listeners["p1", Role.AGENT] = {"n1": hear}
    assert memory.tell_slot("p1", Role.PHONE, PeerUp(2)) == 2
    assert heard == [("p1", Role.PHONE, PeerUp(2))] * 2


def test_a_pair_whose_token_ran_out_is_not_there_and_a_slot_always_is() -> None:
    now_ms = 5
    memory = Memory(lambda: now_ms)
    memory.pairs = {"p1": Pair("shown", 1, 6), "p2": Pair("shown", 1, 0)}
    assert memory.pair("p1") is not None
    now_ms = 6
    assert memory.pair("p1") is None
    assert memory.pair("p2") is not None
    assert set(memory.pairs) == {"p2"}
    assert memory.slot("p1", Role.PHONE).sid == ""
