"""The main port's pages, over ASGI without a socket."""

import json

import httpx2
import pytest

from exchange.core.errors import StorageUnavailable
from exchange.transports.http import ROUTES, website


class Facts:
    def __init__(self) -> None:
        self.why_not: tuple[str, ...] = ()
        self.down = False
        self.base_urls: list[str] = []

    async def statistics(self) -> dict[str, object]:
        if self.down:
            raise StorageUnavailable
        return {"liveClients": 1, "connectedUsers": [{"nickname": "Ä"}]}

    async def status(self, base_url: str) -> dict[str, object]:
        self.base_urls.append(base_url)
        return await self.statistics()

    def health(self) -> dict[str, object]:
        return {"status": "ok"}

    def reasons(self) -> tuple[str, ...]:
        return self.why_not


class Rig:
    def __init__(self) -> None:
        self.facts = Facts()
        self.counted: list[tuple[str, int]] = []
        self.app = website(self.facts, lambda *what: self.counted.append(what))

    async def ask(self, path: str, method: str = "GET", **more: object) -> httpx2.Response:
        transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="https://magi.example") as client:
            return await client.request(method, path, **more)


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize("path", ["/", "/bx", "/bx/"])
async def test_the_page_is_served_and_may_do_nothing_but_look_nice(rig, path):
    response = await rig.ask(path)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe-inline" not in policy
    assert "<script" not in response.text
    assert "<style" not in response.text


@pytest.mark.parametrize("path", ["/api/stats", "/bx/stats", "/api/status", "/health", "/ready"])
async def test_numbers_are_indented_json_that_nobody_keeps(rig, path):
    response = await rig.ask(path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.text == json.dumps(response.json(), indent=2, ensure_ascii=False)


async def test_the_status_is_told_under_which_address_it_was_asked(rig):
    await rig.ask("/api/status")
    assert rig.facts.base_urls == ["https://magi.example"]


async def test_a_store_out_of_reach_is_a_503_without_details_and_health_goes_on(rig):
    rig.facts.down = True
    response = await rig.ask("/api/stats")
    assert response.status_code == 503
    assert response.json() == {"error": "Service temporarily unavailable. Please try again."}
    assert (await rig.ask("/health")).status_code == 200


async def test_readiness_says_why_not(rig):
    assert (await rig.ask("/ready")).json() == {"ready": True, "reasons": []}
    rig.facts.why_not = ("store", "draining")
    response = await rig.ask("/ready")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "reasons": ["store", "draining"]}


@pytest.mark.parametrize("path", ["/elsewhere", "/health/", "/metrics", "/bx/x"])
async def test_another_path_is_not_there_and_nobody_is_sent_elsewhere(rig, path):
    response = await rig.ask(path)
    assert (response.status_code, response.text) == (404, "Not Found")


@pytest.mark.parametrize("path", ["/", "/api/stats", "/elsewhere"])
async def test_every_response_may_be_read_by_any_page(rig, path):
    response = await rig.ask(path)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Access-Control-Allow-Methods"] == "GET, POST, OPTIONS"
    assert response.headers["Access-Control-Allow-Headers"] == "Content-Type, Authorization"


@pytest.mark.parametrize("path", ["/", "/api/stats", "/elsewhere"])
async def test_every_preflight_is_answered(rig, path):
    response = await rig.ask(path, "OPTIONS")
    assert (response.status_code, response.text) == (200, "")
    assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_responses_are_counted_by_route_and_unknown_ones_together(rig):
    rig.facts.why_not = ("store",)
    for path in ("/health", "/ready", "/elsewhere?x=/health", "/%68ealth"):
        await rig.ask(path)
    assert rig.counted == [("/health", 200), ("/ready", 503), ("other", 404), ("/health", 200)]
    assert {route for route, _ in rig.counted} <= {*ROUTES, "other"}


async def test_a_method_that_a_page_does_not_know_is_refused(rig):
    response = await rig.ask("/api/stats", "DELETE")
    assert response.status_code == 404
