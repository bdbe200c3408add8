import asyncio

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.storage.redis.connection import Break, Counters
from exchange.storage.redis.resp import ReplyError, pack
from exchange.storage.redis.subscription import Subscription
from tests.harness.transport import StubTransport


class Rig:
    def __init__(self):
        self.breaks, self.heard, self.replies = [], [], []
        self.counters = Counters()
        self.subscription = Subscription(
            self.counters, timeout_seconds=30, on_break=self.breaks.append, on_message=self.hear
        )
        self.transport = StubTransport(self.subscription)

    def hear(self, channel, payload):
        self.heard.append((channel, payload))
        if payload == b"bad":
            raise ValueError("a listener that fails")

    def say(self, *replies):
        self.subscription.data_received(b"".join(replies))


def message(channel, payload):
    return pack((b"message", channel, payload))


def confirmation(verb, channel, count=1):
    return b"*3\r\n" + pack((verb, channel))[4:] + b":%d\r\n" % count


@pytest.fixture
async def rig():
    rig = Rig()
    yield rig
    rig.subscription.close(Break.STOPPED)
    await rig.subscription.gone()


async def test_messages_are_heard_in_order_between_confirmations(rig):
    rig.subscription.subscribe(b"a", rig.replies.append)
    rig.subscription.subscribe(b"b", rig.replies.append)
    rig.say(
        confirmation(b"subscribe", b"a"), message(b"a", b"1"), confirmation(b"subscribe", b"b"), message(b"a", b"2")
    )
    assert rig.heard == [(b"a", b"1"), (b"a", b"2")]
    assert rig.replies == [[b"subscribe", b"a", 1], [b"subscribe", b"b", 1]]
    assert rig.counters.messages == 2
    assert rig.breaks == []


async def test_each_channel_is_asked_for_in_order(rig):
    rig.subscription.subscribe(b"a", rig.replies.append)
    rig.subscription.unsubscribe(b"a", rig.replies.append)
    rig.subscription.subscribe(b"a", rig.replies.append)
    await asyncio.sleep(0)
    assert rig.transport.writes == [pack(("SUBSCRIBE", "a")) + pack(("UNSUBSCRIBE", "a")) + pack(("SUBSCRIBE", "a"))]


async def test_a_listener_that_raises_costs_no_later_message(rig):
    rig.say(message(b"a", b"bad"), message(b"a", b"good"))
    assert rig.heard == [(b"a", b"bad"), (b"a", b"good")]
    assert rig.breaks == []


@pytest.mark.parametrize("verb", [b"subscribe", b"unsubscribe"])
async def test_a_confirmation_that_nobody_asked_for_breaks_it(rig, verb):
    rig.say(confirmation(verb, b"a"))
    assert rig.breaks == [Break.CONFIRMATION]


async def test_a_repeated_confirmation_breaks_it(rig):
    rig.subscription.subscribe(b"a", rig.replies.append)
    rig.say(confirmation(b"subscribe", b"a"), confirmation(b"subscribe", b"a"))
    assert rig.breaks == [Break.CONFIRMATION]


@pytest.mark.parametrize(("verb", "channel"), [(b"subscribe", b"b"), (b"unsubscribe", b"a")])
async def test_a_confirmation_of_something_else_breaks_it_and_is_not_taken_for_ours(rig, verb, channel):
    rig.subscription.subscribe(b"a", rig.replies.append)
    rig.say(confirmation(verb, channel))
    assert rig.breaks == [Break.CONFIRMATION]
    assert isinstance(rig.replies[0], StorageUnavailable)


async def test_a_refused_channel_is_an_error_reply(rig):
    rig.subscription.subscribe(b"a", rig.replies.append)
    rig.say(b"-NOPERM no access to the channel\r\n")
    assert isinstance(rig.replies[0], ReplyError)
    assert rig.breaks == []


async def test_what_waits_fails_when_it_breaks(rig):
    rig.subscription.subscribe(b"a", rig.replies.append)
    rig.say(b"?\r\n")
    assert rig.breaks == [Break.PROTOCOL]
    assert isinstance(rig.replies[0], StorageUnavailable)
