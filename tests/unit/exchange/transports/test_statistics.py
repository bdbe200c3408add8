"""The numbers of a cluster in the shapes that old clients know."""

import pytest

from exchange.core.model import ClusterTally, Counts, NodeInfo, NodeTally, UserGlimpse
from exchange.transports.statistics import PLATFORM, health, started_ms, statistics, status

START_MS = 1_700_000_000_000  # Tue, 14 Nov 2023 22:13:20 UTC
HOUR_MS = 3_600_000


def cluster(*tallies: NodeTally, counts: Counts | None = None) -> ClusterTally:
    nodes = tuple((NodeInfo(f"node{place}", "1", START_MS + place), tally) for place, tally in enumerate(tallies))
    return ClusterTally(nodes, counts or Counts())


def glimpse(client: str, since_ms: int = START_MS, *, linked: bool = False) -> UserGlimpse:
    return UserGlimpse(client, client[0].upper(), since_ms, linked)


def test_the_numbers_of_all_nodes_are_added():
    tally = cluster(
        NodeTally(identified_count=3, link_ends_count=3, messages_per_second=0.25),
        NodeTally(identified_count=2, link_ends_count=1, messages_per_second=1.5),
        counts=Counts(connections=70, messages=900),
    )
    body = statistics(tally, START_MS, "1.2.3", "local")
    assert body["liveClients"] == 5
    assert body["activeConnections"] == 2, "each friendship has two ends"
    assert (body["totalConnections"], body["totalMessages"]) == (70, 900)
    assert body["messagesPerSecond"] == 1.8
    assert (body["nodes"], body["version"], body["durability"]) == (2, "1.2.3", "local")


def test_a_friendship_with_one_end_here_and_one_away_counts_as_none():
    assert statistics(cluster(NodeTally(link_ends_count=1)), START_MS, "1", "local")["activeConnections"] == 0


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0m"), (59_999, "0m"), (60_000, "1m"), (HOUR_MS - 1, "59m"), (HOUR_MS, "1h 0m"), (26.5 * HOUR_MS, "26h 30m")],
)
def test_the_uptime_is_told_in_hours_and_minutes(milliseconds, text):
    assert statistics(cluster(NodeTally()), START_MS + int(milliseconds), "1", "local")["uptime"] == text


def test_a_clock_behind_the_start_is_no_negative_uptime():
    assert statistics(cluster(NodeTally()), START_MS - 60_000, "1", "local")["uptime"] == "0m"


def test_the_start_is_that_of_the_longest_running_node():
    tally = ClusterTally(((NodeInfo("a", "1", 500), NodeTally()), (NodeInfo("b", "1", 400), NodeTally())), Counts())
    assert started_ms(tally, 900) == 400
    assert started_ms(cluster(), 900) == 900


def test_users_come_in_the_order_of_their_arrival_with_one_letter_each():
    first, second = glimpse("zoe", START_MS - 90_000, linked=True), glimpse("ann", START_MS)
    users = statistics(cluster(NodeTally(users=(second,)), NodeTally(users=(first,))), START_MS + 1, "1", "local")[
        "connectedUsers"
    ]
    assert users == [
        {"clientId": "zoe", "nickname": "Z", "connectedTime": "1m", "hasConnection": True},
        {"clientId": "ann", "nickname": "A", "connectedTime": "recently", "hasConnection": False},
    ]


def test_the_last_message_is_the_last_one_of_the_cluster():
    early = NodeTally(last_message_ms=START_MS, last_message_characters=10)
    late = NodeTally(last_message_ms=START_MS + 1000, last_message_characters=7)
    last = statistics(cluster(late, early), START_MS, "1", "local")["lastMessage"]
    assert last == {"time": "11/14/2023, 10:13:21 PM", "length": 7, "type": "WebSocket Message"}


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (1_704_067_205_000, "1/1/2024, 12:00:05 AM"),
        (1_704_110_400_000, "1/1/2024, 12:00:00 PM"),
        (1_704_114_000_000, "1/1/2024, 1:00:00 PM"),
    ],
)
def test_midnight_and_noon_are_twelve(time_ms, text):
    tally = cluster(NodeTally(last_message_ms=time_ms))
    assert statistics(tally, time_ms, "1", "local")["lastMessage"]["time"] == text


def test_before_the_first_message_there_is_no_last_one():
    assert statistics(cluster(NodeTally()), START_MS, "1", "local")["lastMessage"] is None
    assert statistics(cluster(), START_MS, "1", "local")["lastMessage"] is None


def test_the_status_tells_numbers_and_where_everything_is():
    tally = cluster(NodeTally(connections_count=4, identified_count=3), counts=Counts(9, 8))
    body = status(tally, START_MS + 1500, "1.2.3", "synced", "https://magi.example")
    assert body["timestamp"] == "2023-11-14T22:13:21.500Z"
    assert (body["uptime"], body["durability"]) == (1.5, "synced")
    assert body["services"] == {
        "magi": {"status": "operational", "connections": 4, "liveClients": 3, "totalMessages": 8}
    }
    assert body["endpoints"] == {
        "websocket": "wss://magi.example/",
        "dashboard": "https://magi.example/",
        "stats": "https://magi.example/api/stats",
        "status": "https://magi.example/api/status",
        "health": "https://magi.example/health",
    }


def test_without_tls_the_socket_has_none_either():
    assert status(cluster(), START_MS, "1", "local", "http://h:1")["endpoints"]["websocket"] == "ws://h:1/"


def test_health_counts_sessions_and_connections():
    tally = cluster(NodeTally(connections_count=4, identified_count=3), NodeTally(connections_count=1))
    assert health(tally, 12.9) == {
        "status": "ok",
        "service": PLATFORM,
        "activeSessions": 3,
        "connections": 5,
        "sessions": 3,
        "uptime_sec": 12,
    }
