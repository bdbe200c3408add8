"""HTTP of the relay: where pairs are made, looked at and ended (CORAL section 7)."""

import asyncio
import hmac
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from exchange.core.errors import StorageUnavailable
from exchange.core.pairs import Role, Usage
from exchange.place import parsed
from exchange.transports.handshake import ClientAddress
from exchange.transports.http import OTHER, Counted, CountResponse
from exchange.transports.memory import memory_bytes

PAIRING_ROUTES = ("/api/v1/pair", "/api/v1/pair/{token}", "/api/v1/register", "/api/v1/usage")
"""Templates for the count, whatever the prefix. ``/health`` counts together with that of the main port."""

FOREIGN = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via", "origin")
"""Headers of proxies, and of pages in a browser: who sends one does not speak for this machine."""

RETRY_SECONDS = 2
_MIB = 1 << 20


class PairingDesk(Protocol):
    """Works on pairs by their tokens. Everything raises ``StorageUnavailable``."""

    registrations_per_hour: int

    async def create(self) -> str:
        """Make a pair and return its token."""

    async def register(self, address: str) -> str | int:
        """Make a pair for whoever has this address: its token, or the milliseconds until it may have one."""

    async def delete(self, token: str) -> None:
        """End a pair, if there is one."""

    async def connected(self, token: str) -> frozenset[Role]:
        """Return who is connected; nobody of an unknown pair."""

    async def usage(self, token: str) -> Usage | None:
        """Return what a pair passed on and may pass on; ``None`` if there is no such pair."""


def pairing(
    desk: PairingDesk,
    paired: Callable[[], Awaitable[tuple[int, int]]],
    client_address: ClientAddress,
    count: CountResponse,
    *,
    prefix: str = "",
    admin_key: str = "",
    refused: Callable[[], None] = lambda: None,
) -> ASGIApp:
    """Return the application of the relay's HTTP.

    Args:
        desk: Works on pairs.
        paired: Returns the connections and the pairs of the whole cluster, as last known while the store is away.
        client_address: Says who a client is.
        count: Is told of every response.
        prefix: What stands before all paths.
        admin_key: Is asked for where pairs are made and ended. Without one only this machine may, and directly (CORAL-29).
        refused: Is told whenever somebody may not.
    """
    clerk = _Clerk(desk, paired, client_address, admin_key, refused)
    methods = (
        {"POST": clerk.create},
        {"GET": clerk.connected, "DELETE": clerk.delete},
        {"POST": clerk.register},
        {"GET": clerk.usage},
    )
    places = zip(PAIRING_ROUTES, methods, strict=True)
    app = Starlette(
        routes=[
            Route(prefix + "/health", _Methods({}, clerk.health)),
            # A token may be empty, or hold a slash: then it is answered, too.
            *(Route(prefix + path.replace("}", ":path}"), _Methods(by)) for path, by in places),
        ],
        exception_handlers={404: _not_found, StorageUnavailable: _unavailable, Exception: _failed},
    )
    app.router.redirect_slashes = False

    def template(path: str) -> str:
        path = path.removeprefix(prefix)
        if path.startswith("/api/v1/pair/"):
            return "/api/v1/pair/{token}"
        return path if path in {*PAIRING_ROUTES, "/health"} else OTHER

    return Counted(app, count, template)


def resets_ms(now: datetime) -> tuple[int, int]:
    """Return when the day and when the month end, in milliseconds since the epoch; ``now`` is of UTC (CORAL-22)."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
    return int((midnight + timedelta(days=1)).timestamp()) * 1000, int(month.timestamp()) * 1000


Endpoint = Callable[[Request], Awaitable[Response]]


class _Methods:
    """One path, and what each method does there; ``HEAD`` is a method like any other."""

    def __init__(self, endpoints: Mapping[str, Endpoint], otherwise: Endpoint | None = None) -> None:
        self._endpoints = endpoints
        self._otherwise = otherwise or self._refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._endpoints.get(request.method, self._otherwise)(request)
        await response(scope, receive, send)

    async def _refuse(self, _request: Request) -> Response:
        return PlainTextResponse("Method not allowed", 405, {"Allow": ", ".join(self._endpoints)})


class _Clerk:
    """Answers requests."""

    def __init__(
        self,
        desk: PairingDesk,
        paired: Callable[[], Awaitable[tuple[int, int]]],
        client_address: ClientAddress,
        admin_key: str,
        refused: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._paired = paired
        self._client_address = client_address
        self._admin_key = admin_key.encode()
        self._refused = refused
        self._started = time.monotonic()

    async def health(self, _request: Request) -> Response:
        connections, sessions = await self._paired()
        present_bytes, asked_bytes = memory_bytes()
        return _json(
            {
                "status": "ok",
                "connections": connections,
                "sessions": sessions,
                "uptime_sec": int(time.monotonic() - self._started),
                "alloc_mb": present_bytes // _MIB,
                "sys_mb": asked_bytes // _MIB,
                "goroutines": len(asyncio.all_tasks()),
            }
        )

    async def create(self, request: Request) -> Response:
        if not self._may(request):
            return _unauthorized()
        return _json({"token": await self._desk.create()}, 201)

    async def register(self, request: Request) -> Response:
        outcome = await self._desk.register(self._address(request))
        if isinstance(outcome, str):
            return _json({"token": outcome}, 201)
        text = f"Rate limit exceeded ({self._desk.registrations_per_hour}/hour)"
        return PlainTextResponse(text, 429, {"Retry-After": str(math.ceil(outcome / 1000))})

    async def connected(self, request: Request) -> Response:
        token = request.path_params["token"]
        if not token:
            return _token_required()
        connected = await self._desk.connected(token)
        return _json({role.value: role in connected for role in Role})

    async def delete(self, request: Request) -> Response:
        if not self._may(request):
            return _unauthorized()
        token = request.path_params["token"]
        if not token:
            return _token_required()
        await self._desk.delete(token)
        return Response(status_code=204)

    async def usage(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        usage = await self._desk.usage(token.strip()) if scheme.lower() == "bearer" else None
        if usage is None:
            return _unauthorized()
        day_ms, month_ms = resets_ms(datetime.now(UTC))
        return _json({**asdict(usage), "daily_resets_ms": day_ms, "monthly_resets_ms": month_ms})

    def _may(self, request: Request) -> bool:
        """Tell whether a request may make and end pairs (CORAL-29)."""
        if self._admin_key:
            given = request.headers.get("x-admin-key", "").encode("latin-1")
            may = hmac.compare_digest(given, self._admin_key)
        else:
            address = parsed(self._address(request))
            foreign = any(name in request.headers for name in FOREIGN)
            may = address is not None and address.is_loopback and not foreign
        if not may:
            self._refused()
        return may

    def _address(self, request: Request) -> str:
        peer = request.client.host if request.client else ""
        return self._client_address(peer, request.headers.getlist("x-forwarded-for"))


def _json(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, {"Cache-Control": "no-store"}, "application/json")


def _unauthorized() -> Response:
    return PlainTextResponse("Unauthorized", 401)


def _token_required() -> Response:
    return PlainTextResponse("Token required", 400)


async def _not_found(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("Not Found", 404)


async def _unavailable(_request: Request, _error: Exception) -> Response:
    # Nobody may take it for a word about a token or a key (WIRE-7).
    text = "Service temporarily unavailable. Please try again."
    return PlainTextResponse(text, 503, {"Retry-After": str(RETRY_SECONDS)})


async def _failed(request: Request, _error: Exception) -> Response:
    """Say that we made a mistake; it is logged by who runs this application."""
    return PlainTextResponse("Failed to create token" if request.method == "POST" else "Internal Server Error", 500)
