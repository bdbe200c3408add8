"""The stepper tries every interleaving once, and says which one broke what."""

import asyncio
from math import comb

import pytest

from exchange.core.ids import Uid
from exchange.core.model import NodeInfo
from exchange.core.wakes import Replaced, Wake
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from exchange.storage.memory.wakes import Wakes
from tests.chaos.stepper import Explored, Stepper, Stuck, explore


class Hearing:
    """Writes down what a node is woken for."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def woken(self, uid: Uid, wake: Wake, size_bytes: int) -> None:
        self.log.append(wake.sid if isinstance(wake, Replaced) else f"{uid} {size_bytes}")

    def gap(self) -> None:
        raise AssertionError("no gap is played")


async def counting(memory: Memory, name: str, steps: int, log: list[str]) -> str:
    for _ in range(steps):
        await memory.reach()
        log.append(name)
    return name


@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 2), (3, 2)])
async def test_every_interleaving_is_tried_once(a, b):
    seen = []

    async def scenario(stepper: Stepper) -> None:
        memory, log = Memory(), []
        stepper.attach(memory)
        assert await stepper.run(counting(memory, "a", a, log), counting(memory, "b", b, log)) == ["a", "b"]
        seen.append("".join(log))

    assert await explore(scenario) == Explored(comb(a + b, a), whole=True)
    assert len(set(seen)) == len(seen) == comb(a + b, a)


async def test_a_lost_update_is_found_and_can_be_played_again():
    async def scenario(stepper: Stepper) -> None:
        memory, box = Memory(), {"count": 0}
        stepper.attach(memory)

        async def add() -> None:
            await memory.reach()
            count = box["count"]
            await memory.reach()
            box["count"] = count + 1

        await stepper.run(add(), add())
        assert box["count"] == 2

    with pytest.raises(AssertionError) as failure:
        await explore(scenario)
    (note,) = failure.value.__notes__
    assert note.startswith("run 2; Stepper([0, 1, 0, 0]): task0:add(0/2) task1:add(1/2)")
    with pytest.raises(AssertionError):
        await scenario(Stepper([0, 1, 0, 0]))
    await scenario(Stepper([0, 0]))  # one after the other


@pytest.mark.parametrize(("cuts", "orders"), [(0, "aabb bbaa"), (1, "aabb abba baab bbaa")])
async def test_runs_in_which_nobody_is_cut_off_often_can_be_tried_alone(cuts, orders):
    seen = []

    async def scenario(stepper: Stepper) -> None:
        memory, log = Memory(), []
        stepper.attach(memory)
        await stepper.run(counting(memory, "a", 2, log), counting(memory, "b", 2, log))
        seen.append("".join(log))

    assert (await explore(scenario, cuts_most=cuts)).whole
    assert sorted(seen) == orders.split()


async def test_a_task_that_waits_for_another_one_is_no_choice():
    runs = []

    async def scenario(stepper: Stepper) -> None:
        memory, event, log = Memory(), asyncio.Event(), []
        stepper.attach(memory)

        async def first() -> None:
            await memory.reach()
            log.append("first")
            event.set()

        async def second() -> None:
            await event.wait()
            await memory.reach()
            log.append("second")

        await stepper.run(second(), first())
        assert log == ["first", "second"]
        runs.append(log)

    assert await explore(scenario) == Explored(1, whole=True)


async def test_what_runs_in_the_background_is_stepped_too():
    orders = set()

    async def scenario(stepper: Stepper) -> None:
        memory, log, left = Memory(), [], []
        stepper.attach(memory)

        async def leaves() -> None:
            left.append(asyncio.create_task(counting(memory, "b", 1, log)))
            await counting(memory, "a", 1, log)

        await stepper.run(leaves())
        await asyncio.gather(*left)
        orders.add("".join(log))

    await explore(scenario)
    assert orders == {"ab", "ba"}


async def test_a_cancelled_call_is_no_choice_any_more():
    async def scenario(stepper: Stepper) -> None:
        memory, log = Memory(), []
        stepper.attach(memory)

        async def impatient() -> None:
            inner = asyncio.create_task(counting(memory, "never", 1, log))
            await asyncio.sleep(0)
            inner.cancel()
            await counting(memory, "a", 1, log)

        await stepper.run(impatient())
        assert log == ["a"]

    assert await explore(scenario) == Explored(1, whole=True)


async def test_tasks_that_wait_for_ever_are_noticed():
    async def scenario(stepper: Stepper) -> None:
        await stepper.run(asyncio.Event().wait())

    with pytest.raises(Stuck):
        await explore(scenario)


async def test_tasks_that_only_look_again_and_again_are_noticed():
    async def looks() -> None:
        while True:
            await asyncio.sleep(0.05)

    with pytest.raises(Stuck):
        await Stepper().run(looks())


async def test_timers_come_after_all_steps_and_nobody_waits_for_them():
    async def scenario(stepper: Stepper) -> None:
        memory, log = Memory(), []
        stepper.attach(memory)
        loop = asyncio.get_running_loop()
        loop.call_later(20, log.append, "later")
        loop.call_later(10, log.append, "soon")

        async def waits() -> None:
            await asyncio.wait_for(asyncio.Event().wait(), 30)

        (error,) = (await stepper.run(waits(), counting(memory, "a", 2, log)))[:1]
        assert isinstance(error, TimeoutError)
        assert log == ["a", "a", "soon", "later"]

    assert await explore(scenario) == Explored(1, whole=True)


async def test_delayed_wakes_are_steps_in_their_order():
    orders = set()

    async def scenario(stepper: Stepper) -> None:
        memory, log = Memory(), []
        wakes = Wakes(memory)
        stepper.attach(memory)
        stepper.delay(wakes)
        wakes.attend(Hearing(log))
        await wakes.listen("ann")

        async def publishes() -> None:
            for sid in "12":
                await memory.reach()
                memory.publish("ann", Replaced(sid))

        await stepper.run(publishes(), counting(memory, "a", 1, log))
        orders.add("".join(log))

    assert (await explore(scenario)).whole
    assert orders == {"a12", "1a2", "12a"}


async def test_an_error_of_a_task_is_handed_back():
    async def fails() -> None:
        raise ValueError("no")

    (error,) = await Stepper().run(fails())
    assert isinstance(error, ValueError)


async def test_too_many_interleavings_are_said_to_be_too_many():
    async def scenario(stepper: Stepper) -> None:
        memory, log = Memory(), []
        stepper.attach(memory)
        await stepper.run(*(counting(memory, name, 3, log) for name in "abc"))

    assert await explore(scenario, runs_most=50) == Explored(50, whole=False)


async def test_calls_pass_freely_while_nothing_is_stepped():
    memory = Memory()
    Stepper().attach(memory)
    async with asyncio.timeout(5):
        await memory.reach()


async def test_what_a_call_found_may_be_old_when_it_is_heard_of():
    found = set()

    async def scenario(stepper: Stepper) -> None:
        memory = Memory()
        store = memory_store(memory)
        stepper.attach(memory)
        stepper.linger(store.leases, "nodes")
        node = NodeInfo("node1", "0", 0)

        async def looks() -> None:
            nodes = await store.leases.nodes()
            found.add((len(nodes), len(memory.nodes)))

        await stepper.run(looks(), store.leases.renew(node, ttl_ms=1000, draining=False))

    assert await explore(scenario) == Explored(3, whole=True)
    assert found == {(0, 0), (0, 1), (1, 1)}
