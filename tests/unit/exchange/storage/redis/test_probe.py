import asyncio
from types import SimpleNamespace

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.storage.redis.probe import Probe
from exchange.storage.redis.resp import ReplyError, pack


class Commands:
    """Answers each publish at once, after it was heard or not."""

    def __init__(self, probe, *, count=1, payload=None):
        self.sent = []
        self._probe, self._count, self._payload = probe, count, payload

    def send(self, data, done):
        self.sent.append(data)
        number = b"%d" % len(self.sent)
        self._probe.hear(number if self._payload is None else self._payload)
        done(self._count)


@pytest.fixture
def probe():
    return Probe("probe", timeout_seconds=0.05)


async def ask(probe, **options):
    return await probe.passes(SimpleNamespace(commands=Commands(probe, **options)))


async def test_a_number_that_is_counted_and_heard_passes(probe):
    assert await ask(probe)


@pytest.mark.parametrize("count", [0, ReplyError("NOPERM"), StorageUnavailable()])
async def test_a_number_that_is_heard_but_not_counted_fails(probe, count):
    assert not await ask(probe, count=count)


async def test_a_number_that_is_counted_but_not_heard_fails(probe):
    assert not await ask(probe, payload=b"something else")


async def test_no_answer_at_all_fails(probe):
    assert not await probe.passes(SimpleNamespace(commands=SimpleNamespace(send=lambda *_: None)))


async def test_a_late_number_does_not_pass_the_next_probe(probe):
    commands = Commands(probe, payload=b"1")
    assert await probe.passes(SimpleNamespace(commands=commands))
    assert not await probe.passes(SimpleNamespace(commands=commands))
    assert commands.sent == [pack(("PUBLISH", "probe", number)) for number in (1, 2)]


async def test_a_probe_ends_at_once_when_the_connections_are_gone():
    probe = Probe("probe", timeout_seconds=3600)
    commands = SimpleNamespace(send=lambda _data, done: done(1))
    task = asyncio.create_task(probe.passes(SimpleNamespace(commands=commands)))
    await asyncio.sleep(0)
    probe.give_up()
    assert not await task
