import pytest

from magi.client.model import Kind
from magi.daemon.port import DeskError
from tests.harness.desks import ours


async def test_the_beginning_of_an_id_is_enough_in_any_letter_case(bureau):
    message = await bureau.asked("k7qz")
    for start in ("k7qz", "k7", "K7Q", " k7 "):
        assert (await bureau.papers.theirs(start)).id == message.id


async def test_of_several_the_open_one_is_meant(bureau):
    await bureau.asked("k1")
    await bureau.asked("k2")
    with pytest.raises(DeskError, match="Several ids"):
        await bureau.papers.theirs("k")
    await bureau.store.settle("bob", "k1", "acked")
    assert (await bureau.papers.theirs("k")).id == "k2"


async def test_a_whole_id_is_never_ambiguous(bureau):
    await bureau.asked("k1")
    await bureau.asked("k11")
    assert (await bureau.papers.theirs("k1")).id == "k1"


async def test_of_ours_the_ask_is_meant(bureau):
    for id_, kind in (("k1", Kind.ASK), ("k2", Kind.NOTE)):
        await bureau.store.put_out(ours(id_, kind=kind))
    assert (await bureau.papers.ours("k")).id == "k1"


async def test_a_parent_may_be_theirs_or_ours(bureau):
    await bureau.asked("k1")
    await bureau.store.put_out(ours("m1"))
    assert (await bureau.papers.either("k")).id == "k1"
    assert (await bureau.papers.either("m")).id == "m1"


@pytest.mark.parametrize("start", ["", " ", "nothing"])
async def test_nothing_is_nothing(bureau, start):
    for look in (bureau.papers.theirs, bureau.papers.ours, bureau.papers.either):
        with pytest.raises(DeskError, match="nothing with the id"):
            await look(start)
