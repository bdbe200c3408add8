"""The relay's HTTP, over ASGI without a socket."""

import calendar
import ipaddress
import logging
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.pairs import Role, Usage
from exchange.transports.http import website
from exchange.transports.pairing import PAIRING_ROUTES, pairing, resets_ms
from exchange.transports.proxies import Proxies

TOKEN = "oc_pair_" + "0123456789abcdef" * 2
PROXY = "127.0.0.1"
CLIENT = "203.0.113.7"


class Desk:
    """Knows one token, and does what the test says."""

    registrations_per_hour = 5

    def __init__(self) -> None:
        self.down = self.broken = False
        self.wait_ms = 0
        self.here: frozenset[Role] = frozenset()
        self.made = 0
        self.addresses: list[str] = []
        self.deleted: list[str] = []
        self.asked: list[str] = []

    async def create(self) -> str:
        self._reach()
        self.made += 1
        return TOKEN

    async def register(self, address: str) -> str | int:
        self._reach()
        self.addresses.append(address)
        return self.wait_ms or await self.create()

    async def delete(self, token: str) -> None:
        self._reach()
        self.deleted.append(token)

    async def connected(self, token: str) -> frozenset[Role]:
        self._reach()
        self.asked.append(token)
        return self.here if token == TOKEN else frozenset()

    async def usage(self, token: str) -> Usage | None:
        self._reach()
        return Usage(1000, 10, 2000, 20) if token == TOKEN else None

    def _reach(self) -> None:
        if self.down:
            raise StorageUnavailable
        if self.broken:
            raise RuntimeError("no")


class Rig:
    def __init__(self, prefix: str = "", admin_key: str = "", trusted: str = "198.51.100.0/24") -> None:
        self.desk = Desk()
        self.prefix = prefix
        self.counted: list[tuple[str, int]] = []
        self.refusals = 0
        self.app = pairing(
            self.desk,
            self.paired,
            Proxies([ipaddress.ip_network(trusted)]).client_address,
            lambda *what: self.counted.append(what),
            prefix=prefix,
            admin_key=admin_key,
            refused=self.refused,
        )

    async def paired(self) -> tuple[int, int]:
        return 3, 2

    def refused(self) -> None:
        self.refusals += 1

    async def ask(self, method: str, path: str, *, peer: str = CLIENT, **headers: str) -> httpx2.Response:
        transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False, client=(peer, 12345))
        async with httpx2.AsyncClient(transport=transport, base_url="https://relay.example") as client:
            named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
            return await client.request(method, self.prefix + path, headers=named)


@pytest.fixture(params=["", "/coralmux"])
def rig(request) -> Rig:
    return Rig(request.param, admin_key="secret")


def told(response: httpx2.Response) -> tuple[int, str]:
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    return response.status_code, response.text


# --- the table of section 7 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS", "DELETE"])
async def test_health_says_its_numbers_to_every_method(rig, method):
    response = await rig.ask(method, "/health")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    health = response.json()
    assert (health.pop("status"), health["connections"], health["sessions"]) == ("ok", 3, 2)
    assert list(health) == ["connections", "sessions", "uptime_sec", "alloc_mb", "sys_mb", "goroutines"]
    assert all(type(number) is int for number in health.values())
    assert health["sys_mb"] >= health["alloc_mb"] > 0
    assert health["goroutines"] >= 1


async def test_a_pair_is_made_with_the_key(rig):
    response = await rig.ask("POST", "/api/v1/pair", X_Admin_Key="secret")
    assert (response.status_code, response.json()) == (201, {"token": TOKEN})
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"


async def test_a_pair_shows_who_is_connected_without_a_key(rig):
    assert (await rig.ask("GET", f"/api/v1/pair/{TOKEN}")).json() == {"phone": False, "agent": False}
    rig.desk.here = frozenset({Role.AGENT})
    response = await rig.ask("GET", f"/api/v1/pair/{TOKEN}")
    assert (response.status_code, response.json()) == (200, {"phone": False, "agent": True})
    rig.desk.here = frozenset(Role)
    assert (await rig.ask("GET", f"/api/v1/pair/{TOKEN}")).json() == {"phone": True, "agent": True}


@pytest.mark.parametrize("token", [TOKEN.upper(), "x", "a/b", "%C3%A9", TOKEN + "/"])
async def test_nobody_is_connected_under_an_unknown_token(rig, token):
    rig.desk.here = frozenset(Role)
    response = await rig.ask("GET", f"/api/v1/pair/{token}")
    assert (response.status_code, response.json()) == (200, {"phone": False, "agent": False})


async def test_an_empty_token_is_required(rig):
    assert told(await rig.ask("GET", "/api/v1/pair/")) == (400, "Token required")
    assert told(await rig.ask("DELETE", "/api/v1/pair/", X_Admin_Key="secret")) == (400, "Token required")
    assert told(await rig.ask("DELETE", "/api/v1/pair/")) == (401, "Unauthorized")
    assert (rig.desk.asked, rig.desk.deleted) == ([], [])


@pytest.mark.parametrize("token", [TOKEN, "unknown"])
async def test_a_pair_is_ended_with_the_key_whether_there_is_one_or_not(rig, token):
    response = await rig.ask("DELETE", f"/api/v1/pair/{token}", X_Admin_Key="secret")
    assert (response.status_code, response.content) == (204, b"")
    assert rig.desk.deleted == [token]


async def test_anybody_may_register(rig):
    response = await rig.ask("POST", "/api/v1/register")
    assert (response.status_code, response.json()) == (201, {"token": TOKEN})
    assert rig.desk.addresses == [CLIENT]


async def test_who_registers_too_often_is_told_when_to_come_back(rig):
    rig.desk.wait_ms = 1_799_001
    response = await rig.ask("POST", "/api/v1/register")
    assert told(response) == (429, "Rate limit exceeded (5/hour)")
    assert response.headers["Retry-After"] == "1800"
    assert rig.desk.made == 0


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/pair", "GET HEAD PUT PATCH DELETE OPTIONS FOO"),
        (f"/api/v1/pair/{TOKEN}", "POST HEAD PUT PATCH OPTIONS FOO"),
        ("/api/v1/pair/", "POST HEAD PUT OPTIONS"),
        ("/api/v1/register", "GET HEAD PUT PATCH DELETE OPTIONS FOO"),
        ("/api/v1/usage", "POST HEAD PUT PATCH DELETE OPTIONS FOO"),
    ],
)
async def test_another_method_is_not_allowed(rig, path, methods):
    for method in methods.split():
        response = await rig.ask(method, path, X_Admin_Key="secret")
        assert told(response) == (405, "" if method == "HEAD" else "Method not allowed"), method
        assert method not in response.headers["Allow"].split(", ")
        assert "access-control-allow-origin" not in response.headers
    assert (rig.desk.made, rig.desk.deleted) == (0, [])


@pytest.mark.parametrize("path", ["/", "", "/ws", "/api/v1/register/", "/api/v1/pairs", "/api/v1", "/healthy"])
async def test_another_path_is_not_there(rig, path):
    assert told(await rig.ask("GET", path)) == (404, "Not Found")


async def test_paths_without_the_prefix_are_not_there():
    rig = Rig("/coralmux")
    rig.prefix = ""
    assert (await rig.ask("GET", "/health")).status_code == 404
    assert (await rig.ask("POST", "/api/v1/register")).status_code == 404


# --- who may (CORAL-29, CORAL-30) ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "", "secre", "secrets", "SECRET", "é"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/api/v1/pair"), ("DELETE", f"/api/v1/pair/{TOKEN}")])
@pytest.mark.parametrize("peer", [CLIENT, "127.0.0.1"])
async def test_without_the_key_nobody_makes_or_ends_pairs(rig, method, path, key, peer):
    headers = {} if key is None else {"X_Admin_Key": key}
    assert told(await rig.ask(method, path, peer=peer, **headers)) == (401, "Unauthorized")
    assert (rig.desk.made, rig.desk.deleted, rig.refusals) == (0, [], 1)


async def test_a_key_may_have_any_characters():
    rig = Rig(admin_key="schlüssel")
    assert (await rig.ask("POST", "/api/v1/pair", X_Admin_Key="schlüssel")).status_code == 201
    assert (await rig.ask("POST", "/api/v1/pair", X_Admin_Key="schlussel")).status_code == 401


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
async def test_if_no_key_is_set_this_machine_may(peer):
    rig = Rig()
    assert (await rig.ask("POST", "/api/v1/pair", peer=peer)).status_code == 201
    assert (await rig.ask("DELETE", f"/api/v1/pair/{TOKEN}", peer=peer)).status_code == 204


@pytest.mark.parametrize("peer", [CLIENT, "10.0.0.1", "192.168.1.1", "fe80::1", "", "localhost"])
async def test_if_no_key_is_set_nobody_else_may(peer):
    rig = Rig()
    assert told(await rig.ask("POST", "/api/v1/pair", peer=peer, X_Admin_Key="")) == (401, "Unauthorized")
    assert told(await rig.ask("DELETE", f"/api/v1/pair/{TOKEN}", peer=peer)) == (401, "Unauthorized")
    assert (rig.desk.made, rig.desk.deleted, rig.refusals) == (0, [], 2)


@pytest.mark.parametrize("trusted", ["127.0.0.0/8", "198.51.100.0/24"])
@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_For": CLIENT},
        {"X_Forwarded_For": "127.0.0.1"},
        {"X_Forwarded_For": ""},
        {"Forwarded": "for=127.0.0.1"},
        {"X_Forwarded_Host": "relay.example"},
        {"X_Forwarded_Proto": "https"},
        {"X_Real_IP": CLIENT},
        {"Via": "1.1 proxy"},
        {"Origin": "https://page.example"},
    ],
)
async def test_a_proxy_or_a_browser_on_this_machine_does_not_open_it_to_the_world(trusted, headers):
    rig = Rig(trusted=trusted)
    assert told(await rig.ask("POST", "/api/v1/pair", peer=PROXY, **headers)) == (401, "Unauthorized")
    assert rig.desk.made == 0


async def test_registrations_count_for_the_client_behind_a_proxy():
    rig = Rig(trusted="127.0.0.0/8")
    await rig.ask("POST", "/api/v1/register", peer=PROXY, X_Forwarded_For=f"1.2.3.4, {CLIENT}")
    await rig.ask("POST", "/api/v1/register", peer="192.0.2.9", X_Forwarded_For="1.2.3.4")
    assert rig.desk.addresses == [CLIENT, "192.0.2.9"]


# --- usage --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
async def test_usage_is_told_to_who_has_the_token(rig, scheme):
    before = datetime.now(UTC)
    response = await rig.ask("GET", "/api/v1/usage", Authorization=scheme + TOKEN)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    usage = response.json()
    day, month = usage.pop("daily_resets_ms"), usage.pop("monthly_resets_ms")
    assert (day, month) in {resets_ms(before), resets_ms(datetime.now(UTC))}
    assert usage == {
        "daily_quota_bytes": 1000,
        "daily_used_bytes": 10,
        "monthly_quota_bytes": 2000,
        "monthly_used_bytes": 20,
    }


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer unknown", TOKEN, f"Basic {TOKEN}"])
async def test_usage_is_told_to_nobody_else(rig, header):
    headers = {} if header is None else {"Authorization": header}
    assert told(await rig.ask("GET", "/api/v1/usage", **headers)) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("now", "day", "month"),
    [
        (datetime(2026, 11, 21, 23, 59, 59, 999999, UTC), (2026, 11, 22), (2026, 12, 1)),
        (datetime(2026, 12, 31, tzinfo=UTC), (2027, 1, 1), (2027, 1, 1)),
        (datetime(2028, 2, 29, 12, tzinfo=UTC), (2028, 3, 1), (2028, 3, 1)),
        (datetime(2027, 1, 31, 1, tzinfo=UTC), (2027, 2, 1), (2027, 2, 1)),
    ],
)
def test_days_and_months_end_at_midnight_of_utc(now, day, month):
    assert resets_ms(now) == tuple(calendar.timegm((*date, 0, 0, 0)) * 1000 for date in (day, month))


def test_every_moment_lies_before_its_resets():
    for hours in range(0, 24 * 800, 7):
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
        day_ms, month_ms = resets_ms(now)
        now_ms = int(now.timestamp()) * 1000
        assert now_ms < day_ms <= now_ms + 86_400_000
        assert day_ms <= month_ms <= now_ms + 31 * 86_400_000


# --- what goes wrong ----------------------------------------------------------------------------------------------------

ASKED = [
    ("POST", "/api/v1/pair"),
    ("DELETE", f"/api/v1/pair/{TOKEN}"),
    ("GET", f"/api/v1/pair/{TOKEN}"),
    ("POST", "/api/v1/register"),
    ("GET", "/api/v1/usage"),
]


@pytest.mark.parametrize(("method", "path"), ASKED)
async def test_while_the_store_is_away_nothing_is_said_about_tokens(rig, method, path):
    # WIRE-7
    rig.desk.down = True
    response = await rig.ask(method, path, X_Admin_Key="secret", Authorization=f"Bearer {TOKEN}")
    assert told(response) == (503, "Service temporarily unavailable. Please try again.")
    assert int(response.headers["Retry-After"]) > 0
    assert (await rig.ask("GET", "/health")).status_code == 200


@pytest.mark.parametrize(("method", "path"), ASKED)
async def test_a_mistake_of_ours_says_no_details(rig, method, path):
    rig.desk.broken = True
    response = await rig.ask(method, path, X_Admin_Key="secret", Authorization=f"Bearer {TOKEN}")
    assert told(response) == (500, "Failed to create token" if method == "POST" else "Internal Server Error")


# --- counting, and the place in the website -----------------------------------------------------------------------------


async def test_responses_are_counted_by_templates_without_prefix_or_token(rig):
    for method, path in (
        *ASKED,
        ("GET", "/api/v1/pair/"),
        ("GET", "/health"),
        ("GET", f"/{TOKEN}"),
        ("PUT", "/health"),
    ):
        await rig.ask(method, path)
    assert [route for route, _ in rig.counted] == [
        "/api/v1/pair",
        "/api/v1/pair/{token}",
        "/api/v1/pair/{token}",
        "/api/v1/register",
        "/api/v1/usage",
        "/api/v1/pair/{token}",
        "/health",
        "other",
        "/health",
    ]
    assert [status for _, status in rig.counted] == [401, 401, 200, 201, 401, 400, 200, 404, 200]
    assert {route for route, _ in rig.counted} == {*PAIRING_ROUTES, "/health", "other"}


async def test_no_token_is_logged(rig, caplog):
    caplog.set_level(logging.DEBUG)
    rig.desk.broken = True
    for method, path in ASKED:
        await rig.ask(method, path, X_Admin_Key="secret", Authorization=f"Bearer {TOKEN}")
    ours = [record for record in caplog.records if not record.name.startswith("httpx")]
    assert not [record for record in ours if TOKEN[:16] in record.getMessage()]


async def test_in_the_website_it_owns_its_prefix_and_nothing_else():
    rig = Rig("/coralmux", admin_key="secret")
    pages: list[tuple[str, int]] = []
    rig.app = website(object(), lambda *what: pages.append(what), mounts={"/coralmux": rig.app})
    rig.prefix = ""
    for path, status in (("/coralmux/api/v1/usage", 401), ("/coralmux", 404), ("/coralmux/", 404)):
        response = await rig.ask("GET", path)
        assert response.status_code == status
        assert "access-control-allow-origin" not in response.headers
    assert (await rig.ask("OPTIONS", "/coralmux/api/v1/pair")).status_code == 405
    assert pages == []
    for path, status in (("/", 200), ("/coralmuxx/health", 404), ("/api/v1/usage", 404), ("/x/coralmux/health", 404)):
        response = await rig.ask("GET", path)
        assert response.status_code == status
        assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert pages == [("/", 200), *[("other", 404)] * 3]
    assert [route for route, _ in rig.counted] == ["/api/v1/usage", "other", "other", "/api/v1/pair"]
