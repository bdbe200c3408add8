"""The way out of the process."""

import os
import threading
from collections.abc import Iterator

import pytest

from exchange.logs.outlet import ATOMIC_BYTES, WAITING_BYTES, Outlet
from tests.harness.waiting import eventually


class Pipe:
    """Both ends of a pipe; what is read is collected in ``seen``."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        self.seen = b""
        self._reader: threading.Thread | None = None

    def drain(self) -> None:
        """Read in the background from now on."""
        self._reader = threading.Thread(target=self._run, daemon=True)
        self._reader.start()

    def _run(self) -> None:
        while data := os.read(self.read, 65536):
            self.seen += data

    def lines(self) -> list[str]:
        return self.seen.decode().splitlines()

    def close(self) -> None:
        """Close the writing end, read to the end, close the reading end."""
        os.close(self.write)
        if self._reader is None:
            self.drain()
        assert self._reader is not None
        self._reader.join(10)
        os.close(self.read)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture
def outlet(pipe: Pipe) -> Iterator[Outlet]:
    outlet = Outlet(pipe.write, lambda count: f"lost {count}")
    yield outlet
    outlet.close()


async def test_a_line_arrives_without_anybody_asking_for_it(pipe: Pipe, outlet: Outlet) -> None:
    pipe.drain()
    outlet.write("héllo 🔌")
    await eventually(lambda: pipe.lines() == ["héllo 🔌"])


async def test_lines_of_many_threads_arrive_whole_and_in_the_order_of_each(pipe: Pipe, outlet: Outlet) -> None:
    pipe.drain()

    def speak(name: str) -> None:
        for number in range(500):
            outlet.write(f"{name} {number} {'x' * 50}")

    threads = [threading.Thread(target=speak, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outlet.close()
    await eventually(lambda: len(pipe.lines()) == 2000)
    for name in "abcd":
        heard = [line for line in pipe.lines() if line.startswith(name)]
        assert heard == [f"{name} {number} {'x' * 50}" for number in range(500)]


async def test_closing_writes_what_waits(pipe: Pipe, outlet: Outlet) -> None:
    pipe.drain()
    for number in range(1000):
        outlet.write(str(number))
    outlet.close()
    await eventually(lambda: pipe.lines() == [str(number) for number in range(1000)])


async def test_a_pipe_that_nobody_reads_blocks_no_writer_and_the_loss_is_told_later(pipe: Pipe, outlet: Outlet) -> None:
    line = "x" * 1000
    written = 0
    while outlet.dropped_count < 100:
        outlet.write(line)
        written += 1
        assert written < 10 * WAITING_BYTES // len(line)
    pipe.drain()
    await eventually(lambda: any(text.startswith("lost") for text in pipe.lines()))
    outlet.write("back")
    await eventually(lambda: "back" in pipe.lines())
    lost = sum(int(text.removeprefix("lost ")) for text in pipe.lines() if text.startswith("lost"))
    assert lost == outlet.dropped_count
    assert pipe.lines().count(line) == written - lost


async def test_closing_gives_up_on_a_pipe_that_nobody_reads(pipe: Pipe) -> None:
    outlet = Outlet(pipe.write, str)
    for _ in range(500):
        outlet.write("x" * 1000)
    outlet.close(seconds=0.01)
    pipe.drain()
    outlet.close()
    await eventually(lambda: len(pipe.lines()) == 500)


async def test_a_reader_that_went_away_costs_lines_and_nothing_else() -> None:
    read, write = os.pipe()
    os.close(read)
    outlet = Outlet(write, str)
    try:
        outlet.write("one")
        outlet.write("two")
        await eventually(lambda: outlet.dropped_count >= 2)
    finally:
        outlet.close()
        os.close(write)


async def test_a_descriptor_made_nonblocking_by_somebody_else_loses_nothing(pipe: Pipe, outlet: Outlet) -> None:
    os.set_blocking(pipe.write, False)
    for number in range(400):
        outlet.write(f"{number} {'x' * 1000}")
    pipe.drain()
    await eventually(lambda: len(pipe.lines()) == 400)


async def test_what_is_no_unicode_is_escaped(pipe: Pipe, outlet: Outlet) -> None:
    pipe.drain()
    outlet.write("half \ud83d a character")
    await eventually(lambda: pipe.lines() == ["half \\ud83d a character"])


async def test_pieces_are_whole_lines_that_no_other_process_can_tear(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[bytes] = []
    monkeypatch.setattr(os, "write", lambda _fd, data: pieces.append(bytes(data)) or len(data))
    outlet = Outlet(-1, str)
    for number in range(200):
        outlet.write(f"{number} {'x' * 90}")
    outlet.close()
    assert b"".join(pieces).count(b"\n") == 200
    assert all(len(piece) <= ATOMIC_BYTES and piece.endswith(b"\n") for piece in pieces)
    assert len(pieces) < 10
