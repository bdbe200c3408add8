import asyncio

import pytest

from worker import parallel
from worker.parallel import batches, for_each


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setattr(parallel, "WIDTH_COUNT", 3)


async def numbers(most):
    for number in range(most):
        yield number


@pytest.mark.parametrize("most", [0, 1, 3, 7])
async def test_every_item_is_in_one_batch(most):
    cut = [batch async for batch in batches(numbers(most))]
    assert [number for batch in cut for number in batch] == list(range(most))
    assert all(1 <= len(batch) <= 3 for batch in cut)


async def test_at_most_a_width_of_steps_is_under_way():
    running, most = set(), []

    async def step(item):
        running.add(item)
        most.append(len(running))
        await asyncio.sleep(0)
        running.discard(item)

    await for_each(range(8), step)
    assert max(most) == 3
    assert len(most) == 8


async def test_the_steps_beside_one_that_failed_end_before_it_is_told():
    done = []

    async def step(item):
        await asyncio.sleep(0)
        if item == 0:
            raise ValueError("the first")
        await asyncio.sleep(0)
        done.append(item)

    with pytest.raises(ValueError, match="the first"):
        await for_each(range(8), step)
    assert done == [1, 2]


async def test_a_cut_off_cuts_off_the_steps():
    started, ended = asyncio.Event(), []

    async def step(item):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(item)

    task = asyncio.create_task(for_each(range(3), step))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [0, 1, 2]
