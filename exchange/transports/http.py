"""HTTP on the main port (MAGI-34, MAGI-35, MAGI-37, WIRE-3)."""

from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from typing import Any, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exchange.core.errors import StorageUnavailable

CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-allow-headers", b"Content-Type, Authorization"),
)
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
ROUTES = ("/", "/bx", "/bx/", "/api/stats", "/bx/stats", "/api/status", "/health", "/ready")
OTHER = "other"
"""The template of all other paths."""


class Facts(Protocol):
    """What the pages tell."""

    async def statistics(self) -> dict[str, Any]:
        """Return the body of ``/api/stats``."""

    async def status(self, base_url: str) -> dict[str, Any]:
        """Return the body of ``/api/status``."""

    def health(self) -> dict[str, Any]:
        """Return the body of ``/health``, without asking the store."""

    def reasons(self) -> tuple[str, ...]:
        """Return why this node should not get traffic; empty if it should."""


CountResponse = Callable[[str, int], None]
"""Is told route template and status of every response."""


def website(facts: Facts, count: CountResponse, *, mounts: Mapping[str, ASGIApp] | None = None) -> ASGIApp:
    """Return the application of the main port.

    Args:
        facts: What the pages tell.
        count: Is told of the pages' responses.
        mounts: Other applications by the path they own, ``/name`` and all below it. They see whole paths, and nothing here
            touches or counts their responses.
    """

    async def page(_request: Request) -> Response:
        return HTMLResponse(_PAGE, headers=PAGE_HEADERS)

    async def stats(_request: Request) -> Response:
        return _json(await facts.statistics())

    async def status(request: Request) -> Response:
        return _json(await facts.status(str(request.base_url).rstrip("/")))

    async def health(_request: Request) -> Response:
        return _json(facts.health())

    endpoints: dict[str, Callable[[Request], Awaitable[Response]]] = dict(
        zip(ROUTES, (page, page, page, stats, stats, status, health, readiness(facts)), strict=True)
    )
    app = Starlette(
        routes=[Route(path, endpoint) for path, endpoint in endpoints.items()],
        exception_handlers={HTTPException: _not_found, StorageUnavailable: _unavailable},
    )
    app.router.redirect_slashes = False
    site = Counted(_Cors(app), count, lambda path: path if path in ROUTES else OTHER)
    return _Mounts(site, mounts) if mounts else site


def readiness(facts: Facts) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that says whether this node should get traffic."""

    async def ready(_request: Request) -> Response:
        reasons = facts.reasons()
        return _json({"ready": not reasons, "reasons": list(reasons)}, 503 if reasons else 200)

    return ready


def _json(body: object, status: int = 200) -> Response:
    text = msgspec.json.format(msgspec.json.encode(body), indent=2)
    return Response(text, status, {"Cache-Control": "no-store"}, "application/json")


async def _not_found(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("Not Found", 404)


async def _unavailable(_request: Request, _error: Exception) -> Response:
    return _json({"error": "Service temporarily unavailable. Please try again."}, 503)


class _Cors:
    """Puts the same headers on every response and answers every ``OPTIONS`` (MAGI-34)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *CORS]
            await send(message)

        app = Response(status_code=200) if scope.get("method") == "OPTIONS" else self._app
        await app(scope, receive, with_headers)


class _Mounts:
    """Gives every request to the application that owns its path."""

    def __init__(self, site: ASGIApp, mounts: Mapping[str, ASGIApp]) -> None:
        self._site = site
        self._mounts = dict(mounts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope.get("path", "").split("/", 2)[1:2]
        await self._mounts.get("/".join(["", *name]), self._site)(scope, receive, send)


class Counted:
    """Counts responses by route template, so that no path from outside becomes a label."""

    def __init__(self, app: ASGIApp, count: CountResponse, template: Callable[[str], str]) -> None:
        """``template`` turns a path into one of a closed list."""
        self._app = app
        self._count = count
        self._template = template

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(self._template(scope.get("path", "")), message["status"])
            await send(message)

        await self._app(scope, receive, counted)


_PAGE = resources.files(__package__).joinpath("page", "index.html").read_text(encoding="utf-8")
