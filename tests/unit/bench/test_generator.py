"""Twin of ``bench/generator.py`` and ``bench/generator.c``: the load against a scripted exchange."""

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import Callable

import pytest

from bench.generator import Load, build, drive
from bench.process import Unmeasurable
from tests.harness.waiting import WAIT_SECONDS

LOAD = Load(pairs=3, paced_per_second=100, warm_seconds=0.1, saturate_seconds=0.3, pace_seconds=0.3)
ACCEPT = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"


def frame(message: object) -> bytes:
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    head = bytes([0x81, len(data)]) if len(data) < 126 else b"\x81\x7e" + len(data).to_bytes(2, "big")
    return head + data


class Scripted:
    """An exchange on one port whose deliveries ``spoil`` may change; ``piece`` bytes leave at a time, 0 is all at once."""

    def __init__(self, spoil: Callable[[int, bytes], bytes] = lambda _count, data: data, piece: int = 0) -> None:
        self.spoil = spoil
        self.piece = piece
        self.count = 0
        self.pongs = 0
        self.tasks: set[asyncio.Task] = set()
        self.outboxes: dict[str, asyncio.Queue[bytes]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        outbox: asyncio.Queue[bytes] = asyncio.Queue()
        sending = asyncio.create_task(self.send(outbox, writer))
        self.tasks |= {sending, asyncio.current_task()}
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            # The greeting and a ping ride in the same segment as the end of the handshake.
            outbox.put_nowait(ACCEPT + b"\x89\x02hi" + frame({"type": "connected", "clientId": "x"}))
            me = [""]
            while True:
                head = await reader.readexactly(2)
                size = head[1] & 127
                if size == 126:
                    size = int.from_bytes(await reader.readexactly(2), "big")
                mask = await reader.readexactly(4)
                data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(await reader.readexactly(size)))
                if head[0] == 0x8A:
                    assert data == b"hi"
                    self.pongs += 1
                else:
                    self.handle(me, outbox, json.loads(data))
        sending.cancel()
        writer.close()

    def handle(self, me: list[str], outbox: asyncio.Queue[bytes], request: dict) -> None:
        match request["type"]:
            case "identify":
                me[0] = request["username"]
                self.outboxes[me[0]] = outbox
                outbox.put_nowait(frame({"type": "identified"}))
            case "create_invite":
                outbox.put_nowait(frame({"type": "invite_created", "code": me[0]}))
            case "connect":
                outbox.put_nowait(frame({"type": "connected_to_friend"}))
                self.outboxes[request["code"]].put_nowait(frame({"type": "friend_connected"}))
            case kind:
                self.count += 1
                push = {"type": "question" if kind == "ask" else "answer", "content": request["content"]}
                self.outboxes[request["to"]].put_nowait(self.spoil(self.count, frame(push)))
                sent = {"type": "question_sent" if kind == "ask" else "answer_sent", "content": request["content"]}
                outbox.put_nowait(frame(sent))

    async def send(self, outbox: asyncio.Queue[bytes], writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                data = await outbox.get()
                for at in range(0, len(data), self.piece or len(data) or 1):
                    writer.write(data[at : at + (self.piece or len(data))])
                    await writer.drain()
                    await asyncio.sleep(0)


async def run(exchange: Scripted, load: Load = LOAD, watched: tuple[int, ...] = ()) -> dict:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler to build the load generator")
    server = await asyncio.start_server(exchange.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        program = await asyncio.to_thread(build)
        cores = os.sched_getaffinity(0)
        return await asyncio.to_thread(drive, program, load, [port, port], watched or [os.getpid()], cores)
    finally:
        server.close()
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.gather(*exchange.tasks, return_exceptions=True)


async def test_all_messages_are_counted_and_timed():
    said = await run(Scripted())
    assert said["lost"] == 0
    assert said["saturated"]["messages"] > 10
    assert abs(said["saturated"]["delivery_us"]["count"] - said["saturated"]["messages"]) <= 2 * LOAD.pairs
    assert said["paced"]["delivery_us"]["count"] == said["paced"]["receipt_us"]["count"] == 30
    assert set(said["paced"]["cpu_us"]) == {str(os.getpid())}
    assert said["saturated"]["cpu_us"][str(os.getpid())] > 0


async def test_percentiles_rise():
    times = (await run(Scripted()))["saturated"]["delivery_us"]
    assert 0 < times["p50"] <= times["p90"] <= times["p99"] <= times["max"]


@pytest.mark.parametrize("piece", [1, 7, 100])
async def test_frames_may_come_in_pieces(piece):
    exchange = Scripted(piece=piece)
    assert (await run(exchange))["lost"] == 0
    assert exchange.pongs == 2 * LOAD.pairs


async def test_two_frames_may_come_in_one_piece():
    held: list[bytes] = []

    def late_answer(count: int, data: bytes) -> bytes:
        held.append(b"\x8a\x00" + data)  # an unasked pong before each frame
        return held.pop()

    assert (await run(Scripted(late_answer)))["lost"] == 0


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda count, data: b"" if count == 20 else data, "messages were lost"),
        (lambda count, data: 2 * data if count == 20 else data, "waits for message"),
        (lambda count, data: data.replace(b"000", b"001", 1) if count == 20 else data, "waits for message"),
        (lambda count, data: frame({"type": "error", "message": "No"}) if count == 20 else data, "error frame.*No"),
        (lambda count, data: b"\x88\x02\x03\xe9" if count == 20 else data, "closed with 1001"),
        (lambda count, data: frame(b"plain") if count == 20 else data, "without type"),
    ],
    ids=["lost", "doubled", "misdirected", "refused", "closed", "foreign"],
)
async def test_a_run_that_is_not_clean_is_broken_off(spoil, words):
    with pytest.raises(Unmeasurable, match=words):
        await run(Scripted(spoil))


async def test_other_hosts_are_not_talked_to():
    if shutil.which("cc") is None:
        pytest.skip("no C compiler to build the load generator")
    program = build()
    process = await asyncio.create_subprocess_exec(
        str(program), "--a", "192.0.2.1:80", "--b", "127.0.0.1:80", stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"an endpoint is 127.0.0.1" in said


def test_a_missing_compiler_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(Unmeasurable, match="no C compiler"):
        build(tmp_path / "build")
