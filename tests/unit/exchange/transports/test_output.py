"""Frames on their way to a transport that writes down what it is given."""

import asyncio

import pytest

from exchange.transports.outbox import Outbox
from exchange.transports.output import Output


class Line(asyncio.WriteTransport):
    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.waiting_bytes = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.waiting_bytes


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def output(line: Line) -> Output:
    return Output(line, Outbox())


async def test_frames_of_one_tick_leave_together_at_its_end(line, output):
    output.put(b"a")
    output.put(b"b")
    assert (line.writes, output.held_bytes, output.written_bytes) == ([], 2, 0)
    await asyncio.sleep(0)
    assert (line.writes, output.held_bytes, output.written_bytes) == ([b"ab"], 0, 2)


async def test_frames_of_two_ticks_leave_apart(line, output):
    for frame in (b"a", b"b"):
        output.put(frame)
        await asyncio.sleep(0)
    assert line.writes == [b"a", b"b"]


async def test_much_leaves_at_once_and_in_order(line, output):
    large = b"x" * (64 * 1024)
    output.put(b"a")
    output.put(large)
    assert line.writes == [b"a" + large]
    output.put(b"b")
    await asyncio.sleep(0)
    assert line.writes == [b"a" + large, b"b"]


async def test_what_is_dropped_never_leaves_and_what_comes_after_it_does(line, output):
    output.put(b"a")
    output.drop()
    assert output.held_bytes == 0
    output.put(b"b")
    await asyncio.sleep(0)
    assert line.writes == [b"b"]
    assert output.written_bytes == 1


async def test_flushing_nothing_writes_nothing(line, output):
    output.flush()
    assert line.writes == []


async def test_what_waits_is_what_the_transport_holds(line, output):
    line.waiting_bytes = 7
    output.put(b"a")
    assert output.waiting_bytes == 7
