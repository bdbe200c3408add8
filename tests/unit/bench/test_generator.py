"""Twin of ``bench/generator.py`` and ``bench/generator.c``: the load against a scripted exchange."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import generator
from bench.generator import PLAIN, Clients, Load, build, drive
from bench.process import Unmeasurable
from tests.harness.waiting import WAIT_SECONDS

LOAD = Load(pairs=3, paced_per_second=100, warm_seconds=0.1, saturate_seconds=0.3, pace_seconds=0.3)
STORED = Clients(stored=True)
CHAT = Clients(chat=True)
ACCEPT = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"


def frame(message: object) -> bytes:
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    head = bytes([0x81, len(data)]) if len(data) < 126 else b"\x81\x7e" + len(data).to_bytes(2, "big")
    return head + data


class Scripted:
    """An exchange on one port whose deliveries ``spoil`` may change; ``piece`` bytes leave at a time, 0 is all at once."""

    greeting = frame({"type": "connected", "clientId": "x"})

    def __init__(self, spoil: Callable[[int, bytes], bytes] = lambda _count, data: data, piece: int = 0) -> None:
        self.spoil = spoil
        self.piece = piece
        self.count = 0
        self.pongs = 0
        self.fields: dict[str, set[str]] = {}
        self.offsets: dict[str, list[str]] = {}
        self.acks: dict[str, list[str]] = {}
        self.tasks: set[asyncio.Task] = set()
        self.outboxes: dict[str, asyncio.Queue[bytes]] = {}
        self.paths: set[bytes] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        outbox: asyncio.Queue[bytes] = asyncio.Queue()
        sending = asyncio.create_task(self.send(outbox, writer))
        self.tasks |= {sending, asyncio.current_task()}
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            request = await reader.readuntil(b"\r\n\r\n")
            while request.startswith(b"POST"):
                outbox.put_nowait(self.pair(request))
                request = await reader.readuntil(b"\r\n\r\n")
            self.paths.add(request.split()[1])
            # The greeting and a ping ride in the same segment as the end of the handshake.
            outbox.put_nowait(ACCEPT + b"\x89\x02hi" + self.greeting)
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
        self.fields[request["type"]] = set(request)
        match request["type"]:
            case "identify":
                me[0] = request["username"]
                self.outboxes[me[0]] = outbox
                self.identify(request, outbox)
            case "create_invite":
                outbox.put_nowait(frame({"type": "invite_created", "code": me[0]}))
            case "connect":
                outbox.put_nowait(frame({"type": "connected_to_friend"}))
                self.outboxes[request["code"]].put_nowait(frame({"type": "friend_connected"}))
            case "ack":
                self.acks[me[0]].append(request["upTo"])
            case kind:
                self.count += 1
                push, sent = self.forward(kind, request)
                self.outboxes[request["to"]].put_nowait(self.spoil(self.count, frame(push)))
                outbox.put_nowait(self.spoil_receipt(self.count, frame(sent)))

    def identify(self, request: dict, outbox: asyncio.Queue[bytes]) -> None:
        outbox.put_nowait(frame({"type": "identified"}))

    def forward(self, kind: str, request: dict) -> tuple[dict, dict]:
        """Return the delivery and the receipt of a message."""
        push = {"type": "question" if kind == "ask" else "answer", "content": request["content"]}
        return push, {"type": f"{push['type']}_sent", "content": request["content"]}

    def spoil_receipt(self, _count: int, data: bytes) -> bytes:
        return data

    async def send(self, outbox: asyncio.Queue[bytes], writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                data = await outbox.get()
                for at in range(0, len(data), self.piece or len(data) or 1):
                    writer.write(data[at : at + (self.piece or len(data))])
                    await writer.drain()
                    await asyncio.sleep(0)


class Stored(Scripted):
    """The same for extended clients: with mailboxes, as far as a client can see."""

    def __init__(
        self,
        spoil: Callable[[int, bytes], bytes] = lambda _count, data: data,
        spoil_receipt: Callable[[int, bytes], bytes] = lambda _count, data: data,
        granted: frozenset[str] = frozenset({"ids", "resume", "persist", "offline"}),
    ) -> None:
        super().__init__(spoil)
        self.spoil_receipt = spoil_receipt
        self.granted = granted
        self.ids: set[str] = set()

    def identify(self, request: dict, outbox: asyncio.Queue[bytes]) -> None:
        name, features = request["username"], sorted(self.granted.intersection(request["features"]))
        self.offsets[name], self.acks[name] = [], []
        outbox.put_nowait(frame({"type": "identified", "features": features, "token": "t"}))
        friend = {"username": "bob0", "nickname": "Bob 0", "online": True}
        outbox.put_nowait(frame({"type": "friend_presence", "friend": friend, "online": True}))

    def forward(self, kind: str, request: dict) -> tuple[dict, dict]:
        push, sent = super().forward(kind, request)
        offset = f"17{self.count:010}-0"
        self.offsets[request["to"]].append(offset)
        self.ids.add(request["id"])
        extra = {"from": "x", "fromNickname": "X", "id": request["id"], "ts": 17, "offset": offset}
        return push | extra, sent | {"to": "X", "id": request["id"], "status": "delivered"}


class Relay(Scripted):
    """The same for the ends of relay pairs: chunks go to the phone as they are, and nobody is told that they did."""

    greeting = b""

    def __init__(
        self,
        spoil: Callable[[int, bytes], bytes] = lambda _count, data: data,
        status: bytes = b"HTTP/1.1 201 Created",
        peer: str = "online",
    ) -> None:
        super().__init__(spoil)
        self.status = status
        self.peer = peer
        self.tokens: list[str] = []
        self.chunks: dict[str, list[str]] = {}

    def pair(self, request: bytes) -> bytes:
        assert request.startswith(b"POST /coralmux/api/v1/pair ")
        self.tokens.append(f"token{len(self.tokens)}")
        body = json.dumps({"token": self.tokens[-1]}).encode()
        return self.status + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    def handle(self, me: list[str], outbox: asyncio.Queue[bytes], request: dict) -> None:
        payload = request["payload"]
        if request["type"] == "auth":
            me[0] = payload["token"]
            self.outboxes[me[0] + payload["role"]] = outbox
            outbox.put_nowait(frame({"type": "auth.ok", "payload": {"paired": True}}))
            outbox.put_nowait(frame({"type": "status", "payload": {"peer": self.peer}}))
            return
        assert request["type"] == "chat.stream"
        self.count += 1
        self.chunks.setdefault(me[0], []).append(payload["delta"])
        self.outboxes[me[0] + "phone"].put_nowait(self.spoil(self.count, frame(request)))


async def run(exchange: Scripted, load: Load = LOAD, watched: tuple[int, ...] = (), clients: Clients = PLAIN) -> dict:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler to build the load generator")
    server = await asyncio.start_server(exchange.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        program = await asyncio.to_thread(build)
        cores = os.sched_getaffinity(0)
        return await asyncio.to_thread(drive, program, load, [port, port], watched or [os.getpid()], cores, clients)
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


async def test_every_stored_message_has_an_id_of_its_own_and_is_acknowledged():
    exchange = Stored()
    said = await run(exchange, clients=STORED)
    assert said["lost"] == 0
    assert said["paced"]["delivery_us"]["count"] == 30
    assert len(exchange.ids) == exchange.count
    assert {one.partition("-")[0] for one in exchange.ids} == {f"000{pair}{side}" for pair in range(3) for side in "ab"}
    assert exchange.acks == exchange.offsets


async def test_an_ack_may_stand_for_several_messages():
    exchange = Stored()
    await run(exchange, clients=Clients(stored=True, ack_every=8))
    assert sum(map(len, exchange.acks.values())) > 0
    assert exchange.acks == {name: offsets[7::8] for name, offsets in exchange.offsets.items()}


async def test_plain_clients_say_nothing_of_what_extended_ones_do():
    plain, extended = Scripted(), Stored()
    await run(plain)
    await run(extended, clients=STORED)
    assert plain.fields["identify"] == {"type", "username", "nickname"}
    assert plain.fields["ask"] == plain.fields["answer"] == {"type", "content", "to"}
    assert "ack" not in plain.fields
    assert extended.fields["identify"] - plain.fields["identify"] == {"features"}
    assert extended.fields["ask"] - plain.fields["ask"] == {"id"}


def unsaid(field: str) -> Callable[[int, bytes], bytes]:
    """Rename a field of the 20th frame."""
    return lambda count, data: data.replace(f'"{field}"'.encode(), f'"{field[::-1]}"'.encode()) if count == 20 else data


def queued(count: int, data: bytes) -> bytes:
    return data.replace(b'"delivered"', b'"queued###"') if count == 20 else data


def other_id(count: int, data: bytes) -> bytes:
    return data.replace(b"a-0", b"c-0").replace(b"b-0", b"c-0") if count == 20 else data


def doubled(count: int, data: bytes) -> bytes:
    return 2 * data if count == 20 else data


@pytest.mark.parametrize(
    ("exchange", "words"),
    [
        (Stored(doubled), "waits for message"),
        (Stored(unsaid("offset")), "not from the mailbox"),
        (Stored(unsaid("id")), "does not carry its id"),
        (Stored(other_id), "does not carry its id"),
        (Stored(spoil_receipt=other_id), "does not carry its id"),
        (Stored(spoil_receipt=queued), "does not say delivered.*queued"),
        (Stored(spoil_receipt=unsaid("status")), "does not say delivered"),
        (Stored(granted=frozenset({"ids"})), "mail is not offered"),
    ],
    ids=["doubled", "no offset", "no id", "other id", "receipt of another", "queued", "no status", "not granted"],
)
async def test_a_stored_run_that_is_not_clean_is_broken_off(exchange, words):
    with pytest.raises(Unmeasurable, match=words):
        await run(exchange, clients=STORED)


async def test_agents_stream_chunks_to_their_phones_and_nobody_is_told_that_they_came():
    exchange = Relay()
    said = await run(exchange, clients=CHAT)
    assert said["lost"] == 0
    assert exchange.paths == {b"/coralmux/ws"}
    assert said["saturated"]["messages"] > 10
    assert (said["paced"]["delivery_us"]["count"], said["paced"]["receipt_us"]["count"]) == (30, 0)
    assert set(exchange.chunks) == set(exchange.tokens)
    for number, token in enumerate(exchange.tokens):
        chunks = exchange.chunks[token]
        assert [chunk[:15] for chunk in chunks] == [f"{number:04}.{count:010}" for count in range(len(chunks))]
        assert {len(chunk) for chunk in chunks} == {200}


@pytest.mark.parametrize(
    ("exchange", "words"),
    [
        (Relay(lambda count, data: b"" if count == 20 else data), "messages were lost"),
        (Relay(doubled), "waits for message"),
        (Relay(unsaid("delta")), "without our content"),
        (Relay(lambda count, data: frame({"type": "chat.error"}) if count == 20 else data), "unexpected frame"),
        (Relay(peer="offline"), "unexpected frame.*offline"),
        (Relay(status=b"HTTP/1.1 503 Service Unavailable"), "made no pair: 503"),
    ],
    ids=["lost", "doubled", "foreign", "refused", "offline", "no pair"],
)
async def test_a_chat_that_is_not_clean_is_broken_off(exchange, words):
    with pytest.raises(Unmeasurable, match=words):
        await run(exchange, clients=CHAT)


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


@pytest.mark.parametrize("part", generator.PARTS, ids=lambda part: part.name)
def test_a_newer_part_of_the_source_is_compiled_anew(part, monkeypatch, tmp_path):
    compiled: list[list[str]] = []

    def compile_(command, **_):
        compiled.append(command)
        tmp_path.joinpath(command[command.index("-o") + 1]).touch()
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(subprocess, "run", compile_)
    copies = tuple(Path(shutil.copy2(one, tmp_path)) for one in generator.PARTS)
    monkeypatch.setattr(generator, "PARTS", copies)
    built = tmp_path / "build"
    for _ in range(2):
        build(built)
    assert len(compiled) == 1
    later = (built / "generator").stat().st_mtime + 1
    os.utime(tmp_path / part.name, (later, later))
    build(built)
    assert len(compiled) == 2


def test_a_missing_compiler_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(Unmeasurable, match="no C compiler"):
        build(tmp_path / "build")
