import asyncio

from magi.daemon.pulse import Pulse
from tests.harness.waiting import WAIT_SECONDS


async def test_a_change_after_the_count_was_read_is_not_missed():
    pulse = Pulse()
    beats = pulse.beats
    pulse.beat()
    assert await pulse.after(beats, seconds=WAIT_SECONDS)


async def test_everybody_who_waits_hears_of_a_change():
    pulse = Pulse()
    waiting = [asyncio.create_task(pulse.after(pulse.beats, seconds=WAIT_SECONDS)) for _ in range(3)]
    await asyncio.sleep(0)
    pulse.beat()
    assert await asyncio.gather(*waiting) == [True] * 3


async def test_without_a_change_the_wait_ends_in_time():
    pulse = Pulse()
    pulse.beat()
    assert not await pulse.after(pulse.beats, seconds=0.01)
