"""The socket inside TLS, as on the relay's own listener: real certificates, real connections."""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.sync.client import ClientConnection, connect

from exchange.front import Ending, SocketRules
from tests.harness.raw_socket import CLOSE, PING, PONG, TEXT, RawSocket, close_payload, frame
from tests.harness.relay import certificate
from tests.harness.socket_server import LOOPS, SocketServer
from tests.harness.waiting import WAIT_SECONDS, soon

MIB = 1 << 20
RULES = SocketRules(
    message_bytes=5 * MIB,
    outer_bytes=8 * MIB,
    ping_seconds=0.0,
    silence_seconds=0.0,
    stall_seconds=0.0,
    idle_seconds=0.0,
    buffer_bytes=32 * MIB,
    close_seconds=0.5,
)
MUCH = b"x" * (8 * MIB)  # more than the kernels on both sides hold


@pytest.fixture(scope="module")
def trusted(tmp_path_factory) -> Path:
    """Return the file of a certificate for ``localhost``; its key stands beside it."""
    return certificate(tmp_path_factory.mktemp("tls"), "localhost")[1]


@pytest.fixture
def context(trusted) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=trusted)


Serve = Callable[[SocketRules], SocketServer]


@pytest.fixture(params=LOOPS)
def serve(request, trusted) -> Iterator[Serve]:
    """Start servers with these rules; they are stopped at the end."""
    running: list[SocketServer] = []

    def start(rules: SocketRules = RULES) -> SocketServer:
        tls = {"ssl_certfile": trusted, "ssl_keyfile": trusted.with_name("key.pem")}
        running.append(SocketServer(request.param, rules=rules, tls=tls).__enter__())
        return running[-1]

    yield start
    for server in running:
        server.__exit__()


@pytest.fixture
def server(serve) -> SocketServer:
    return serve()


def client(server: SocketServer, context: ssl.SSLContext) -> ClientConnection:
    return connect(
        f"wss://localhost:{server.port}/ws",
        ssl=context,
        compression=None,
        max_size=None,
        proxy=None,
        open_timeout=WAIT_SECONDS,
        close_timeout=WAIT_SECONDS,
    )


def raw(server: SocketServer, context: ssl.SSLContext) -> RawSocket:
    return RawSocket.upgraded(server.port, "/ws", context)


def changed(**changes: float) -> SocketRules:
    return replace(RULES, **changes)


def test_a_client_checks_the_certificate_and_talks(server, context):
    with client(server, context) as peer:
        assert peer.socket.version() in {"TLSv1.2", "TLSv1.3"}
        peer.send("schön")
        assert peer.recv(WAIT_SECONDS) == "schön"
    assert server.conversation().ending() is Ending.CLIENT
    assert server.upgrades[0].address == "127.0.0.1"


def test_http_requests_are_answered(server, context):
    with RawSocket(server.port, context) as peer:
        peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert peer.response().body == b"hello"


@pytest.mark.parametrize("binary", [False, True])
def test_5_mib_pass_both_ways(server, context, binary):
    # CORAL-2, CORAL-20
    message = ("é" * (5 * MIB // 2)).encode()
    with client(server, context) as peer:
        for _ in range(3):
            peer.send(message, text=not binary)
            assert peer.recv(WAIT_SECONDS, decode=False) == message
        peer.send(message + b"!", text=True)
        assert peer.recv(WAIT_SECONDS) == "oversized"
    assert server.conversation().ending() is Ending.CLIENT


def test_a_close_of_ours_is_read_after_what_was_sent(server, context):
    with client(server, context) as peer:
        talk = server.conversation()

        def go() -> None:
            talk.socket.send(MUCH)
            talk.socket.close(4001, "Replaced by a newer connection", Ending.REPLACED)

        server.call(go)
        assert peer.recv(WAIT_SECONDS, decode=False) == MUCH
        with pytest.raises(ConnectionClosedError) as closed:
            peer.recv(WAIT_SECONDS)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "Replaced by a newer connection")
    assert talk.ending() is Ending.REPLACED


def test_a_close_of_the_peer_is_answered_and_ends_the_connection_in_order(server, context):
    with raw(server, context) as peer:
        peer.send(frame(TEXT, b"last") + frame(CLOSE, close_payload(1000)))
        assert peer.frame() == (TEXT, b"last")
        assert peer.closed() == (1000, b"")
    assert server.conversation().ending() is Ending.CLIENT


def test_a_broken_rule_is_answered_before_the_end(server, context):
    with raw(server, context) as peer:
        peer.send(frame(0x3))
        assert peer.closed() == (1002, b"invalid opcode")
    assert server.conversation().ending() is Ending.PROTOCOL


def test_a_peer_that_never_ends_its_half_is_cut_off(server, context):
    # There is no half-open TLS: the whole connection is closed, and waits for the peer's last word.
    with raw(server, context) as peer:
        peer.send(frame(CLOSE, close_payload(1000)))
        assert server.conversation().ending() is Ending.CLIENT
        assert peer.closed() == (1000, b"")


def test_an_abort_says_nothing_more(server, context):
    with client(server, context) as peer:
        talk = server.conversation()
        server.call(lambda: talk.socket.abort(Ending.LIVENESS))
        with pytest.raises(ConnectionClosedError) as closed:
            peer.recv(WAIT_SECONDS)
        assert closed.value.rcvd is None
    assert talk.ending() is Ending.LIVENESS


def test_a_broken_connection_is_the_clients(server, context):
    with raw(server, context) as peer:
        peer.echo()
        peer.reset()
    assert server.conversation().ending() is Ending.CLIENT


def test_what_is_sent_during_a_pause_is_read_after_it(server, context):
    with raw(server, context) as peer, raw(server, context) as other:
        talk = server.conversation()
        server.call(talk.socket.pause)
        peer.send(frame(TEXT, b"a") + frame(TEXT, b"b" * 100_000))
        for _ in range(10):
            other.echo()
        assert server.call(lambda: list(talk.messages)) == []
        server.call(talk.socket.resume)
        assert [peer.frame().payload for _ in range(2)] == [b"a", b"b" * 100_000]


def test_a_peer_is_pinged_and_lives_by_its_pongs(serve, context):
    server = serve(changed(ping_seconds=0.2, silence_seconds=1.0))
    with raw(server, context) as peer:
        for _ in range(3):
            assert peer.frame().opcode == PING
            peer.send(frame(PONG))
        assert server.conversation().ending() is Ending.LIVENESS


def test_a_peer_that_reads_nothing_is_cut_off(serve, context):
    # CORAL-5. TLS hides how much of the first write waits; the pings behind it tell that nothing is taken.
    server = serve(changed(ping_seconds=0.3, stall_seconds=0.5))
    with raw(server, context):
        talk = server.conversation()
        server.call(lambda: talk.socket.send(MUCH))
        assert talk.ending() is Ending.SLOW_CONSUMER


def test_output_is_bounded(serve, context):
    server = serve(changed(buffer_bytes=MIB))
    with raw(server, context):
        talk = server.conversation()

        def more() -> bool:
            if talk.endings.empty():
                talk.socket.send(b"x" * (MIB // 2))
            return not talk.endings.empty()

        soon(lambda: server.call(more))
        assert talk.ending() is Ending.SLOW_CONSUMER


def test_a_close_that_discards_does_not_wait_for_a_peer_that_reads_nothing(server, context):
    # CORAL-25
    with raw(server, context) as peer:
        talk = server.conversation()
        server.call(lambda: talk.socket.send(MUCH))
        server.call(lambda: talk.socket.send(MUCH))
        server.call(lambda: talk.socket.close(4001, "", Ending.REPLACED, discard=True))
        assert talk.ending() is Ending.REPLACED
        received = 0
        while chunk := peer._receive():
            received += len(chunk)
        assert received < 2 * len(MUCH)


def test_a_close_that_discards_tells_a_peer_that_reads_why(server, context):
    # CORAL-25
    with client(server, context) as peer:
        talk = server.conversation()

        def go() -> None:
            talk.socket.send(b"made for old keys")
            talk.socket.close(4001, "Replaced by a newer connection", Ending.REPLACED, discard=True)

        server.call(go)
        with pytest.raises((ConnectionClosedError, ConnectionClosedOK)) as closed:
            peer.recv(WAIT_SECONDS)
        assert closed.value.rcvd.code == 4001
    assert talk.ending() is Ending.REPLACED


def test_who_speaks_no_tls_is_let_go(server):
    with RawSocket(server.port) as peer:
        peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while chunk := peer._receive():
            assert not chunk.startswith(b"HTTP")
    assert server.upgrades == []
