"""The ops port: probes and metrics, never routed to the outside (OPS-6, SEC-31)."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from exchange.transports.http import Facts, readiness


def operations(
    facts: Facts,
    started: Callable[[], bool],
    alive: Callable[[], bool],
    exposition: Callable[[str], tuple[str, bytes]],
    drain: Callable[[], None],
) -> ASGIApp:
    """Return the application of the ops port.

    Args:
        facts: Says whether the node should get traffic.
        started: Whether the start is complete.
        alive: Whether the event loop turns.
        exposition: Turns an ``Accept`` header into content type and metrics.
        drain: Has the node end in order (DEL-48); called any number of times.
    """

    async def live(_request: Request) -> Response:
        return _verdict(alive())

    async def startup(_request: Request) -> Response:
        return _verdict(started())

    async def metrics(request: Request) -> Response:
        content_type, body = exposition(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type})

    async def begin_drain(request: Request) -> Response:
        if "origin" in request.headers:
            # Only browsers send it, and only a page that means no good asks its reader's browser for this.
            return PlainTextResponse("Pages may not do this.\n", 403)
        drain()
        return PlainTextResponse("draining\n", 202)

    return Starlette(
        routes=[
            Route("/live", live),
            Route("/startup", startup),
            Route("/ready", readiness(facts)),
            Route("/metrics", metrics),
            Route("/metrics/", metrics),
            Route("/drain", begin_drain, methods=["POST"]),
        ]
    )


def _verdict(good: bool) -> Response:
    return PlainTextResponse("ok\n" if good else "no\n", 200 if good else 503)
