import asyncio

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.storage.redis import connection as module
from exchange.storage.redis.connection import INFLIGHT_BYTES, INFLIGHT_COUNT, WRITE_COUNT, Break, Connection, Counters
from exchange.storage.redis.resp import ReplyError, pack
from tests.harness.transport import StubTransport
from tests.harness.waiting import eventually, stall

PING = pack(("PING",))


class Rig:
    """A connection on a stub, and what it reported."""

    def __init__(self, timeout_seconds=30.0):
        self.breaks = []
        self.replies = []
        self.counters = Counters()
        self.connection = Connection(self.counters, timeout_seconds=timeout_seconds, on_break=self.breaks.append)
        self.transport = StubTransport(self.connection)

    def send(self, data=PING):
        self.connection.send(data, self.replies.append)

    def outcome(self):
        return [reply.sent if isinstance(reply, StorageUnavailable) else reply for reply in self.replies]


@pytest.fixture
async def rig():
    rig = Rig()
    yield rig
    rig.connection.close(Break.STOPPED)
    await rig.connection.gone()


async def tick():
    await asyncio.sleep(0)


async def test_what_is_sent_in_one_tick_leaves_in_one_write(rig):
    for _ in range(10):
        rig.send()
    assert rig.transport.writes == []
    await tick()
    assert rig.transport.writes == [PING * 10]
    assert (rig.counters.commands, rig.counters.batches) == (10, 1)


async def test_a_write_holds_at_most_so_many_commands(rig):
    for _ in range(2 * WRITE_COUNT + 1):
        rig.send()
    await tick()
    assert [len(write) // len(PING) for write in rig.transport.writes] == [WRITE_COUNT, WRITE_COUNT, 1]


async def test_a_write_ends_with_the_command_that_makes_it_large(rig):
    large = pack(("SET", "key", b"x" * 200_000))
    for _ in range(3):
        rig.send(large)
    await tick()
    assert rig.transport.writes == [large * 2, large]


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
async def test_replies_go_to_their_commands_however_the_stream_is_cut(rig, size):
    for _ in range(4):
        rig.send()
    await tick()
    stream = b"+PONG\r\n:5\r\n*2\r\n$1\r\na\r\n$-1\r\n-ERR no\r\n"
    for start in range(0, len(stream), size):
        rig.connection.data_received(stream[start : start + size])
    assert rig.replies[:3] == [b"PONG", 5, [b"a", None]]
    assert isinstance(rig.replies[3], ReplyError)
    assert rig.connection.inflight == 0
    assert rig.counters.errors == {"ERR": 1}


async def test_a_callback_that_raises_costs_nobody_else_a_reply(rig):
    rig.send()
    rig.connection.send(PING, lambda _: 1 / 0)
    rig.send()
    await tick()
    rig.connection.data_received(b":1\r\n:2\r\n:3\r\n")
    assert rig.replies == [1, 3]
    assert rig.connection.broken is None


async def test_commands_that_had_left_are_unknown_and_the_others_not_sent_when_it_breaks(rig):
    rig.send()
    rig.send()
    await tick()
    rig.send()
    rig.connection.close(Break.LOST)
    assert rig.outcome() == [True, True, False]
    assert rig.counters.unknown == 2
    assert rig.breaks == [Break.LOST]


async def test_the_break_is_reported_before_the_commands_fail(rig):
    order = []
    connection = Connection(Counters(), timeout_seconds=30, on_break=order.append)
    StubTransport(connection)
    connection.send(PING, lambda _: order.append("failed"))
    connection.close(Break.PROBE)
    assert order == [Break.PROBE, "failed"]


async def test_a_lost_connection_fails_its_commands_once(rig):
    rig.send()
    await tick()
    rig.transport.abort()
    await rig.connection.gone()
    assert rig.breaks == [Break.LOST]
    assert rig.outcome() == [True]


async def test_closing_inside_a_callback_calls_nobody_twice(rig):
    rig.connection.send(PING, lambda _: rig.connection.close(Break.LOST))
    rig.send()
    await tick()
    rig.connection.data_received(b":1\r\n:2\r\n")
    assert rig.outcome() == [True]


async def test_sending_on_a_broken_connection_fails_as_not_sent_and_later(rig):
    rig.connection.close(Break.LOST)
    rig.send()
    assert rig.replies == []
    await tick()
    assert rig.outcome() == [False]


async def test_a_transport_that_closed_unnoticed_means_not_sent(rig):
    rig.send()
    rig.transport._closing = True
    await eventually(lambda: rig.replies)
    assert rig.outcome() == [False]
    assert rig.breaks == [Break.LOST]
    rig.connection.connection_lost(None)


async def test_a_write_that_raises_means_unknown(rig, monkeypatch):
    def refuse(_data):
        raise OSError("broken")

    monkeypatch.setattr(rig.transport, "write", refuse)
    for _ in range(WRITE_COUNT):
        rig.send()
    assert rig.replies == []
    await eventually(lambda: rig.replies)
    assert set(rig.outcome()) == {True}
    assert rig.breaks == [Break.LOST]


@pytest.mark.parametrize("data", [b"?what\r\n", b"+OK\r\n"])
async def test_bytes_that_nobody_asked_for_break_it(rig, data):
    rig.connection.data_received(data)
    assert rig.breaks == [Break.PROTOCOL]


async def test_a_demoted_server_breaks_it_after_the_reply(rig):
    rig.send()
    await tick()
    rig.connection.data_received(b"-READONLY You can't write against a read only replica.\r\n")
    assert isinstance(rig.replies[0], ReplyError)
    await eventually(lambda: rig.breaks == [Break.DEMOTED])


async def test_no_reply_in_time_breaks_it():
    rig = Rig(timeout_seconds=0.05)
    rig.send()
    await eventually(lambda: rig.breaks)
    assert rig.breaks == [Break.TIMEOUT]
    assert rig.outcome() == [True]
    await rig.connection.gone()


async def test_the_oldest_command_counts_even_while_newer_ones_are_sent():
    rig = Rig(timeout_seconds=0.05)

    def more():
        rig.send()
        return rig.breaks

    await eventually(more)
    assert rig.breaks == [Break.TIMEOUT]
    await rig.connection.gone()


async def test_replies_in_time_keep_it_up():
    rig = Rig(timeout_seconds=0.5)
    for count in range(1, 120):
        rig.send()
        await eventually(lambda: len(rig.transport.writes) == count)
        rig.connection.data_received(b":1\r\n")
    assert rig.breaks == []
    assert len(rig.replies) == 119
    await eventually(lambda: rig.connection._ticker is None)
    rig.connection.close(Break.STOPPED)
    await rig.connection.gone()


async def test_a_pause_of_this_process_is_not_the_servers_fault():
    rig = Rig(timeout_seconds=0.2)
    rig.send()
    await eventually(lambda: rig.transport.writes)
    stall(0.5)
    await tick()
    await tick()
    assert rig.breaks == []
    rig.connection.data_received(b"+PONG\r\n")
    assert rig.replies == [b"PONG"]
    rig.connection.close(Break.STOPPED)
    await rig.connection.gone()


async def test_it_is_full_by_count_and_has_room_again_after_a_reply(rig):
    reads = []
    rig.connection._on_read = lambda: reads.append(rig.connection.full)
    for _ in range(INFLIGHT_COUNT - 1):
        rig.send()
    assert not rig.connection.full
    rig.send()
    assert rig.connection.full
    await tick()
    rig.connection.data_received(b":1\r\n")
    assert reads == [False]


async def test_it_is_full_by_bytes(rig):
    rig.connection.send(b"x" * (INFLIGHT_BYTES - 1), rig.replies.append)
    assert not rig.connection.full
    rig.connection.send(b"x", rig.replies.append)
    assert rig.connection.full


async def test_cancelling_one_who_waits_disturbs_nobody(rig):
    first = asyncio.create_task(rig.connection.reply("PING"))
    second = asyncio.create_task(rig.connection.reply("PING"))
    await eventually(lambda: rig.transport.writes)
    first.cancel()
    await tick()
    rig.connection.data_received(b":1\r\n:2\r\n")
    assert await second == 2
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_connection_that_was_given_up_while_it_was_made_is_aborted():
    connection = Connection(Counters(), timeout_seconds=30, on_break=lambda _: None)
    connection.close(Break.STOPPED)
    transport = StubTransport(connection)
    assert transport.is_closing()
    await connection.gone()


async def test_settling_survives_the_callback():
    module.settle(lambda _: 1 / 0, None)
