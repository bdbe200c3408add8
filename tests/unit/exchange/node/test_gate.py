"""Who may pass a gate, and when."""

import asyncio

import pytest

from exchange.node.gate import Gate


async def waiting(gate: Gate) -> asyncio.Task[None]:
    """Return a task that waits at the gate."""
    task = asyncio.create_task(gate.wait())
    await asyncio.sleep(0)
    return task


async def test_so_many_enter_and_no_more():
    gate = Gate(2)
    assert [gate.enter() for _ in range(3)] == [True, True, False]
    gate.leave()
    assert [gate.enter() for _ in range(2)] == [True, False]


async def test_whoever_waits_need_not_if_there_is_room():
    gate = Gate(1)
    await gate.wait()
    assert not gate.enter()


async def test_those_who_wait_are_let_in_by_age_and_before_whoever_comes_later():
    gate = Gate(1)
    assert gate.enter()
    first, second = await waiting(gate), await waiting(gate)
    gate.leave()
    assert not gate.enter(), "the place is kept for the first"
    await asyncio.wait_for(first, 5)
    assert not second.done()
    gate.leave()
    await asyncio.wait_for(second, 5)
    gate.leave()
    assert gate.enter()


async def test_whoever_gives_up_takes_no_place():
    gate = Gate(1)
    assert gate.enter()
    first, second = await waiting(gate), await waiting(gate)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.leave()
    await asyncio.wait_for(second, 5)
    gate.leave()
    assert gate.enter()


async def test_whoever_gives_up_in_the_moment_it_is_let_in_lets_the_next_one_in():
    gate = Gate(1)
    assert gate.enter()
    first, second = await waiting(gate), await waiting(gate)
    gate.leave()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await asyncio.wait_for(second, 5)
    gate.leave()
    assert gate.enter()


async def test_a_place_is_not_given_to_whoever_has_given_up_but_does_not_know_yet():
    gate = Gate(1)
    assert gate.enter()
    first = await waiting(gate)
    first.cancel()
    gate.leave()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert gate.enter()
