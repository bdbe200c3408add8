"""What ``exchange.ports.Wakes`` promises."""

from collections.abc import Callable

from exchange.core.errors import StorageUnavailable
from exchange.core.ids import Uid
from exchange.core.model import Envelope, Kind, Link
from exchange.core.wakes import Linked, Wake
from exchange.ports import Notice, Store
from tests.harness.waiting import eventually


class Ear:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.heard: list[tuple[Uid, Wake]] = []
        self.sizes: list[int] = []
        self.gaps = 0

    def woken(self, uid: Uid, wake: Wake, size_bytes: int) -> None:
        self.heard.append((uid, wake))
        self.sizes.append(size_bytes)

    def gap(self) -> None:
        self.gaps += 1


class Slip:
    """A receipt that remembers, and tells ``after`` that it was called."""

    def __init__(self, after: Callable[["Slip"], None] = lambda _: None) -> None:
        self.outcomes: list[int | StorageUnavailable] = []
        self.after = after

    def counted(self, nodes_count: int) -> None:
        self.outcomes.append(nodes_count)
        self.after(self)

    def failed(self, error: StorageUnavailable) -> None:
        self.outcomes.append(error)
        self.after(self)


def envelope(number: int = 0, body: bytes = b'{"content":"hello"}') -> Envelope:
    return Envelope(Kind.QUESTION, "sender", "c1", 2, number, body, "m1", "m0", ("t1", "t2"), 3)


def attend(*stores: Store) -> list[Ear]:
    ears = [Ear() for _ in stores]
    for store, ear in zip(stores, ears, strict=True):
        store.wakes.attend(ear)
    return ears


async def send(store: Store, uid: Uid, wake: Envelope | None = None) -> int | StorageUnavailable:
    slip = Slip()
    store.wakes.send(uid, wake or envelope(), slip)
    await eventually(lambda: slip.outcomes)
    (outcome,) = slip.outcomes
    return outcome


async def test_nobody_listens(store: Store) -> None:
    attend(store)
    assert await send(store, "u1") == 0


async def test_an_envelope_arrives_whole_and_once(stores: tuple[Store, Store]) -> None:
    one, two = stores
    sender, recipient = attend(one, two)
    await two.wakes.listen("u1")
    sent = envelope(7, body="ö \U0001f600".encode() + bytes(range(256)))
    assert await send(one, "u1", sent) == 1
    await eventually(lambda: recipient.heard)
    assert recipient.heard == [("u1", sent)]
    assert isinstance(recipient.heard[0][1], Envelope)
    assert recipient.sizes[0] >= len(sent.body)
    assert sender.heard == []


async def test_an_envelope_takes_the_way_through_the_store_on_one_node_too(store: Store) -> None:
    (ear,) = attend(store)
    await store.wakes.listen("u1")
    slip = Slip()
    store.wakes.send("u1", envelope(), slip)
    # Nothing is called from within `send`.
    assert (ear.heard, slip.outcomes) == ([], [])
    await eventually(lambda: ear.heard and slip.outcomes)


async def test_all_nodes_that_listen_are_counted_and_woken(stores: tuple[Store, Store]) -> None:
    ears = attend(*stores)
    for view in stores:
        await view.wakes.listen("u1")
    assert await send(stores[0], "u1") == 2
    for ear in ears:
        await eventually(lambda ear=ear: len(ear.heard) == 1)


async def test_a_node_listens_to_a_user_once_however_often_it_asks(stores: tuple[Store, Store]) -> None:
    one, two = stores
    _, ear = attend(one, two)
    await two.wakes.listen("u1")
    await two.wakes.listen("u1")
    assert await send(one, "u1") == 1
    await eventually(lambda: ear.heard)
    two.wakes.forget("u1")
    await two.wakes.listen("marker")
    assert await send(one, "u1") == 0
    assert len(ear.heard) == 1


async def test_only_the_user_who_is_meant_is_woken(stores: tuple[Store, Store]) -> None:
    one, two = stores
    _, ear = attend(one, two)
    await two.wakes.listen("u1")
    await two.wakes.listen("u2")
    await send(one, "u2")
    await send(one, "u3")
    await send(one, "u1")
    await eventually(lambda: len(ear.heard) == 2)
    assert [uid for uid, _ in ear.heard] == ["u2", "u1"]


async def test_a_forgotten_user_is_not_counted_and_not_woken(stores: tuple[Store, Store]) -> None:
    one, two = stores
    _, ear = attend(one, two)
    await two.wakes.listen("u1")
    two.wakes.forget("u1")
    two.wakes.forget("u1")
    two.wakes.forget("never heard of")
    # A confirmation that comes later says that the store has worked off what was asked before.
    await two.wakes.listen("u2")
    assert await send(one, "u1") == 0
    await send(one, "u2")
    await eventually(lambda: ear.heard)
    assert [uid for uid, _ in ear.heard] == ["u2"]


async def test_forgetting_and_listening_take_effect_in_order(stores: tuple[Store, Store]) -> None:
    one, two = stores
    _, ear = attend(one, two)
    await two.wakes.listen("u1")
    two.wakes.forget("u1")
    await two.wakes.listen("u1")
    assert await send(one, "u1") == 1
    await eventually(lambda: ear.heard)


async def test_wakes_and_receipts_keep_their_order(stores: tuple[Store, Store]) -> None:
    one, two = stores
    _, ear = attend(one, two)
    await two.wakes.listen("u1")
    settled: list[Slip] = []
    slips = [Slip(settled.append) for _ in range(2_000)]
    for number, slip in enumerate(slips):
        one.wakes.send("u1", envelope(number), slip)
    await eventually(lambda: len(settled) == len(slips) == len(ear.heard))
    assert settled == slips
    assert {tuple(slip.outcomes) for slip in slips} == {(1,)}
    assert [wake.accepted_ms for _, wake in ear.heard] == list(range(2_000))


async def test_changes_of_links_come_in_order_with_envelopes(stores: tuple[Store, Store]) -> None:
    one, two = stores
    _, ear = attend(one, two)
    await two.wakes.listen("u1")
    await send(one, "u1", envelope(1))
    await one.links.put("u1", Link("u2", "c1", "grace", "Grace"), notice=Notice.ANNOUNCE)
    await send(one, "u1", envelope(2))
    await eventually(lambda: len(ear.heard) == 3)
    assert [type(wake) for _, wake in ear.heard] == [Envelope, Linked, Envelope]


async def test_a_receipt_that_sends_again_is_served(store: Store) -> None:
    attend(store)
    second = Slip()
    first = Slip(lambda _: store.wakes.send("u1", envelope(), second))
    store.wakes.send("u1", envelope(), first)
    await eventually(lambda: second.outcomes)
    assert (first.outcomes, second.outcomes) == ([0], [0])
