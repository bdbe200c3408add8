"""The wait for an answer."""

from contextlib import contextmanager

from msgspec.structs import replace

from magi.cli.watch import is_final, is_sent, watch
from tests.harness.fake_desk import ASK, FakeDesk

QUEUED = replace(ASK, state="queued", said="kept by the exchange for bob")
ANSWERED = replace(ASK, state="answered", said="answered")


class Shown:
    """Keeps what the spinner shows."""

    def __init__(self):
        self.texts = []

    @contextmanager
    def spinner(self):
        """Give what keeps it."""
        yield self.texts.append


async def test_the_wait_shows_every_state_and_ends_with_the_answer():
    shown = Shown()
    desk = FakeDesk(states=[ASK, QUEUED, ANSWERED])
    assert await watch(desk, ASK, 60, shown, is_final) == ANSWERED
    assert [text.rpartition(",")[0] for text in shown.texts] == ["not sent yet", "not sent yet", QUEUED.said]


async def test_the_wait_ends_when_its_time_is_over_with_how_it_stands():
    desk = FakeDesk(states=[QUEUED])
    assert await watch(desk, ASK, 0.001, Shown(), is_final) == QUEUED
    assert all(seconds <= 0.001 for _, (_, seconds), _ in desk.calls)


async def test_no_time_is_no_wait():
    desk = FakeDesk()
    assert await watch(desk, ASK, 0, Shown(), is_final) == ASK
    assert desk.calls == []


def test_what_the_owner_has_to_see_first_is_waited_for_no_longer():
    assert is_final(replace(ASK, state="held_here"))
    assert not is_final(QUEUED)
    assert is_sent(QUEUED)
    assert not is_sent(ASK)
