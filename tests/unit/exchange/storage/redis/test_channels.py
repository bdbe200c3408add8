import asyncio

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.storage.redis.channels import Channels
from exchange.storage.redis.connection import Break, Counters
from exchange.storage.redis.resp import pack
from exchange.storage.redis.subscription import Subscription
from tests.harness.transport import StubTransport
from tests.harness.waiting import eventually


class Server:
    """A subscription on a stub: it shows what was asked, and answers when told."""

    def __init__(self, channels):
        self.subscription = Subscription(
            Counters(), timeout_seconds=30, on_break=lambda _: channels.fell(), on_message=lambda *_: None
        )
        self.transport = StubTransport(self.subscription)

    def asked(self):
        words = b"".join(self.transport.writes).split(b"\r\n")
        return list(zip(words[2::5], words[4::5], strict=False))

    def confirm(self, verb, channel):
        self.subscription.data_received(b"*3\r\n" + pack((verb, channel))[4:] + b":1\r\n")

    def lose(self):
        self.subscription.close(Break.LOST)


@pytest.fixture
def channels():
    return Channels()


async def subscribed(channels, server, name):
    task = asyncio.create_task(channels.subscribe(name))
    await eventually(lambda: (b"SUBSCRIBE", name.encode()) in server.asked())
    server.confirm(b"subscribe", name)
    await task


async def test_a_channel_is_remembered_once_it_is_confirmed(channels):
    server = Server(channels)
    channels.rose(server.subscription)
    task = asyncio.create_task(channels.subscribe("a"))
    await eventually(server.asked)
    assert channels.names() == []
    server.confirm(b"subscribe", b"a")
    await task
    assert channels.names() == [b"a"]
    server.lose()
    assert channels.names() == [b"a"]


async def test_a_channel_whose_confirmation_never_came_is_not_remembered(channels):
    server = Server(channels)
    channels.rose(server.subscription)
    task = asyncio.create_task(channels.subscribe("a"))
    await eventually(server.asked)
    server.lose()
    with pytest.raises(StorageUnavailable):
        await task
    assert channels.names() == []


async def test_a_later_subscribe_wins_over_an_earlier_unsubscribe(channels):
    server = Server(channels)
    channels.rose(server.subscription)
    await subscribed(channels, server, "a")
    channels.unsubscribe("a")
    task = asyncio.create_task(channels.subscribe("a"))
    await eventually(lambda: len(server.asked()) == 3)
    server.confirm(b"unsubscribe", b"a")
    assert channels.names() == []
    server.confirm(b"subscribe", b"a")
    await task
    assert channels.names() == [b"a"]


async def test_whoever_asks_while_it_is_down_is_served_in_order_when_it_is_up(channels):
    task = asyncio.create_task(channels.subscribe("a"))
    await asyncio.sleep(0)
    channels.unsubscribe("a")
    server = Server(channels)
    channels.rose(server.subscription)
    await eventually(lambda: len(server.asked()) == 2)
    assert server.asked() == [(b"SUBSCRIBE", b"a"), (b"UNSUBSCRIBE", b"a")]
    server.confirm(b"subscribe", b"a")
    server.confirm(b"unsubscribe", b"a")
    await task
    assert channels.names() == []
    server.lose()


async def test_whoever_waits_too_long_while_it_is_down_is_refused(channels):
    with pytest.raises(StorageUnavailable) as caught:
        await channels.subscribe("a")
    assert not caught.value.sent


async def test_a_channel_given_up_during_an_outage_is_given_up_on_the_next_connection(channels):
    server = Server(channels)
    channels.rose(server.subscription)
    await subscribed(channels, server, "a")
    await subscribed(channels, server, "b")
    server.lose()
    channels.unsubscribe("a")
    await eventually(lambda: channels.names() == [b"b"])
    # The next connection was being opened with both names all the while.
    following = Server(channels)
    channels.rose(following.subscription)
    await eventually(following.asked)
    assert following.asked() == [(b"UNSUBSCRIBE", b"a")]
    following.lose()


async def test_an_unsubscribe_that_broke_off_is_not_undone_by_the_next_connection(channels):
    server = Server(channels)
    channels.rose(server.subscription)
    await subscribed(channels, server, "a")
    channels.unsubscribe("a")
    server.lose()
    assert channels.names() == []


async def test_clearing_refuses_whoever_waits(channels):
    task = asyncio.create_task(channels.subscribe("a"))
    await asyncio.sleep(0)
    channels.clear()
    with pytest.raises(StorageUnavailable):
        await task
