"""The ops port: probes and metrics, never routed to the outside (OPS-6, SEC-31)."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from exchange.transports.http import Facts, readiness


def operations(
    facts: Facts, started: Callable[[], bool], alive: Callable[[], bool], exposition: Callable[[str], tuple[str, bytes]]
) -> ASGIApp:
    """Return the application of the ops port.

    Args:
        facts: Says whether the node should get traffic.
        started: Whether the start is complete.
        alive: Whether the event loop turns.
        exposition: Turns an ``Accept`` header into content type and metrics.
    """

    async def live(_request: Request) -> Response:
        return _verdict(alive())

    async def startup(_request: Request) -> Response:
        return _verdict(started())

    async def metrics(request: Request) -> Response:
        content_type, body = exposition(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type})

    return Starlette(
        routes=[
            Route("/live", live),
            Route("/startup", startup),
            Route("/ready", readiness(facts)),
            Route("/metrics", metrics),
            Route("/metrics/", metrics),
        ]
    )


def _verdict(good: bool) -> Response:
    return PlainTextResponse("ok\n" if good else "no\n", 200 if good else 503)
