"""Section 7: pairing, status, registration, health and usage over HTTP, at both layouts (CORAL-29 to CORAL-32)."""

import asyncio
import datetime as dt
import re
import ssl
from ipaddress import ip_network
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from exchange.admin.invitation import link_of
from tests.conformance.coralmux.client import padded
from tests.conformance.coralmux.places import Place
from tests.conformance.magi.requirements import covers
from tests.harness.in_process import in_process
from tests.harness.relay import certificate
from tests.harness.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN = re.compile(r"oc_pair_[0-9a-f]{32}")
UNKNOWN = "oc_pair_" + "0" * 32
KEY = "a-key-of-the-operator-123"
PROXIED = {"trusted_proxies": (ip_network("127.0.0.0/8"),)}
ELSEWHERE = {"X-Forwarded-For": "203.0.113.7"}


@covers("CORAL-31", "CORAL-29")
async def test_a_token_is_made_of_128_random_bits_and_pairs_at_once_on_every_node(place: Place):
    tokens = set()
    for number in range(12):
        response = await place.request("POST", "/api/v1/pair", number)
        assert response.status_code == 201
        assert set(response.json()) == {"token"}
        tokens.add(response.json()["token"])
        assert TOKEN.fullmatch(response.json()["token"])
        await (await place.phone(response.json()["token"], number + 1)).nothing_more()
    assert len(tokens) == 12


@covers("CORAL-32")
async def test_pair_status_is_that_of_the_cluster_and_unknown_tokens_have_nobody(place: Place):
    token = await place.token()
    for node in (0, 1):
        assert await place.connected(token, node) == {"phone": False, "agent": False}
        assert await place.connected(UNKNOWN, node) == {"phone": False, "agent": False}
        assert await place.connected("nonsense", node) == {"phone": False, "agent": False}
    phone = await place.phone(token, 0)
    assert await place.connected(token, 1) == {"phone": True, "agent": False}
    await place.agent(token, 1)
    assert await place.connected(token, 0) == {"phone": True, "agent": True}
    await phone.close()
    await place.until(token, phone=False, agent=True)


@covers("CORAL-32")
async def test_an_empty_token_is_asked_for(place: Place):
    response = await place.request("GET", "/api/v1/pair/")
    assert (response.status_code, response.text.strip()) == (400, "Token required")


@covers("CORAL-27", "CORAL-29")
async def test_deleting_says_nothing_about_what_was_there(place: Place):
    token = await place.token()
    for one in (token, token, UNKNOWN, "nonsense"):
        response = await place.request("DELETE", f"/api/v1/pair/{one}", 1)
        assert (response.status_code, response.content) == (204, b"")


@covers("CORAL-29")
async def test_every_other_method_is_refused(place: Place):
    paths = {
        "/api/v1/pair": ("GET", "PUT", "DELETE", "PATCH"),
        f"/api/v1/pair/{UNKNOWN}": ("POST", "PUT", "PATCH"),
        "/api/v1/register": ("GET", "PUT", "DELETE", "PATCH"),
    }
    for path, methods in paths.items():
        for method in methods:
            response = await place.request(method, path)
            assert (response.status_code, response.text.strip()) == (405, "Method not allowed"), (method, path)
            assert response.headers["content-type"].startswith("text/plain")


@covers("CORAL-29", relay={"admin_key": SecretStr(KEY)})
async def test_with_an_admin_key_nobody_makes_or_deletes_pairs_without_it(place: Place):
    good = {"X-Admin-Key": KEY}
    token = (await place.request("POST", "/api/v1/pair", headers=good)).json()["token"]
    for headers in (
        {},
        {"X-Admin-Key": ""},
        {"X-Admin-Key": KEY[:-1]},
        {"X-Admin-Key": KEY + "x"},
        {"x-admin-key": "é"},
    ):
        for method, path in (("POST", "/api/v1/pair"), ("DELETE", f"/api/v1/pair/{token}")):
            raw = {name: value.encode("latin-1") for name, value in headers.items()}
            response = await place.request(method, path, 1, headers=raw)
            assert (response.status_code, response.text.strip()) == (401, "Unauthorized")
            assert response.headers["content-type"].startswith("text/plain")
    await place.phone(token)
    assert await place.connected(token) == {"phone": True, "agent": False}
    assert (await place.request("DELETE", f"/api/v1/pair/{token}", headers=good)).status_code == 204


@covers("CORAL-29", listen=PROXIED)
async def test_without_an_admin_key_only_this_machine_makes_and_deletes_pairs(place: Place):
    token = await place.token()
    for method, path in (
        ("POST", "/api/v1/pair"),
        ("DELETE", f"/api/v1/pair/{token}"),
        ("DELETE", f"/api/v1/pair/{UNKNOWN}"),
    ):
        response = await place.request(method, path, headers=ELSEWHERE)
        assert (response.status_code, response.text.strip()) == (401, "Unauthorized")
    await place.phone(token)
    assert (await place.request("GET", f"/api/v1/pair/{token}", headers=ELSEWHERE)).status_code == 200


@covers("CORAL-29")
async def test_without_an_admin_key_nobody_makes_pairs_through_a_proxy_or_a_page_on_this_machine(place: Place):
    for headers in (
        ELSEWHERE,
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Origin": "http://x"},
    ):
        response = await place.request("POST", "/api/v1/pair", headers=headers)
        assert (response.status_code, response.text.strip()) == (401, "Unauthorized"), headers


@covers("CORAL-30", "CORAL-31", "CORAL-36")
async def test_an_address_registers_five_times_an_hour_wherever_it_asks(place: Place):
    async def register(number: int, address: str) -> tuple[int, str]:
        response = await place.request("POST", "/api/v1/register", number, address=address)
        if response.status_code == 429:
            assert response.headers["content-type"].startswith("text/plain")
            return 429, response.text.strip()
        assert set(response.json()) == {"token"}
        return response.status_code, response.json()["token"]

    both = [place.address(number) for number in (10, 11)]
    answers = await asyncio.gather(*(register(number, address) for number in range(9) for address in both))
    refused = [text for status, text in answers if status == 429]
    tokens = [text for status, text in answers if status == 201]
    assert refused == ["Rate limit exceeded (5/hour)"] * 8
    assert len(set(tokens)) == 10
    assert all(map(TOKEN.fullmatch, tokens))
    await (await place.agent(tokens[0])).nothing_more()


@covers("CORAL-30")
async def test_a_forwarded_address_from_anybody_counts_for_nothing(place: Place):
    for number in range(7):
        headers = {"X-Forwarded-For": f"203.0.113.{number}"}
        response = await place.request("POST", "/api/v1/register", headers=headers)
        assert response.status_code == (201 if number < 5 else 429)


@covers("CORAL-30", listen=PROXIED)
async def test_a_forwarded_address_from_a_proxy_of_ours_is_the_client(place: Place):
    for address in ("203.0.113.1", "203.0.113.2", "2001:db8::1"):
        for number in range(6):
            response = await place.request("POST", "/api/v1/register", number, headers={"X-Forwarded-For": address})
            assert response.status_code == (201 if number < 5 else 429), address
    # A /64 is one address: whoever has one of them has them all (SEC-22).
    response = await place.request("POST", "/api/v1/register", headers={"X-Forwarded-For": "2001:db8::2"})
    assert response.status_code == 429


@covers("CORAL-30", relay={"registrations_per_hour_count": 0})
async def test_registration_can_be_turned_off(place: Place):
    response = await place.request("POST", "/api/v1/register")
    assert response.status_code == 429


@covers("CORAL-30")
async def test_an_hour_later_an_address_registers_again(place: Place):
    if place.kind in {"redis", "processes"}:
        pytest.skip("nobody can move the clock of a real server")
    memory = place.running.memory
    real = memory.now_ms
    try:
        for minutes, statuses in (
            (0, [201] * 3),
            (30, [201] * 2 + [429]),
            (61, [201] * 3 + [429]),
            (91, [201] * 2 + [429]),
        ):
            memory.now_ms = lambda minutes=minutes: real() + minutes * 60_000
            for status in statuses:
                assert (await place.request("POST", "/api/v1/register")).status_code == status, minutes
    finally:
        memory.now_ms = real


@covers("CORAL-32")
async def test_health_is_told_to_any_method(place: Place):
    keys = {"status", "connections", "sessions", "uptime_sec", "alloc_mb", "sys_mb", "goroutines"}
    for method in ("GET", "POST", "HEAD", "PUT", "DELETE"):
        response = await place.request(method, "/health")
        assert response.status_code == 200
        if method != "HEAD":
            body = response.json()
            assert set(body) == keys
            assert body["status"] == "ok"
            numbers = [body[key] for key in keys - {"status"}]
            assert all(isinstance(number, int | float) and number >= 0 for number in numbers), body


@covers("CORAL-22")
async def test_usage_is_told_to_whoever_has_the_token_and_to_nobody_else(place: Place):
    token = await place.token()
    phone, agent = await place.pair(token)
    await phone.passes(agent, padded(1234))
    expected = {"daily_quota_bytes": 524_288_000, "daily_used_bytes": 1234}
    expected |= {"monthly_quota_bytes": 10_737_418_240, "monthly_used_bytes": 1234}
    for node in (0, 1):
        usage = await place.usage(token, node)
        day, month = (
            dt.datetime.fromtimestamp(usage.pop(f"{span}_resets_ms") / 1000, dt.UTC) for span in ("daily", "monthly")
        )
        assert usage == expected
        assert month >= day > dt.datetime.now(dt.UTC)
        assert (day.hour, day.minute, day.second, day.microsecond) == (month.hour, month.minute, month.second, 0)
        assert (month.day, month.hour, month.minute, month.second) == (1, 0, 0, 0)
    for headers in (
        {},
        {"Authorization": f"Bearer {UNKNOWN}"},
        {"Authorization": token},
        {"Authorization": f"Basic {token}"},
    ):
        response = await place.request("GET", "/api/v1/usage", headers=headers)
        assert response.status_code == 401, headers


@covers("CORAL-1", relay={"listener": True, "listener_port": 0})
async def test_the_original_paths_are_on_the_listener_and_only_there(place: Place):
    listener = f"127.0.0.1:{place.running.relay_ports[0]}"
    url = f"ws://{listener}/ws"
    root = url.replace("ws", "http", 1).removesuffix("/ws")
    async with place.http() as http:
        assert set((await http.get(f"{root}/health")).json()) >= {"status", "goroutines"}
        response = await http.post(f"{root}/api/v1/register")
        assert response.status_code == 201
        token = response.json()["token"]
        assert (await http.get(f"{root}/api/v1/pair/{token}")).json() == {"phone": False, "agent": False}
        assert (await http.post(f"{root}/api/v1/pair")).status_code == 201
        assert (await http.put(f"{root}/api/v1/pair")).status_code == 405
        usage = await http.get(f"{root}/api/v1/usage", headers={"Authorization": f"Bearer {token}"})
        assert usage.json()["daily_used_bytes"] == 0
        for path in ("/", "/coralmux/health", "/coralmux/api/v1/pair", "/bx", "/api/stats", "/nothing"):
            assert (await http.get(f"{root}{path}")).status_code == 404, path
        for path in ("/api/v1/register", "/api/v1/pair"):
            assert (await http.post(f"http://{place.base()}{path}")).status_code == 404, path
    phone = await place.dial(url=url)
    await phone.auth(token, "phone", paired=False)
    agent = await place.agent(token, 1, paired=True)
    await phone.peer("online")
    await phone.passes(agent, padded(300))
    for path in ("/", "/bx", "/coralmux/ws"):
        await place.not_there(f"ws://{listener}{path}")
    await place.not_there(f"ws://{place.base()}/ws")


@covers("CORAL-1", relay={"enabled": False})
async def test_turned_off_nothing_of_the_wire_is_there(place: Place):
    await place.not_there(place.url())
    for method, path in (("GET", "/health"), ("POST", "/api/v1/pair"), ("POST", "/api/v1/register")):
        assert (await place.request(method, path)).status_code == 404


@covers("CORAL-1")
async def test_the_listener_speaks_tls_if_it_has_a_certificate(tmp_path):
    _, trusted = certificate(tmp_path, "localhost")
    files = {"tls_certificate_file": trusted, "tls_key_file": tmp_path / "key.pem"}
    async with in_process("one", {"relay": {"listener": True, "listener_port": 0, **files}}) as running:
        place = Place("one", running)
        try:
            token = await place.token()
            url = f"wss://localhost:{running.relay_ports[0]}/ws"
            phone = await place.dial(url=url, ssl=ssl.create_default_context(cafile=trusted))
            await phone.auth(token, "phone")
            agent = await place.agent(token, paired=True)
            await phone.peer("online")
            await phone.passes(agent, padded(100_000))
        finally:
            await place.leave()


@covers("CORAL-31", relay={"token_ttl_seconds": 1})
async def test_tokens_run_out_if_the_operator_wants_it_and_whoever_is_there_stays(place: Place):
    token = await place.token()
    phone, agent = await place.pair(token)

    async def is_refused() -> bool:
        client = await place.dial()
        await client.say("auth", {"token": token, "role": "nobody"})
        frame = await client.next()
        await client.expect_close(1008)
        return bool(frame["payload"]["message"] == "Invalid pairing token")

    await eventually(is_refused)
    assert await place.connected(token) == {"phone": False, "agent": False}
    await phone.passes(agent, padded(300))


@covers("CORAL-31")
async def test_the_link_of_a_pairing_leads_to_the_relay_with_the_token():
    link = urlsplit(link_of(UNKNOWN, "wss://relay.example.com:8443/ws"))
    assert (link.scheme, link.netloc, link.path) == ("openclaw", "pair", "")
    assert parse_qs(link.query) == {"token": [UNKNOWN], "relay": ["wss://relay.example.com:8443/ws"]}
