"""Opening a WebSocket, and saying in one sentence why that did not work."""

import asyncio
import socket
import ssl
import time
from email.utils import parsedate_to_datetime
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidProxy, InvalidStatus, InvalidURI, ProxyError
from websockets.http11 import Response

import magi
from magi.client.addresses import is_loopback, place
from magi.client.errors import NotConnected

OPEN_SECONDS: Final = 5.0
"""For TCP, TLS and the upgrade together (CLI-4)."""
CLOSE_SECONDS: Final = 2.0
PING_SECONDS: Final = 20.0
PONG_SECONDS: Final = 10.0
FRAME_BYTES_MOST: Final = 8 << 20
EYEBALLS_SECONDS: Final = 0.25
"""How much earlier the first address of a name is tried than the second one (RFC 8305)."""

STATUSES: Final = {
    401: "{place} wants a password, which magi does not have",
    403: "{place} does not let us in",
    404: "{place} has no exchange at this path",
    429: "{place} wants to be left alone for a while",
    503: "{place} is full or stopping",
}
"""HTTP statuses that say more than that there is no WebSocket."""

FAILURES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (InvalidProxy, "The proxy settings of this machine are of no use: {error}."),
    (ProxyError, "The proxy of this machine does not lead to {place}: {error}."),
    (ImportError, "The proxy settings of this machine name a SOCKS proxy, which needs the package python-socks."),
    (InvalidURI, "{place} sends us on to an address that is no WebSocket: {error.uri}."),
    (InvalidHandshake, "{place} is no WebSocket server, or takes wss:// only."),
    (TimeoutError, "{place} does not answer."),
    (socket.gaierror, "The name {place} is not known; is it spelled right, and is this machine online?"),
    (ssl.SSLCertVerificationError, "The certificate of {place} cannot be trusted: {error.verify_message}."),
    (ssl.SSLError, "{place} does not speak TLS as we do; is it ws:// in place of wss://? ({error.reason})"),
    (ConnectionRefusedError, "Nobody listens at {place}."),
    (ConnectionError, "{place} hangs up before it says anything."),
    (OSError, "{place} cannot be reached: {error}."),
)
"""What to say of a failure: the first class that fits counts."""


async def dial(address: str) -> ClientConnection:
    """Open a WebSocket. Proxy variables are honoured, except for this machine. Safe to cancel.

    Raises:
        NotConnected: Why not, in one sentence; with ``status`` and ``retry_after_seconds`` if it was refused by HTTP.
    """
    options: dict[str, Any] = {"proxy": None if is_loopback(address) else True}
    if isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):  # uvloop's does not know it
        options["happy_eyeballs_delay"] = EYEBALLS_SECONDS
    try:
        return await connect(
            address,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            ping_interval=PING_SECONDS,
            ping_timeout=PONG_SECONDS,
            compression=None,
            max_size=FRAME_BYTES_MOST,
            user_agent_header=f"magi/{magi.__version__}",
            **options,
        )
    except InvalidStatus as error:
        raise _refused(place(address), error.response) from error
    except tuple(kind for kind, _ in FAILURES) as error:
        raise NotConnected(sentence(error, place(address))) from error


def sentence(error: Exception, where: str) -> str:
    """Say why an address could not be opened; ``where`` is its host and port."""
    text = next(text for kind, text in FAILURES if isinstance(error, kind))
    return text.format(place=where, error=error)


def retry_after(value: str, now: float) -> float:
    """Return the seconds that a ``Retry-After`` header names, as a number or as a date; 0 if it makes no sense.

    ``now`` is the wall clock, in seconds since the epoch.
    """
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except ValueError:
        return 0.0


def _refused(where: str, response: Response) -> NotConnected:
    status = response.status_code
    text = STATUSES.get(status, "{place} speaks HTTP, but is no WebSocket server").format(place=where)
    seconds = retry_after(response.headers.get("Retry-After", ""), time.time())
    return NotConnected(f"{text} (HTTP {status}).", status=status, retry_after_seconds=seconds)
