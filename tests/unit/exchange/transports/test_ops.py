"""The ops port, over ASGI without a socket."""

import httpx2
import pytest

from exchange.transports.ops import operations


class Rig:
    def __init__(self) -> None:
        self.started = self.alive = True
        self.why_not: tuple[str, ...] = ()
        self.accepted: list[str] = []
        self.app = operations(self, lambda: self.started, lambda: self.alive, self.exposition)

    def reasons(self) -> tuple[str, ...]:
        return self.why_not

    def exposition(self, accept: str) -> tuple[str, bytes]:
        self.accepted.append(accept)
        return "text/plain; version=0.0.4", b"up 1\n"

    async def ask(self, path: str, **headers: str) -> httpx2.Response:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url="http://ops") as client:
            return await client.get(path, headers=headers)


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


async def test_pages_for_people_are_not_there(rig):
    assert (await rig.ask("/")).status_code == 404
