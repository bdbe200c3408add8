from functools import partial

from exchange.storage.redis.room import PLACES_COUNT, Room
from tests.harness.waiting import eventually


def enter(room, log, name, **options):
    room.enter(partial(log.append, (name, "in")), lambda error: log.append((name, error.sent)), **options)


async def test_callers_are_let_in_in_order_and_only_while_it_is_open():
    room, log = Room(), []
    for name in range(5):
        enter(room, log, name)
    room.admit(lambda: len(log) < 3)
    assert log == [(0, "in"), (1, "in"), (2, "in")]
    assert len(room) == 2
    room.clear()


async def test_whoever_waited_too_long_is_refused_as_not_sent_and_not_let_in_later():
    room, log = Room(), []
    enter(room, log, "a")
    enter(room, log, "b")
    await eventually(lambda: len(log) == 2)
    assert log == [("a", False), ("b", False)]
    room.admit(lambda: True)
    assert len(log) == 2


async def test_a_later_caller_waits_its_own_time():
    room, log = Room(), []
    enter(room, log, "a")
    await eventually(lambda: log == [("a", False)])
    enter(room, log, "b")
    assert len(room) == 1
    await eventually(lambda: log == [("a", False), ("b", False)])


async def test_a_full_room_refuses_but_not_from_inside_the_call():
    room, log = Room(), []
    for name in range(PLACES_COUNT):
        enter(room, log, name)
    enter(room, log, "late")
    assert log == []
    await eventually(lambda: log)
    assert log[0] == ("late", False)
    room.clear()


async def test_what_must_keep_its_turn_enters_a_full_room():
    room, log = Room(), []
    for name in range(PLACES_COUNT):
        enter(room, log, name)
    enter(room, log, "turn", always=True)
    room.admit(lambda: True)
    assert log[-1] == ("turn", "in")


async def test_clearing_refuses_everybody_once_even_if_they_come_back_at_once():
    room, refused = Room(), []

    def again(error):
        refused.append(error)
        if len(refused) < 5:
            room.enter(lambda: None, again)

    room.enter(lambda: None, again)
    room.clear()
    assert len(refused) == 1
    assert len(room) == 1
    await eventually(lambda: len(refused) == 5)
    assert len(room) == 0
