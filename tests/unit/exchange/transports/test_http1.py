"""The way in and the way out, through a real uvicorn on both loops."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator

import h11
import pytest
from structlog.testing import capture_logs
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from exchange.front import Ending, Refusal, SocketRules, Upgrade
from exchange.transports import http1
from tests.harness.raw_socket import CLOSE, PING, PONG, TEXT, RawSocket, close_payload, frame, upgrade_request
from tests.harness.socket_server import LOOPS, Recorder, SocketServer
from tests.harness.waiting import soon

GET = b"GET /health HTTP/1.1\r\nHost: exchange.test\r\n\r\n"


@pytest.fixture(params=sorted(LOOPS))
def loop(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def server(loop: str) -> Iterator[SocketServer]:
    with SocketServer(loop) as server:
        yield server


def connections_count(server: SocketServer) -> int:
    return server.call(lambda: len(server.server.server_state.connections))


# --- becoming a socket -------------------------------------------------------------------------------------------------


def test_frames_in_the_packet_of_the_request_are_not_lost(server: SocketServer) -> None:
    with RawSocket(server.port) as client:
        client.send(upgrade_request() + frame(TEXT, b"early") + frame(PING, b"bird") + frame(TEXT, b"half")[:5])
        assert client.response().status == 101
        assert client.frame() == (TEXT, b"early")
        assert client.frame() == (PONG, b"bird")
        client.send(frame(TEXT, b"half")[5:])
        assert client.frame() == (TEXT, b"half")


def test_many_early_frames_in_one_large_packet_come_in_order(server: SocketServer) -> None:
    messages = [f"message {i}".encode() for i in range(2000)]
    with RawSocket(server.port) as client:
        client.send(upgrade_request() + b"".join(frame(TEXT, message) for message in messages))
        assert client.response().status == 101
        assert [client.frame().payload for _ in messages] == messages


def test_the_greeting_comes_before_any_answer(loop: str) -> None:
    with (
        SocketServer(loop, welcome=lambda _: Recorder(greeting=b"welcome")) as server,
        RawSocket(server.port) as client,
    ):
        client.send(upgrade_request() + frame(TEXT, b"early"))
        assert client.response().status == 101
        assert client.frame() == (TEXT, b"welcome")
        assert client.frame() == (TEXT, b"early")


def test_a_request_in_single_bytes_becomes_a_socket(server: SocketServer) -> None:
    with RawSocket(server.port) as client:
        for byte in upgrade_request():
            client.send(bytes([byte]))
        assert client.response().status == 101
        client.echo()


def test_a_refusal_is_sent_and_the_connection_ends(loop: str) -> None:
    def refuse(_: Upgrade) -> Refusal:
        return Refusal(503, "Full, sorry.", retry_after_seconds=3)

    with SocketServer(loop, welcome=refuse) as server, RawSocket(server.port) as client:
        client.send(upgrade_request() + frame(TEXT, b"early"))
        response = client.response()
        assert (response.status, response.body, response.headers["retry-after"]) == (503, b"Full, sorry.", "3")
        client.ended()
        soon(lambda: connections_count(server) == 0)
        assert server.conversations.empty()


def test_a_broken_handshake_is_answered_and_the_connection_ends(server: SocketServer) -> None:
    with RawSocket(server.port) as client:
        client.send(upgrade_request(version="7"))
        assert client.response().status == 400
        client.ended()


def test_the_doorman_hears_the_peers_address_whatever_a_stranger_claims(server: SocketServer) -> None:
    with RawSocket(server.port) as client:
        client.send(upgrade_request("/bx?x=1", "X-Forwarded-For: 198.51.100.7"))
        assert client.response().status == 101
    assert server.upgrades == [Upgrade("/bx", None, "127.0.0.1")]


def test_a_trusted_word_about_the_address_is_heard(loop: str) -> None:
    with SocketServer(loop, client_address=lambda _, forwarded: forwarded[-1]) as server:
        with RawSocket(server.port) as client:
            client.send(upgrade_request("/", "X-Forwarded-For: 198.51.100.7"))
            assert client.response().status == 101
        assert server.upgrades[0].address == "198.51.100.7"


# --- HTTP --------------------------------------------------------------------------------------------------------------


def test_plain_requests_are_served_one_after_another(server: SocketServer) -> None:
    with RawSocket(server.port) as client:
        for _ in range(3):
            client.send(GET)
            assert client.response().body == b"hello"
        client.send(upgrade_request())
        assert client.response().status == 101
        client.echo()


def test_pipelined_requests_are_served(server: SocketServer) -> None:
    with RawSocket(server.port) as client:
        client.send(GET * 3)
        assert [client.response().body for _ in range(3)] == [b"hello"] * 3


def test_a_large_body_is_no_head(server: SocketServer) -> None:
    body = b"b" * (3 * http1.HEAD_BYTES)
    with RawSocket(server.port) as client:
        client.send(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body + GET)
        assert client.response().body == b"hello"
        assert client.response().body == b"hello"


def test_an_upgrade_to_something_else_is_a_plain_request(server: SocketServer) -> None:
    with RawSocket(server.port) as client:
        client.send(upgrade_request().replace(b"websocket", b"h2c"))
        assert client.response().body == b"hello"


def test_a_long_head_below_the_limit_is_served(server: SocketServer) -> None:
    with RawSocket(server.port) as client:
        client.send(GET[:-2] + b"X-Long: " + b"x" * (http1.HEAD_BYTES - 1024) + b"\r\n\r\n")
        assert client.response().body == b"hello"


@pytest.mark.parametrize("end", [b"\r\n\r\n", b""])
def test_a_head_above_the_limit_is_refused_also_in_one_piece(server: SocketServer, end: bytes) -> None:
    with RawSocket(server.port) as client:
        # The node ends the connection while we still send.
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            client.send(GET[:-2] + b"X-Long: " + b"x" * (2 * http1.HEAD_BYTES) + end)
            assert client.response().status == 400
        assert b"hello" not in client.unread
        soon(lambda: connections_count(server) == 0)


def test_an_endless_head_is_refused(server: SocketServer) -> None:
    with RawSocket(server.port) as client:
        client.send(GET[:-2])
        sent_count = 0
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while sent_count < 10_000:
                client.send(b"X-More: " + b"x" * 8000 + b"\r\n")
                sent_count += 1
        assert sent_count < 10_000
        soon(lambda: connections_count(server) == 0)


def test_no_log_line_holds_a_path(server: SocketServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    requests = [
        upgrade_request("/secret"),
        upgrade_request("/secret", version="7"),
        upgrade_request("/secret").replace(b"websocket", b"h2c"),
        GET.replace(b"health", b"secret"),
        b"GET /secret HTTP/9\r\n\r\n",
    ]
    with capture_logs() as logs:
        for request in requests:
            with RawSocket(server.port) as client:
                client.send(request)
                client.response()
    soon(lambda: connections_count(server) == 0)
    assert "secret" not in caplog.text + repr(logs)


# --- deadlines ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"GET / HT", GET[:-2]])
def test_a_head_that_takes_too_long_ends_the_connection(
    loop: str, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http1, "HEAD_SECONDS", 0.2)
    with SocketServer(loop, turn_seconds=0.05) as server, RawSocket(server.port) as client:
        if sent:
            client.send(sent)
        client.ended()
        soon(lambda: connections_count(server) == 0 and len(server.wheel) == 0)


def test_the_second_head_has_a_deadline_too_and_the_time_between_does_not_count(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http1, "HEAD_SECONDS", 0.2)
    with SocketServer(loop, turn_seconds=0.05) as server, RawSocket(server.port) as client:
        client.send(GET)
        assert client.response().body == b"hello"
        began = server.call(lambda: server.wheel.now)
        soon(lambda: server.wheel.now > began + 0.5)
        client.send(GET)
        assert client.response().body == b"hello"
        client.send(GET[:10])
        client.ended()


def test_a_socket_has_no_head_to_wait_for(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1, "HEAD_SECONDS", 0.1)
    with SocketServer(loop, turn_seconds=0.05) as server, RawSocket.upgraded(server.port) as client:
        soon(lambda: server.wheel.now > 0.5)
        client.echo()


# --- counting and stopping ---------------------------------------------------------------------------------------------


def test_every_connection_is_counted_once_and_forgotten_once(server: SocketServer) -> None:
    with RawSocket(server.port) as plain, RawSocket.upgraded(server.port) as client:
        plain.send(GET)
        plain.response()
        client.echo()
        assert connections_count(server) == 2
        assert server.call(lambda: len(server.wheel)) == 2
    soon(lambda: connections_count(server) == 0)
    soon(lambda: len(server.wheel) == 0)


def test_a_stop_closes_sockets_in_order(server: SocketServer) -> None:
    with RawSocket.upgraded(server.port) as client:
        conversation = server.conversation()
        client.echo()
        server.server.should_exit = True
        opcode, payload = client.frame()
        assert (opcode, payload) == (CLOSE, close_payload(1001))
        client.send(frame(CLOSE, payload))
        client.ended()
        client.end()
        assert conversation.ending() is Ending.DRAIN


def test_a_stop_does_not_wait_for_a_peer_that_does_not_answer(loop: str) -> None:
    rules = SocketRules(message_bytes=100, outer_bytes=400, close_seconds=0.1)
    with SocketServer(loop, rules=rules, turn_seconds=0.05) as server, RawSocket.upgraded(server.port) as client:
        conversation = server.conversation()
        server.server.should_exit = True
        assert client.frame().opcode == CLOSE
        client.ended()
        assert conversation.ending() is Ending.DRAIN


# --- peers that misbehave ----------------------------------------------------------------------------------------------


def test_a_reader_that_never_reads_is_cut_off_at_the_bound(loop: str) -> None:
    rules = SocketRules(message_bytes=100, outer_bytes=400, buffer_bytes=1 << 20)
    with SocketServer(loop, rules=rules) as server, RawSocket.upgraded(server.port) as client:
        conversation = server.conversation()
        client.echo()
        socket = conversation.socket
        assert socket is not None
        sent_count, largest = 0, 0

        def push() -> None:
            nonlocal sent_count, largest
            for _ in range(10):
                socket.send(b"x" * 60_000)
                sent_count += 1
                largest = max(largest, socket.buffered_bytes)

        while conversation.endings.empty() and sent_count < 10_000:
            server.call(push)
        assert conversation.ending() is Ending.SLOW_CONSUMER
        assert largest < rules.buffer_bytes + 200_000
        soon(lambda: connections_count(server) == 0)


def test_a_reader_that_takes_nothing_is_cut_off_after_a_while(loop: str) -> None:
    rules = SocketRules(message_bytes=100, outer_bytes=400, stall_seconds=0.2, buffer_bytes=1 << 26)
    with SocketServer(loop, rules=rules, turn_seconds=0.05) as server, RawSocket.upgraded(server.port) as client:
        conversation = server.conversation()
        client.echo()
        socket = conversation.socket
        assert socket is not None
        server.call(lambda: socket.send(b"x" * (1 << 25)))
        assert conversation.ending() is Ending.SLOW_CONSUMER


def test_a_silent_peer_is_pinged_and_given_up(loop: str) -> None:
    rules = SocketRules(message_bytes=100, outer_bytes=400, ping_seconds=0.1, silence_seconds=0.4)
    with SocketServer(loop, rules=rules, turn_seconds=0.05) as server, RawSocket.upgraded(server.port) as client:
        conversation = server.conversation()
        assert client.frame() == (PING, b"")
        client.send(frame(PONG))
        assert client.frame() == (PING, b"")
        assert conversation.ending() is Ending.LIVENESS


def test_a_peer_that_answers_pings_stays(loop: str) -> None:
    rules = SocketRules(message_bytes=100, outer_bytes=400, ping_seconds=0.1, silence_seconds=0.4)
    with SocketServer(loop, rules=rules, turn_seconds=0.05) as server, RawSocket.upgraded(server.port) as client:
        for _ in range(10):
            assert client.frame() == (PING, b"")
            client.send(frame(PONG))


def test_an_idle_socket_is_closed_with_the_wires_words(loop: str) -> None:
    rules = SocketRules(message_bytes=100, outer_bytes=400, idle_seconds=0.2, idle_close=(4000, "Inactivity timeout"))
    with SocketServer(loop, rules=rules, turn_seconds=0.05) as server, RawSocket.upgraded(server.port) as client:
        conversation = server.conversation()
        opcode, payload = client.frame()
        assert (opcode, payload) == (CLOSE, close_payload(4000, b"Inactivity timeout"))
        client.send(frame(CLOSE, payload))
        client.ended()
        client.end()
        assert conversation.ending() is Ending.IDLE


def test_a_flood_of_pings_ends_the_socket(server: SocketServer) -> None:
    with RawSocket.upgraded(server.port) as client:
        conversation = server.conversation()
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(100):
                client.send(frame(PING, b"p" * 125) * 1000)
        assert conversation.ending() is Ending.FLOOD


def test_a_broken_connection_is_the_clients_end(server: SocketServer) -> None:
    client = RawSocket.upgraded(server.port)
    conversation = server.conversation()
    client.echo()
    client.reset()
    assert conversation.ending() is Ending.CLIENT


def test_sending_to_a_broken_connection_is_ignored(server: SocketServer) -> None:
    client = RawSocket.upgraded(server.port)
    conversation = server.conversation()
    client.echo()
    socket = conversation.socket
    assert socket is not None

    def push() -> None:
        for _ in range(10):
            socket.send(b"x" * 60_000)
        socket.pause()
        socket.resume()
        socket.close(1000, "", Ending.DRAIN)
        socket.abort(Ending.DRAIN)

    server.call(lambda: (client.reset(), push()))
    conversation.ending()
    server.call(push)
    assert conversation.endings.empty()


def test_paused_messages_wait_in_the_kernel_and_come_in_order(server: SocketServer) -> None:
    with RawSocket.upgraded(server.port) as client:
        conversation = server.conversation()
        client.echo(b"first")
        socket = conversation.socket
        assert socket is not None
        server.call(socket.pause)
        client.send(frame(TEXT, b"second") + frame(PING, b"ping"))
        client.send(frame(TEXT, b"third"))
        server.call(lambda: None)
        assert conversation.messages == [b"first"]
        server.call(socket.resume)
        assert client.frame() == (TEXT, b"second")
        assert client.frame() == (PONG, b"ping")
        assert client.frame() == (TEXT, b"third")


def test_a_failing_conversation_ends_its_own_socket_only(loop: str) -> None:
    class Failing(Recorder):
        def received(self, message: bytes) -> None:
            raise RuntimeError("no")

    with (
        SocketServer(loop, welcome=lambda upgrade: Failing() if upgrade.path == "/bx" else Recorder()) as server,
        RawSocket.upgraded(server.port) as bystander,
        RawSocket.upgraded(server.port, "/bx") as client,
        capture_logs() as logs,
    ):
        server.conversation()
        conversation = server.conversation()
        client.send(frame(TEXT, b"a") + frame(TEXT, b"b"))
        assert client.closed() == (1013, b"")
        client.end()
        assert conversation.ending() is Ending.SERVER_ERROR
        bystander.echo()
    assert [entry["event"] for entry in logs] == ["socket.failed"]
    assert logs[0]["incident"]


# --- what we lean on ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["connection_made", "connection_lost", "data_received", "handle_websocket_upgrade", "shutdown"]
)
def test_uvicorn_still_has_the_part_we_override_or_call(name: str) -> None:
    assert callable(getattr(H11Protocol, name))


def test_uvicorn_still_keeps_what_we_read() -> None:
    state = ServerState()
    protocol = H11Protocol(Config(lambda: None, log_config=None), state, {}, asyncio.new_event_loop())
    try:
        assert isinstance(protocol.conn, h11.Connection)
        assert protocol.conn.their_state is h11.IDLE
        assert protocol.connections is state.connections
        assert protocol.client is None
        assert protocol.access_log in {True, False}
    finally:
        protocol.loop.close()
