"""The socket without a network: every call of the loop is made by hand, and time is a number."""

import asyncio
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from exchange.front import Ending, SocketRules, Welcome
from exchange.transports import websocket
from exchange.transports.outbox import Outbox
from exchange.transports.websocket import WebSocket
from exchange.transports.wheel import Wheel
from tests.harness.raw_socket import BINARY, CLOSE, CONT, PING, PONG, TEXT, close_payload, frame

RULES = SocketRules(
    message_bytes=1 << 20,
    outer_bytes=4 << 20,
    idle_close=(4000, "Inactivity timeout"),
    control_per_second=1.0,
    control_burst=5,
)


class Line(asyncio.Transport):
    """A transport to nobody: the kernel takes what it is told to take."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.reading = True
        self.aborted = False
        self.eof = False
        self.waiting_bytes = 0
        self.high: int | None = None

    def write(self, data: Any) -> None:
        assert not self.eof
        self.writes.append(bytes(data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof = True

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return self.waiting_bytes

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high


class Talk:
    """A conversation that writes down what it hears; ``reacts`` is called with every message."""

    def __init__(self) -> None:
        self.heard: list[bytes | str] = []
        self.endings: list[Ending] = []
        self.reacts: Callable[[bytes], object] = lambda _: None
        self.opens: Callable[[], object] = lambda: None

    def opened(self, socket: Any) -> None:
        self.opens()

    def received(self, message: bytes) -> None:
        assert type(message) is bytes
        self.heard.append(message)
        self.reacts(message)

    def oversized(self) -> None:
        self.heard.append("oversized")

    def ended(self, ending: Ending) -> None:
        self.endings.append(ending)


class Stage:
    """One socket and everything around it."""

    def __init__(self, rules: SocketRules = RULES, early: bytes = b"") -> None:
        self.line = Line()
        self.talk = Talk()
        self.wheel = Wheel(turn_seconds=3600)
        self.wheel.now = 1000.0
        self.connections: set[Any] = set()
        self.socket = WebSocket(
            self.line, Welcome(self.talk, rules), wheel=self.wheel, outbox=Outbox(), connections=self.connections
        )
        self.early = early

    def start(self) -> "Stage":
        self.socket.start(b"101", self.early)
        return self

    def receive(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.socket.data_received(chunk)

    def wait(self, seconds: float) -> None:
        """Let time pass, with a visit every second."""
        until = self.wheel.now + seconds
        while self.wheel.now < until:
            self.wheel.now += 1.0
            self.socket.visit(self.wheel.now)

    async def sent(self) -> bytes:
        """Return what was written since the last look, at the end of this tick."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        written = b"".join(self.line.writes)
        self.line.writes.clear()
        return written

    def lose(self) -> None:
        self.socket.connection_lost(None)


@pytest.fixture
async def stage() -> Stage:
    stage = Stage().start()
    assert await stage.sent() == b"101"
    return stage


def closing(code: int, reason: bytes = b"") -> bytes:
    payload = close_payload(code, reason)
    return bytes([0x88, len(payload)]) + payload


# --- in ----------------------------------------------------------------------------------------------------------------

STREAM = [
    frame(TEXT, b"one"),
    frame(PING, b"p"),
    frame(TEXT, b"m" * 130),
    frame(BINARY, b"\xff\xfe"),
    frame(TEXT, b"a", fin=False),
    frame(PONG),
    frame(CONT, b"b", fin=False),
    frame(CONT, b"c"),
    frame(TEXT, b""),
    frame(TEXT, b"wide", width=8),
    frame(TEXT, "schön".encode()),
]
HEARD = [b"one", b"m" * 130, b"\xff\xfe", b"abc", b"", b"wide", "schön".encode()]


async def test_a_stream_in_one_chunk_is_worked_off_in_order(stage: Stage) -> None:
    stage.receive(b"".join(STREAM))
    assert stage.talk.heard == HEARD
    assert await stage.sent() == b"\x8a\x01p"


async def test_a_stream_split_anywhere_means_the_same() -> None:
    stream = b"".join(STREAM)
    for at in range(1, len(stream)):
        stage = Stage().start()
        stage.receive(stream[:at], stream[at:])
        assert stage.talk.heard == HEARD, at


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
async def test_a_stream_in_small_pieces_means_the_same(stage: Stage, size: int) -> None:
    stream = b"".join(STREAM)
    stage.receive(*(stream[i : i + size] for i in range(0, len(stream), size)))
    assert stage.talk.heard == HEARD


async def test_a_large_frame_is_not_looked_at_until_it_is_whole(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def counting(data: bytes | bytearray, at: int) -> tuple[int, int]:
        nonlocal looks
        looks += 1
        return real(data, at)

    real = websocket.extent
    monkeypatch.setattr(websocket, "extent", counting)
    data = frame(TEXT, b"x" * (1 << 20))
    stage.receive(*(data[i : i + 1000] for i in range(0, len(data), 1000)))
    assert stage.talk.heard == [b"x" * (1 << 20)]
    assert looks < 10


async def test_a_frame_of_zero_length_in_pieces_is_whole_with_its_mask(stage: Stage) -> None:
    data = frame(TEXT)
    stage.receive(data[:5])
    assert stage.talk.heard == []
    stage.receive(data[5:])
    assert stage.talk.heard == [b""]


async def test_early_bytes_follow_the_opening() -> None:
    stage = Stage(early=frame(TEXT, b"early"))
    stage.talk.opens = lambda: stage.socket.send(b"hello")
    stage.talk.reacts = stage.socket.send
    stage.start()
    assert stage.line.writes == []
    assert await stage.sent() == b"101\x81\x05hello\x81\x05early"


@pytest.mark.parametrize("data", [frame(TEXT), frame(TEXT, b"x" * 126), frame(TEXT, b"wide", width=8)])
async def test_a_frame_is_delivered_with_its_last_byte_wherever_it_is_split(data: bytes) -> None:
    for at in range(1, len(data)):
        stage = Stage().start()
        stage.receive(data[:at], data[at:])
        assert len(stage.talk.heard) == 1, at
    stage = Stage().start()
    stage.receive(*(bytes([byte]) for byte in data))
    assert len(stage.talk.heard) == 1


async def test_a_bad_header_is_refused_with_its_second_byte(stage: Stage) -> None:
    stage.receive(b"\x83", b"\x80")
    assert stage.line.eof


# --- pausing -----------------------------------------------------------------------------------------------------------


async def test_nothing_is_delivered_during_a_pause_and_everything_after_it_in_order(stage: Stage) -> None:
    stage.talk.reacts = lambda message: stage.socket.pause() if message == b"one" else None
    stage.receive(b"".join(STREAM) + frame(TEXT, b"half")[:7])
    assert stage.talk.heard == [b"one"]
    assert not stage.line.reading
    assert await stage.sent() == b""
    stage.receive(frame(TEXT, b"half")[7:])
    assert stage.talk.heard == [b"one"]
    stage.talk.reacts = lambda _: None
    stage.socket.resume()
    assert stage.talk.heard == [b"one"]
    assert await stage.sent() == b"\x8a\x01p"
    assert stage.talk.heard == [*HEARD, b"half"]
    assert stage.line.reading


async def test_a_conversation_that_pauses_at_every_message_gets_them_one_by_one(stage: Stage) -> None:
    stage.talk.reacts = lambda _: stage.socket.pause()
    stage.receive(b"".join(STREAM))
    for count in range(1, len(HEARD) + 1):
        assert stage.talk.heard == HEARD[:count]
        assert not stage.line.reading
        stage.socket.resume()
        await stage.sent()
    assert stage.line.reading


async def test_pausing_and_resuming_inside_a_message_changes_nothing(stage: Stage) -> None:
    stage.talk.reacts = lambda _: (stage.socket.pause(), stage.socket.resume())
    stage.receive(b"".join(STREAM))
    assert stage.talk.heard == HEARD
    await stage.sent()
    assert stage.line.reading
    stage.receive(frame(TEXT, b"more"))
    assert stage.talk.heard == [*HEARD, b"more"]


async def test_a_pause_right_after_a_resume_holds(stage: Stage) -> None:
    stage.socket.pause()
    stage.receive(frame(TEXT, b"a"))
    stage.socket.resume()
    stage.socket.pause()
    await stage.sent()
    assert stage.talk.heard == []
    assert not stage.line.reading


async def test_a_pause_inside_a_fragmented_message_is_resumed_inside_it(stage: Stage) -> None:
    stage.receive(frame(TEXT, b"a", fin=False))
    stage.socket.pause()
    stage.socket.resume()
    await stage.sent()
    stage.receive(frame(TEXT, b"x"))
    assert (await stage.sent())[:4] == closing(1002)[:1] + bytes(
        [2 + len(b"expected a continuation frame")]
    ) + b"\x03\xea"
    assert stage.talk.heard == []


async def test_a_close_during_a_pause_reads_on_for_its_answer(stage: Stage) -> None:
    stage.socket.pause()
    stage.receive(frame(TEXT, b"never heard") + frame(CLOSE, close_payload(1000)))
    stage.socket.close(1000, "", Ending.DRAIN)
    assert await stage.sent() == closing(1000)
    assert stage.line.reading
    assert stage.line.eof
    assert stage.talk.heard == []


# --- out ---------------------------------------------------------------------------------------------------------------


async def test_messages_of_one_tick_leave_in_one_write(stage: Stage) -> None:
    for message in (b"a", b"b", b"c"):
        stage.socket.send(message)
    assert stage.line.writes == []
    assert stage.socket.buffered_bytes == 9
    await asyncio.sleep(0)
    assert stage.line.writes == [b"\x81\x01a\x81\x01b\x81\x01c"]
    assert stage.socket.buffered_bytes == 0


async def test_much_output_is_not_held_back(stage: Stage) -> None:
    for _ in range(20):
        stage.socket.send(b"x" * 10_000)
    assert len(stage.line.writes) == 2
    assert stage.socket.buffered_bytes < 64 * 1024


async def test_buffered_bytes_counts_what_the_kernel_has_not_taken(stage: Stage) -> None:
    stage.line.waiting_bytes = 1000
    stage.socket.send(b"a")
    assert stage.socket.buffered_bytes == 1003


async def test_the_transport_knows_the_bound_and_passing_it_ends_the_socket(stage: Stage) -> None:
    assert stage.line.high == RULES.buffer_bytes
    stage.socket.send(b"a")
    stage.socket.pause_writing()
    assert stage.line.aborted
    assert await stage.sent() == b""
    stage.lose()
    assert stage.talk.endings == [Ending.SLOW_CONSUMER]


# --- the end -----------------------------------------------------------------------------------------------------------


async def test_a_close_follows_what_was_sent_and_nothing_follows_a_close(stage: Stage) -> None:
    stage.socket.send(b"last")
    stage.socket.close(1001, "bye", Ending.DRAIN)
    stage.socket.send(b"too late")
    stage.socket.close(1000, "", Ending.IDLE)
    stage.receive(frame(TEXT, b"unheard"))
    assert await stage.sent() == b"\x81\x04last" + closing(1001, b"bye")
    assert not stage.line.eof
    stage.receive(frame(CLOSE, close_payload(1001)))
    assert stage.line.eof
    stage.lose()
    assert stage.talk.heard == []
    assert stage.talk.endings == [Ending.DRAIN]


async def test_a_close_inside_a_message_hands_nothing_more_up(stage: Stage) -> None:
    stage.talk.reacts = lambda _: stage.socket.close(1000, "", Ending.REPLACED)
    stage.receive(frame(TEXT, b"a") + frame(TEXT, b"b") + frame(BINARY, b"c") + frame(CLOSE, close_payload(1000)))
    assert stage.talk.heard == [b"a"]
    assert stage.line.eof


async def test_an_abort_inside_a_message_drops_everything(stage: Stage) -> None:
    def react(_: bytes) -> None:
        stage.socket.send(b"dropped")
        stage.socket.abort(Ending.REPLACED)
        stage.socket.send(b"dropped")

    stage.talk.reacts = react
    stage.receive(frame(TEXT, b"a") + frame(TEXT, b"b") + frame(PING))
    assert stage.line.aborted
    assert await stage.sent() == b""
    assert stage.talk.heard == [b"a"]
    assert stage.talk.endings == []  # never from inside a call
    stage.lose()
    assert stage.talk.endings == [Ending.REPLACED]


async def test_a_long_reason_is_cut_between_characters(stage: Stage) -> None:
    stage.socket.close(4000, "é" * 100, Ending.IDLE)
    assert await stage.sent() == closing(4000, ("é" * 61).encode())


async def test_a_peer_that_does_not_answer_a_close_is_cut_off(stage: Stage) -> None:
    stage.socket.close(1000, "", Ending.DRAIN)
    stage.wait(1)
    assert not stage.line.aborted
    stage.wait(1)
    assert stage.line.aborted


async def test_a_peer_that_lingers_after_an_error_is_cut_off(stage: Stage) -> None:
    stage.receive(frame(0x3))
    assert stage.line.eof
    stage.receive(b"\xff" * 100)
    stage.wait(2)
    assert stage.line.aborted
    stage.lose()
    assert stage.talk.endings == [Ending.PROTOCOL]


async def test_an_end_without_close_is_the_clients(stage: Stage) -> None:
    stage.talk.reacts = stage.socket.send
    stage.receive(frame(TEXT, b"a"))
    assert stage.socket.eof_received() is None
    assert stage.line.writes == [b"\x81\x01a"]
    stage.socket.send(b"ignored")
    stage.lose()
    assert stage.talk.endings == [Ending.CLIENT]


async def test_the_first_cause_is_told_and_told_once(stage: Stage) -> None:
    stage.socket.close(1013, "", Ending.STORE)
    stage.socket.abort(Ending.LIVENESS)
    stage.lose()
    stage.socket.abort(Ending.FLOOD)
    stage.socket.send(b"ignored")
    stage.socket.close(1000, "", Ending.DRAIN)
    stage.socket.pause()
    stage.socket.resume()
    assert stage.talk.endings == [Ending.STORE]


async def test_a_lost_socket_is_forgotten(stage: Stage) -> None:
    assert stage.connections == {stage.socket}
    assert len(stage.wheel) == 1
    stage.lose()
    assert stage.connections == set()
    assert len(stage.wheel) == 0


async def test_a_shutdown_says_going_away(stage: Stage) -> None:
    stage.socket.shutdown()
    assert await stage.sent() == closing(1001)
    stage.lose()
    assert stage.talk.endings == [Ending.DRAIN]


# --- errors of ours ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [frame(TEXT, b"a"), frame(BINARY, b"a"), frame(TEXT, b"a", width=8)])
async def test_an_error_of_the_conversation_closes_with_try_again_later(stage: Stage, data: bytes) -> None:
    def react(_: bytes) -> None:
        raise RuntimeError("no")

    stage.talk.reacts = react
    with capture_logs() as logs:
        stage.receive(data * 3)
    assert len(stage.talk.heard) == 1
    assert await stage.sent() == closing(1013)
    assert stage.line.eof
    assert [entry["event"] for entry in logs] == ["socket.failed"]
    assert len(logs[0]["incident"]) == 26
    stage.lose()
    assert stage.talk.endings == [Ending.SERVER_ERROR]


async def test_an_error_while_opening_closes_with_try_again_later() -> None:
    stage = Stage(early=frame(TEXT, b"unheard"))
    stage.talk.opens = lambda: 1 / 0
    with capture_logs() as logs:
        stage.start()
    assert await stage.sent() == b"101" + closing(1013)
    assert stage.talk.heard == []
    assert logs[0]["event"] == "socket.failed"


async def test_an_error_behind_an_abort_is_only_logged(stage: Stage) -> None:
    def react(_: bytes) -> None:
        stage.socket.abort(Ending.REPLACED)
        raise RuntimeError("no")

    stage.talk.reacts = react
    with capture_logs() as logs:
        stage.receive(frame(TEXT, b"a"))
    assert await stage.sent() == b""
    assert logs[0]["event"] == "socket.failed"


async def test_an_error_at_the_end_is_logged(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.talk, "ended", lambda _: 1 / 0)
    with capture_logs() as logs:
        stage.lose()
    assert logs[0]["event"] == "socket.failed"
    assert len(stage.wheel) == 0


# --- watching ----------------------------------------------------------------------------------------------------------


async def test_the_peer_is_pinged_and_given_up_when_it_says_nothing(stage: Stage) -> None:
    stage.wait(20)
    assert await stage.sent() == b"\x89\x00"
    assert not stage.line.aborted
    stage.wait(10)
    assert stage.line.aborted
    stage.lose()
    assert stage.talk.endings == [Ending.LIVENESS]


@pytest.mark.parametrize("data", [frame(PONG), frame(TEXT, b"a"), b"\x81"])
async def test_anything_that_comes_is_a_sign_of_life(stage: Stage, data: bytes) -> None:
    stage.wait(20)
    stage.receive(data)
    stage.wait(30)
    assert not stage.line.aborted


async def test_a_paused_socket_is_not_silent(stage: Stage) -> None:
    stage.socket.pause()
    stage.wait(300)
    stage.socket.resume()
    stage.wait(20)
    assert not stage.line.aborted


async def test_a_peer_that_takes_nothing_is_cut_off(stage: Stage) -> None:
    stage.line.waiting_bytes = 500
    for _ in range(4):
        stage.receive(frame(PONG))
        stage.wait(10)
    assert stage.line.aborted
    stage.lose()
    assert stage.talk.endings == [Ending.SLOW_CONSUMER]


async def test_an_idle_socket_is_closed_with_the_wires_words() -> None:
    stage = Stage(SocketRules(message_bytes=10, outer_bytes=40, idle_seconds=60.0, idle_close=(4000, "Idle"))).start()
    for _ in range(6):
        stage.receive(frame(PONG))
        stage.wait(10)
    assert (await stage.sent()).endswith(closing(4000, b"Idle"))
    stage.lose()
    assert stage.talk.endings == [Ending.IDLE]


@pytest.mark.parametrize("direction", ["in", "out", "fragment"])
async def test_a_data_message_in_either_direction_is_no_idleness(direction: str) -> None:
    stage = Stage(SocketRules(message_bytes=10, outer_bytes=40, idle_seconds=60.0)).start()
    for _ in range(10):
        stage.receive(frame(PONG))
        if direction == "in":
            stage.receive(frame(TEXT, b"a"))
        elif direction == "out":
            stage.socket.send(b"a")
        else:
            stage.receive(frame(TEXT, fin=False), frame(CONT))
        stage.wait(30)
    assert stage.talk.endings == []
    assert closing(1001) not in await stage.sent()


async def test_a_flood_of_control_frames_ends_the_socket_in_the_middle_of_a_chunk(stage: Stage) -> None:
    stage.receive(frame(PING) * 1000)
    assert stage.line.aborted
    assert await stage.sent() == b""
    stage.lose()
    assert stage.talk.endings == [Ending.FLOOD]


async def test_control_frames_at_their_rate_are_fine(stage: Stage) -> None:
    for _ in range(30):
        stage.receive(frame(PING))
        stage.wait(1)
    assert not stage.line.aborted


# --- sizes -------------------------------------------------------------------------------------------------------------


async def test_a_message_above_the_limit_is_dropped_and_reported(stage: Stage) -> None:
    stage.receive(frame(TEXT, b"x" * ((1 << 20) + 1)) + frame(TEXT, b"next"))
    assert stage.talk.heard == ["oversized", b"next"]


async def test_a_frame_above_the_outer_limit_is_refused_by_its_header(stage: Stage) -> None:
    stage.receive(frame(TEXT, length=(4 << 20) + 1))
    assert closing(1009, b"message too big") == await stage.sent()
    assert stage.line.eof
    stage.lose()
    assert stage.talk.endings == [Ending.SIZE]


async def test_an_idle_socket_is_small() -> None:
    wheel, outbox, connections = Wheel(turn_seconds=3600), Outbox(), set[Any]()
    lines = [Line() for _ in range(500)]
    talk = Talk()
    tracemalloc.start()
    try:
        for line in lines:
            socket = WebSocket(line, Welcome(talk, RULES), wheel=wheel, outbox=outbox, connections=connections)
            socket.start(b"101", b"")
            socket.data_received(frame(TEXT, b"a"))
            socket.data_received(frame(PONG))
            socket._output.flush()
            line.writes.clear()
        await asyncio.sleep(0)
        each = tracemalloc.get_traced_memory()[0] / len(lines)
    finally:
        tracemalloc.stop()
    assert each < 1500, each


async def test_large_messages_are_unmasked_without_a_copy_of_the_frame(stage: Stage) -> None:
    size = 1 << 20
    data = frame(TEXT, b"x" * size)
    chunks = [data[i : i + 65536] for i in range(0, len(data), 65536)]
    tracemalloc.start()
    try:
        stage.receive(*chunks)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * size  # what came and what is handed up


async def test_small_frames_behind_a_large_one_are_worked_off_in_order(stage: Stage) -> None:
    large = b"x" * 100_000
    data = frame(TEXT, large) + frame(TEXT, b"a") + frame(TEXT, large) + frame(TEXT, b"b")
    stage.receive(*(data[i : i + 65536] for i in range(0, len(data), 65536)))
    assert stage.talk.heard == [large, b"a", large, b"b"]


# --- idleness is about whole messages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("trickle", ["fragments", "bytes"])
async def test_parts_of_a_message_are_no_activity(trickle: str) -> None:
    # Before a session has said who it is, the idle limit is the time it has for that (CORAL-6).
    rules = SocketRules(message_bytes=1000, outer_bytes=4000, idle_seconds=60.0, idle_close=(1008, ""))
    stage = Stage(rules).start()
    data = frame(TEXT, b"x" * 900)
    if trickle == "fragments":
        stage.receive(frame(TEXT, b"x", fin=False))
    for second in range(60):
        assert closing(1008) not in await stage.sent()
        stage.receive(frame(CONT, b"x", fin=False) if trickle == "fragments" else data[second : second + 1])
        stage.wait(1)
    assert closing(1008) in await stage.sent()
    stage.lose()
    assert stage.talk.endings == [Ending.IDLE]
    assert stage.talk.heard == []


# --- other rules from now on -------------------------------------------------------------------------------------------

STRICT = SocketRules(message_bytes=10, outer_bytes=10, idle_seconds=60.0, idle_close=(1008, ""))
WIDE = SocketRules(
    message_bytes=1000,
    outer_bytes=4000,
    ping_seconds=7.0,
    silence_seconds=13.0,
    stall_seconds=5.0,
    idle_seconds=0.0,
    buffer_bytes=12345,
)


def adopting(stage: Stage, rules: SocketRules = WIDE) -> Callable[[bytes], object]:
    """Adopt other rules with the first message."""

    def react(message: bytes) -> None:
        if message == b"auth":
            stage.socket.adopt(rules)

    return react


@pytest.mark.parametrize("behind", [frame(TEXT, b"x" * 1000), frame(BINARY, b"x" * 1000)])
async def test_a_frame_behind_the_one_that_brings_other_rules_is_judged_by_them(behind: bytes) -> None:
    stage = Stage(STRICT).start()
    stage.talk.reacts = adopting(stage)
    stage.receive(frame(TEXT, b"auth") + behind)
    assert stage.talk.heard == [b"auth", b"x" * 1000]


async def test_without_other_rules_that_frame_ends_the_socket() -> None:
    stage = Stage(STRICT).start()
    stage.receive(frame(TEXT, b"auth") + frame(TEXT, b"x" * 1000))
    assert stage.talk.heard == [b"auth"]
    assert closing(1009, b"message too big") in await stage.sent()


async def test_what_came_during_a_pause_is_judged_by_the_rules_of_its_end() -> None:
    stage = Stage(STRICT).start()
    stage.talk.reacts = lambda _: stage.socket.pause()
    stage.receive(frame(TEXT, b"auth") + frame(TEXT, b"x" * 1000), frame(TEXT, b"y" * 1001))
    stage.talk.reacts = lambda _: None
    stage.socket.adopt(WIDE)
    stage.socket.resume()
    await stage.sent()
    assert stage.talk.heard == [b"auth", b"x" * 1000, "oversized"]


async def test_narrower_rules_hold_from_the_next_frame_on() -> None:
    stage = Stage(WIDE).start()
    stage.talk.reacts = adopting(stage, STRICT)
    stage.receive(frame(TEXT, b"x" * 11) + frame(TEXT, b"auth") + frame(TEXT, b"x" * 11))
    assert stage.talk.heard == [b"x" * 11, b"auth"]
    assert closing(1009, b"message too big") in await stage.sent()


async def test_a_message_that_had_begun_is_whole_or_oversized_under_other_rules() -> None:
    stage = Stage(SocketRules(message_bytes=10, outer_bytes=40)).start()
    stage.receive(frame(TEXT, b"x" * 9, fin=False))
    stage.socket.adopt(WIDE)
    stage.receive(frame(CONT, b"y" * 9))
    stage.socket.adopt(SocketRules(message_bytes=10, outer_bytes=40))
    stage.receive(frame(TEXT, b"x" * 11, fin=False))
    stage.socket.adopt(WIDE)
    stage.receive(frame(CONT, b"y"))
    assert stage.talk.heard == [b"x" * 9 + b"y" * 9, "oversized"]


async def test_other_rules_change_what_the_peer_is_watched_for() -> None:
    stage = Stage(STRICT).start()
    stage.socket.adopt(WIDE)
    assert stage.line.high == 12345
    stage.wait(6)
    assert b"\x89\x00" not in await stage.sent()
    stage.wait(1)
    assert b"\x89\x00" in await stage.sent()
    for _ in range(10):
        stage.receive(frame(PONG))
        stage.wait(10)
    assert closing(1008) not in await stage.sent()
    assert not stage.line.aborted
    stage.wait(4)
    assert stage.line.aborted


async def test_a_socket_that_is_closing_adopts_nothing(stage: Stage) -> None:
    stage.socket.close(1000, "", Ending.DRAIN)
    stage.socket.adopt(WIDE)
    stage.lose()
    stage.socket.adopt(WIDE)
    assert stage.line.high == RULES.buffer_bytes


# --- discarding (CORAL-25) ---------------------------------------------------------------------------------------------


async def test_a_close_that_discards_drops_what_was_sent_in_this_tick(stage: Stage) -> None:
    stage.socket.send(b"made for old keys")
    stage.socket.close(4001, "Replaced by a newer connection", Ending.REPLACED, discard=True)
    assert await stage.sent() == closing(4001, b"Replaced by a newer connection")
    assert not stage.line.aborted
    stage.receive(frame(CLOSE, close_payload(4001)))
    assert stage.line.eof
    stage.lose()
    assert stage.talk.endings == [Ending.REPLACED]


async def test_a_close_that_discards_aborts_what_the_kernel_has_not_taken(stage: Stage) -> None:
    stage.line.waiting_bytes = 1
    stage.socket.send(b"made for old keys")
    stage.socket.close(4001, "Replaced by a newer connection", Ending.REPLACED, discard=True)
    assert await stage.sent() == b""
    assert stage.line.aborted
    stage.lose()
    assert stage.talk.endings == [Ending.REPLACED]


async def test_a_close_that_does_not_discard_follows_what_waits(stage: Stage) -> None:
    stage.line.waiting_bytes = 1
    stage.socket.send(b"a")
    stage.socket.close(4001, "", Ending.REPLACED)
    assert await stage.sent() == b"\x81\x01a" + closing(4001)
    assert not stage.line.aborted


async def test_a_socket_that_is_closing_discards_nothing(stage: Stage) -> None:
    stage.socket.send(b"a")
    stage.socket.close(1000, "", Ending.DRAIN)
    stage.socket.close(4001, "", Ending.REPLACED, discard=True)
    assert await stage.sent() == b"\x81\x01a" + closing(1000)


# --- the rules of the relay --------------------------------------------------------------------------------------------

MIB = 1 << 20
RELAY = SocketRules(
    message_bytes=5 * MIB,
    outer_bytes=8 * MIB,
    ping_seconds=30.0,
    silence_seconds=60.0,
    stall_seconds=10.0,
    idle_seconds=0.0,
    buffer_bytes=32 * MIB,
)


def pieces(payload: bytes, fragmented: bool, opcode: int = TEXT) -> list[bytes]:
    """Return a message as frames, cut as reads would cut them."""
    if not fragmented:
        data = frame(opcode, payload)
    else:
        step = 3 * MIB
        parts = [payload[i : i + step] for i in range(0, len(payload), step)]
        data = b"".join(frame(CONT if i else opcode, part, fin=i == len(parts) - 1) for i, part in enumerate(parts))
    return [data[i : i + 256 * 1024] for i in range(0, len(data), 256 * 1024)]


@pytest.mark.parametrize("fragmented", [False, True])
@pytest.mark.parametrize(("size", "heard"), [(5 * MIB, "whole"), (5 * MIB + 1, "oversized"), (8 * MIB, "oversized")])
async def test_the_relays_sizes_hold_for_frames_and_fragments(size: int, heard: str, fragmented: bool) -> None:
    # CORAL-20
    stage = Stage(RELAY).start()
    payload = b"x" * size
    stage.receive(*pieces(payload, fragmented), frame(TEXT, b"next"))
    assert stage.talk.heard == [payload if heard == "whole" else "oversized", b"next"]
    assert not stage.line.eof


@pytest.mark.parametrize("fragmented", [False, True])
async def test_a_relayed_message_above_the_outer_limit_is_refused(fragmented: bool) -> None:
    # CORAL-20
    stage = Stage(RELAY).start()
    stage.receive(*pieces(b"x" * (8 * MIB + 1), fragmented))
    assert (await stage.sent()).endswith(closing(1009, b"message too big"))
    assert stage.talk.heard == []
    stage.lose()
    assert stage.talk.endings == [Ending.SIZE]


@pytest.mark.parametrize("fragmented", [False, True])
async def test_a_binary_message_is_handed_up_and_what_is_sent_is_text(fragmented: bool) -> None:
    # CORAL-2
    stage = Stage(RELAY).start()
    stage.talk.reacts = stage.socket.send
    payload = "schön".encode() * MIB if fragmented else "schön".encode()
    payload = payload[: 5 * MIB]
    stage.receive(*pieces(payload, fragmented, BINARY))
    assert stage.talk.heard == [payload]
    sent = (await stage.sent()).removeprefix(b"101")
    assert sent[0] == 0x81
    assert sent.endswith(payload)


async def test_the_relay_pings_every_30_seconds_and_waits_60(stage: Stage) -> None:
    # CORAL-5
    stage.socket.adopt(RELAY)
    stage.wait(29)
    assert await stage.sent() == b""
    stage.wait(1)
    assert await stage.sent() == b"\x89\x00"
    stage.wait(29)
    assert not stage.line.aborted
    stage.wait(1)
    assert stage.line.aborted
    stage.lose()
    assert stage.talk.endings == [Ending.LIVENESS]


async def test_a_relayed_write_that_stands_still_for_10_seconds_ends_the_socket(stage: Stage) -> None:
    # CORAL-5
    stage.socket.adopt(RELAY)
    stage.socket.send(b"x" * 5 * MIB)
    stage.line.waiting_bytes = 4 * MIB
    stage.wait(10)
    assert not stage.line.aborted
    stage.line.waiting_bytes -= 1
    stage.wait(10)
    assert not stage.line.aborted
    stage.wait(1)
    assert stage.line.aborted
    stage.lose()
    assert stage.talk.endings == [Ending.SLOW_CONSUMER]
