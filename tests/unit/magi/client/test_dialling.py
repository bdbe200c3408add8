"""Twin of ``magi/client/dialling.py``: a socket, or one sentence that says why not."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from websockets.asyncio.server import serve

import magi
from magi.client import dialling
from magi.client.dialling import FAILURES, FRAME_BYTES_MOST, STATUSES, dial, retry_after
from magi.client.errors import NotConnected
from magi.testing import ScriptedExchange
from tests.harness.relay import certificate
from tests.harness.waiting import WAIT_SECONDS

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PROXIES = ("http_proxy", "https_proxy", "ws_proxy", "wss_proxy", "socks_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@contextlib.asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[int]:
    """Serve something else than an exchange; yields its port. All connections are gone afterwards."""
    talks: list[asyncio.Task[None]] = []

    async def whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await talk(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_server(whole, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.gather(*talks)


def saying(answer: bytes, heard: list[bytes] | None = None) -> Talk:
    """Read a request head, answer, hang up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n") if answer else await reader.read(10)
        if heard is not None:
            heard.append(head)
        writer.write(answer)
        await writer.drain()

    return talk


async def refused(address: str) -> NotConnected:
    with pytest.raises(NotConnected) as caught:
        await dial(address)
    said = str(caught.value)
    assert said.endswith((".", "?", ")")), said
    assert "\n" not in said
    return caught.value


# --- what works ------------------------------------------------------------------------------------------------------


async def test_it_pings_and_reads_large_frames():
    async with ScriptedExchange() as exchange:
        connection = await dial(exchange.address)
        assert (connection.ping_interval, connection.ping_timeout) == (20.0, 10.0)
        assert connection.protocol.max_message_size == FRAME_BYTES_MOST
        assert connection.request.headers["User-Agent"] == f"magi/{magi.__version__}"
        await connection.close()


async def test_a_certificate_that_is_trusted_opens_without_compression(tmp_path, monkeypatch):
    context, trusted = certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))

    async def idle(connection):
        await connection.wait_closed()

    async with serve(idle, "127.0.0.1", 0, ssl=context) as server:
        connection = await dial(f"wss://localhost:{server.sockets[0].getsockname()[1]}/")
        assert connection.protocol.extensions == []  # this server would compress
        await connection.close()


# --- what does not ---------------------------------------------------------------------------------------------------


async def test_a_certificate_that_is_not_trusted_is_named(tmp_path):
    context, _ = certificate(tmp_path, "localhost")
    async with serve(lambda connection: connection.wait_closed(), "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        error = await refused(f"wss://localhost:{port}/")
    assert f"certificate of localhost:{port} cannot be trusted: self-signed certificate" in str(error)


@pytest.mark.parametrize("status", STATUSES)
async def test_a_refusal_by_http_says_its_status_and_how_long_to_wait(status):
    async with ScriptedExchange() as exchange:
        exchange.turn_away(status, "7")
        error = await refused(exchange.address)
        assert (error.status, error.retry_after_seconds) == (status, 7.0)
        assert f"(HTTP {status})" in str(error)
        exchange.turn_away(0)
        await (await dial(exchange.address)).close()


async def test_a_web_server_is_no_exchange():
    async with listening(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")) as port:
        error = await refused(f"ws://127.0.0.1:{port}/")
    assert str(error) == f"127.0.0.1:{port} speaks HTTP, but is no WebSocket server (HTTP 200)."


async def test_something_that_is_no_http_is_no_exchange():
    async with listening(saying(b"SSH-2.0-x\r\n")) as port:
        assert "is no WebSocket server" in str(await refused(f"ws://127.0.0.1:{port}/"))


async def test_a_server_without_tls_is_named():
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with listening(talk) as port:
        assert "does not speak TLS as we do" in str(await refused(f"wss://127.0.0.1:{port}/"))


async def test_a_server_that_hangs_up_is_named():
    async with listening(saying(b"")) as port:
        assert "hangs up" in str(await refused(f"wss://127.0.0.1:{port}/"))


async def test_a_redirect_to_something_else_is_named():
    async with listening(
        saying(b"HTTP/1.1 301 Moved\r\nlocation: https://x.example/\r\ncontent-length: 0\r\n\r\n")
    ) as port:
        assert "no WebSocket: https://x.example/" in str(await refused(f"ws://127.0.0.1:{port}/"))


async def test_a_port_where_nobody_listens_is_named():
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
        assert str(await refused(f"ws://127.0.0.1:{port}/")) == f"Nobody listens at 127.0.0.1:{port}."


async def test_a_name_that_nobody_knows_is_named(monkeypatch):
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    assert "The name a.example is not known" in str(await refused("ws://a.example/"))


async def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(dialling, "OPEN_SECONDS", 0.05)

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(silent) as port:
        assert str(await refused(f"ws://127.0.0.1:{port}/")) == f"127.0.0.1:{port} does not answer."


def test_every_failure_has_its_sentence_and_the_last_one_takes_the_rest():
    kinds = [kind for kind, _ in FAILURES]
    for later, kind in enumerate(kinds):
        assert not any(issubclass(kind, earlier) for earlier in kinds[:later]), f"{kind} is never reached"
    assert dialling.sentence(OSError(113, "No route to host"), "a.example") == (
        "a.example cannot be reached: [Errno 113] No route to host."
    )


# --- proxies ---------------------------------------------------------------------------------------------------------


async def test_this_machine_is_reached_past_any_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ws_proxy", "nonsense://")
    async with ScriptedExchange() as exchange:
        await (await dial(exchange.address)).close()


async def test_a_proxy_is_asked_for_other_machines_and_its_refusal_is_named(monkeypatch):
    heard: list[bytes] = []
    async with listening(saying(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", heard)) as port:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        error = await refused("ws://a.example/bx")
    assert heard[0].startswith(b"CONNECT a.example:80 HTTP/1.1\r\n")
    assert str(error) == "The proxy of this machine does not lead to a.example: proxy rejected connection: HTTP 502."
    assert error.status == 0


@pytest.mark.parametrize("proxy", ["nonsense://x", "http://"])
async def test_proxy_settings_of_no_use_are_named(monkeypatch, proxy):
    monkeypatch.setenv("http_proxy", proxy)
    assert "proxy settings of this machine" in str(await refused("ws://a.example/"))


# --- Retry-After -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        ("0", 0.0),
        ("9" * 40, 999_999_999.0),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0.0),
        ("", 0.0),
        ("soon", 0.0),
        ("-3", 0.0),
        ("²", 0.0),
        ("Thu, 99 Jan 1970 00:02:00 GMT", 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(value, seconds):
    assert retry_after(value, now=100.0) == seconds
