"""The ops port, over ASGI without a socket."""

import httpx2
import pytest

from exchange.transports.ops import operations


class Rig:
    def __init__(self) -> None:
        self.started = self.alive = True
        self.why_not: tuple[str, ...] = ()
        self.accepted: list[str] = []
        self.drains = 0
        self.app = operations(self, lambda: self.started, lambda: self.alive, self.exposition, self.drain)

    def drain(self) -> None:
        self.drains += 1

    def reasons(self) -> tuple[str, ...]:
        return self.why_not

    def exposition(self, accept: str) -> tuple[str, bytes]:
        self.accepted.append(accept)
        return "text/plain; version=0.0.4", b"up 1\n"

    async def ask(self, path: str, method: str = "GET", **headers: str) -> httpx2.Response:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url="http://ops") as client:
            return await client.request(method, path, headers=headers)


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize(("path", "what"), [("/live", "alive"), ("/startup", "started")])
async def test_a_probe_says_yes_or_no_by_its_status(rig, path, what):
    assert (await rig.ask(path)).status_code == 200
    setattr(rig, what, False)
    assert (await rig.ask(path)).status_code == 503


async def test_a_node_that_should_get_no_traffic_lives(rig):
    rig.why_not = ("draining",)
    assert (await rig.ask("/ready")).status_code == 503
    assert (await rig.ask("/live")).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
async def test_metrics_come_in_the_format_that_was_asked_for(rig, path):
    response = await rig.ask(path, Accept="application/openmetrics-text")
    assert response.text == "up 1\n"
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4"
    assert rig.accepted == ["application/openmetrics-text"]


async def test_a_drain_can_be_asked_for_again_and_again(rig):
    for count in (1, 2):
        assert (await rig.ask("/drain", "POST")).status_code == 202
        assert rig.drains == count


async def test_a_drain_is_nothing_that_is_merely_looked_at(rig):
    assert (await rig.ask("/drain")).status_code == 405
    assert rig.drains == 0


async def test_a_page_cannot_have_a_node_drained_through_its_readers_browser(rig):
    assert (await rig.ask("/drain", "POST", Origin="https://elsewhere.example")).status_code == 403
    assert rig.drains == 0


async def test_pages_for_people_are_not_there(rig):
    assert (await rig.ask("/")).status_code == 404
