"""The answer to a request to become a WebSocket (RFC 6455 section 4.2)."""

from collections.abc import Callable, Sequence
from urllib.parse import unquote

import h11
import structlog
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from exchange.entropy import new_id
from exchange.front import Doorman, Upgrade, Welcome
from exchange.transports.codec import LOGGER

ClientAddress = Callable[[str, Sequence[str]], str]
"""Says who the client is, from the peer's address and its ``X-Forwarded-For`` lines (SEC-55)."""

log = structlog.get_logger()


def answer(
    event: h11.Request, peer: str, doorman: Doorman, client_address: ClientAddress
) -> tuple[Response, Welcome | None]:
    """Return the response to an upgrade request, and the welcome if it is accepted.

    The form is checked first, so whoever is welcomed gets a socket. No subprotocol and no extension is ever taken.
    """
    codec = ServerProtocol(logger=LOGGER)
    request = _request(event)
    if _has_body(request):
        return codec.reject(400, "An upgrade request has no body.\n"), None
    response = codec.accept(request)
    if response.status_code != 101:
        response.headers["Sec-WebSocket-Version"] = "13"  # RFC 6455 4.4
        return response, None
    try:
        address = client_address(peer, request.headers.get_all("X-Forwarded-For"))
        path = unquote(request.path.partition("?")[0])
        verdict = doorman(Upgrade(path, request.headers.get("Origin"), address))
    except Exception:
        incident = new_id()
        log.exception("upgrade.failed", incident=incident)
        return codec.reject(500, f"Something went wrong here (incident {incident}).\n"), None
    if isinstance(verdict, Welcome):
        return response, verdict
    refusal = codec.reject(verdict.status, verdict.text)
    if verdict.retry_after_seconds:
        refusal.headers["Retry-After"] = str(verdict.retry_after_seconds)
    return refusal, None


def _request(event: h11.Request) -> Request:
    return Request(
        path=event.target.decode("ascii"),
        headers=Headers([(name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers]),
        method=event.method.decode("ascii"),
        protocol=f"HTTP/{event.http_version.decode('ascii')}",
    )


def _has_body(request: Request) -> bool:
    headers = request.headers
    return "Transfer-Encoding" in headers or not set(headers.get_all("Content-Length")) <= {"0"}
