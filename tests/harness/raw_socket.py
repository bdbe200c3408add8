"""A WebSocket client that sends any bytes, and says exactly what came back. Blocking, every wait bounded."""

import os
import socket
import ssl
import struct
from types import TracebackType
from typing import NamedTuple, Self

from tests.harness.waiting import WAIT_SECONDS

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 1.3


class Frame(NamedTuple):
    """A frame from the server."""

    opcode: int
    payload: bytes


class Response(NamedTuple):
    """The answer to an HTTP request."""

    status: int
    headers: dict[str, str]
    body: bytes


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = b"\x37\xfa\x21\x3d",
    width: int | None = None,
    length: int | None = None,
) -> bytes:
    """Return a client's frame, right or wrong: ``mask=None`` leaves it unmasked, ``width`` is the number of bytes of the
    extended length (0, 2, 8) and ``length`` is a lie about it."""
    size = len(payload) if length is None else length
    if width is None:
        width = 0 if size < 126 else 2 if size < 65536 else 8
    masked = 0x80 if mask is not None else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if width == 0:
        head += bytes([masked | size])
    elif width == 2:
        head += bytes([masked | 126]) + struct.pack("!H", size)
    else:
        head += bytes([masked | 127]) + struct.pack("!Q", size)
    if mask is None:
        return head + payload
    repeated = mask * (len(payload) // 4 + 1)
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(repeated[: len(payload)], "big")
    return head + mask + mixed.to_bytes(len(payload), "big")


def close_payload(code: int, reason: bytes = b"") -> bytes:
    return struct.pack("!H", code) + reason


def upgrade_request(path: str = "/", *lines: str, method: str = "GET", version: str = "13", key: str = KEY) -> bytes:
    head = [
        f"{method} {path} HTTP/1.1",
        "Host: exchange.test",
        "Connection: Upgrade",
        "Upgrade: websocket",
        f"Sec-WebSocket-Version: {version}",
        f"Sec-WebSocket-Key: {key}",
        *lines,
    ]
    return "\r\n".join([*head, "", ""]).encode("latin-1")


class RawSocket:
    """One TCP connection to a server under test, with TLS in it if there is a context."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.tcp = socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS)
        self.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.tcp = tls.wrap_socket(self.tcp, server_hostname="localhost")
        self.unread = b""

    @classmethod
    def upgraded(cls, port: int, path: str = "/", tls: ssl.SSLContext | None = None) -> Self:
        """Return a connection whose handshake is done."""
        client = cls(port, tls)
        client.send(upgrade_request(path))
        response = client.response()
        assert response.status == 101, response
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tcp.close()

    def send(self, data: bytes) -> None:
        self.tcp.sendall(data)

    def end(self) -> None:
        """Send no more."""
        self.tcp.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection."""
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.tcp.close()

    def response(self) -> Response:
        """Read an HTTP response."""
        while b"\r\n\r\n" not in self.unread:
            self._more()
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = self._exactly(int(headers.get("content-length", 0)))
        return Response(int(status.split()[1]), headers, body)

    def frame(self) -> Frame:
        """Read a frame, which must be whole and unmasked, as a server's frames here are."""
        first, second = self._exactly(2)
        assert first & 0xF0 == 0x80, f"fragmented or extended: {first:02x}"
        assert not second & 0x80, "a server must not mask"
        length = second
        if second == 126:
            (length,) = struct.unpack("!H", self._exactly(2))
            assert length > 125
        elif second == 127:
            (length,) = struct.unpack("!Q", self._exactly(8))
            assert length > 65535
        return Frame(first & 0x0F, self._exactly(length))

    def echo(self, message: bytes | None = None) -> None:
        """Send a text message and see it come back, and nothing else."""
        message = os.urandom(8).hex().encode() if message is None else message
        self.send(frame(TEXT, message))
        got = self.frame()
        assert got == (TEXT, message), got

    def closed(self) -> tuple[int, bytes]:
        """Read a close frame and the end of TCP; return code (1005 if none was given) and reason."""
        opcode, payload = self.frame()
        assert opcode == CLOSE, (opcode, payload)
        self.ended()
        if not payload:
            return 1005, b""
        return struct.unpack("!H", payload[:2])[0], payload[2:]

    def ended(self) -> None:
        """Read the end of TCP, before anything else comes."""
        rest = self.unread
        while chunk := self._receive():
            rest += chunk
        assert rest == b"", rest

    def _exactly(self, count: int) -> bytes:
        while len(self.unread) < count:
            self._more()
        data, self.unread = self.unread[:count], self.unread[count:]
        return data

    def _more(self) -> None:
        chunk = self._receive()
        if not chunk:
            raise EOFError(f"the server ended the connection after {self.unread!r}")
        self.unread += chunk

    def _receive(self) -> bytes:
        try:
            return self.tcp.recv(1 << 18)
        except ConnectionResetError:
            return b""
