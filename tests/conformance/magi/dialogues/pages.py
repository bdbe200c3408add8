"""Section 9 and the shared endpoints: HTTP."""

import json
import re
import time
from datetime import datetime
from typing import Any

from tests.conformance.magi.client import befriend
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers
from tests.harness.waiting import eventually

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Authorization",
}
STATS: dict[str, type | tuple[type, ...]] = {
    "liveClients": int,
    "activeConnections": int,
    "totalConnections": int,
    "totalMessages": int,
    "uptime": str,
    "startTime": int,
    "connectedUsers": list,
    "lastMessage": (dict, type(None)),
}


async def stats(place: Place, node: int = 0) -> Any:
    return (await place.request("GET", "/api/stats", node)).json()


@covers("MAGI-34.a")
async def every_response_lets_other_origins_read_it(place: Place):
    for method, path in (
        ("GET", "/api/stats"),
        ("GET", "/health"),
        ("GET", "/nowhere"),
        ("POST", "/x"),
        ("OPTIONS", "/y"),
    ):
        response = await place.request(method, path)
        for name, value in CORS.items():
            assert response.headers[name] == value, (method, path)


@covers("MAGI-34.b")
async def options_on_any_path_is_an_empty_200(place: Place):
    for path in ("/", "/bx", "/api/stats", "/api/admin/verify", "/nowhere/at/all"):
        response = await place.request("OPTIONS", path)
        assert (response.status_code, response.content) == (200, b""), path


@covers("MAGI-34.c")
async def anything_else_is_not_found(place: Place):
    for method, path in (
        ("GET", "/nowhere"),
        ("GET", "/api"),
        ("GET", "/api/stats/"),
        ("GET", "/bx/other"),
        ("POST", "/api/stats"),
        ("PUT", "/health"),
        ("DELETE", "/api/status"),
        ("GET", "/ws"),
        ("GET", "/metrics"),
    ):
        response = await place.request(method, path)
        assert (response.status_code, response.text) == (404, "Not Found"), (method, path)
        assert response.headers["Content-Type"].startswith("text/plain")


@covers("MAGI-35.a", "MAGI-34.d", "MAGI-1.d")
async def statistics_have_the_keys_and_types_of_the_wire(place: Place):
    for path in ("/api/stats", "/bx/stats", "/api/stats?x=1"):
        response = await place.request("GET", path)
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("application/json")
        value = response.json()
        assert response.text.startswith('{\n  "')
        assert json.dumps(value, indent=2) == json.dumps(json.loads(response.text), indent=2)
        for key, kind in STATS.items():
            assert isinstance(value[key], kind), key
            assert not isinstance(value[key], bool)
        assert re.fullmatch(r"(\d+h )?\d+m", value["uptime"])
        assert abs(value["startTime"] - time.time() * 1000) < 3_600_000


@covers("MAGI-35.b", "MAGI-35.c", "MAGI-35.d", "MAGI-43.b", "WIRE-12.a", "WIRE-13.b")
async def statistics_count_the_whole_cluster_on_every_node_and_show_no_name(place: Place):
    before = await stats(place)
    ada, bob = await place.friends()
    lonely = await place.person("eve@example.com", "élodie", 1)
    await ada.ask("canary-content")
    await bob.expect("question")
    await lonely.refused("nonsense", "Invalid message format")
    for node in (0, 1):
        seen: Any = {}

        async def complete(node: int = node) -> bool:
            seen.clear()
            seen.update(await stats(place, node))
            return bool(seen["liveClients"] == 3 and seen["activeConnections"] == 1 and seen["lastMessage"])

        await eventually(complete)
        users = {user["clientId"]: user for user in seen["connectedUsers"]}
        assert set(users) == {client.client_id[:8] for client in (ada, bob, lonely)}
        assert all(set(user) >= {"clientId", "nickname", "connectedTime", "hasConnection"} for user in users.values())
        assert users[ada.client_id[:8]]["nickname"] == "A"
        assert users[lonely.client_id[:8]]["nickname"] == "É"
        assert users[ada.client_id[:8]]["hasConnection"] is True
        assert users[lonely.client_id[:8]]["hasConnection"] is False
        assert users[bob.client_id[:8]]["connectedTime"] == "recently"
        last = seen["lastMessage"]
        assert last["type"] == "WebSocket Message"
        assert isinstance(last["length"], int)
        assert datetime.strptime(last["time"], "%m/%d/%Y, %I:%M:%S %p")
        assert not re.match(r"0|\d+/0", last["time"])
        text = json.dumps(seen)
        assert not any(word in text for word in ("ada", "bob", "eve", "odie", "example", "canary"))
    await eventually(lambda: _grown(place, before, connections=3, messages=6))


async def _grown(place: Place, before: Any, *, connections: int, messages: int) -> bool:
    now = await stats(place)
    return bool(
        now["totalConnections"] - before["totalConnections"] >= connections
        and now["totalMessages"] - before["totalMessages"] >= messages
    )


@covers("MAGI-35.e", "SECTION-3.b")
async def every_value_that_parses_is_counted_and_nothing_else(place: Place):
    before = (await stats(place))["totalMessages"]
    client = await place.client(0)
    for message in ("null", "5", '{"type":"ping"}', '{"type":"ask"}', "nonsense", "{", b"\xff"):
        await client.send(message)
        await client.expect("error")
    await client.identify("ada")
    if place.kind == "processes":
        # Others may still be counted there.
        await eventually(
            lambda: _grown(place, {"totalMessages": before, "totalConnections": 0}, connections=0, messages=5)
        )
    else:
        await eventually(lambda: _counts(place, before + 5))


async def _counts(place: Place, messages: int) -> bool:
    total = (await stats(place))["totalMessages"]
    assert total <= messages
    return bool(total == messages)


@covers("MAGI-37.a")
async def status_says_what_runs_and_where(place: Place):
    for node in (0, 1):
        response = await place.request("GET", "/api/status", node)
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("application/json")
        value = response.json()
        assert (value["platform"], value["status"]) == ("magi-exchange", "operational")
        assert isinstance(value["version"], str)
        assert value["version"]
        assert datetime.fromisoformat(value["timestamp"])
        assert isinstance(value["uptime"], int | float)
        assert not isinstance(value["uptime"], bool)
        assert value["services"]["magi"]["status"]
        assert all(isinstance(service["status"], str) for service in value["services"].values())
        assert isinstance(value["endpoints"], dict)
        assert all(map(str, value["endpoints"].values()))


@covers("WIRE-1.c", "WIRE-3.a")
async def health_is_a_superset_for_all_wires(place: Place):
    for node in (0, 1):
        response = await place.request("GET", "/health", node)
        assert response.status_code == 200
        value = response.json()
        assert (value["status"], value["service"]) == ("ok", "magi-exchange")
        for key in ("activeSessions", "connections", "sessions", "uptime_sec"):
            assert isinstance(value[key], int | float), key


@covers("WIRE-3.b")
async def a_node_that_serves_is_ready(place: Place):
    for node in (0, 1):

        async def ready(node: int = node) -> bool:
            return (await place.request("GET", "/ready", node)).status_code == 200

        await eventually(ready)


@covers("MAGI-35.b")
async def a_friendship_counts_once_and_only_while_both_ends_are_there(place: Place):
    ada, bob = await place.friends()
    cy = await place.person("cy", node=0)
    await befriend(cy, bob)
    await eventually(lambda: _connections(place, 2))
    await cy.close()
    await eventually(lambda: _connections(place, 1))
    await ada.close()
    await eventually(lambda: _connections(place, 0))


async def _connections(place: Place, count: int) -> bool:
    return bool((await stats(place, 1))["activeConnections"] == count)
