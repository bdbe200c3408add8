"""The numbers of the cluster in the shapes that mAgi clients know (MAGI-35, MAGI-37). Pure."""

from datetime import UTC, datetime
from typing import Any

from exchange.core.model import ClusterTally, UserGlimpse

PLATFORM = "magi-exchange"


def statistics(tally: ClusterTally, now_ms: int, version: str, durability: str) -> dict[str, Any]:
    """Return the body of ``/api/stats``: documented keys first, additions after them."""
    tallies = [node_tally for _, node_tally in tally.nodes]
    last = max(tallies, key=lambda one: one.last_message_ms, default=None)
    users = sorted((user for one in tallies for user in one.users), key=lambda user: user.since_ms)
    return {
        "liveClients": sum(one.identified_count for one in tallies),
        "activeConnections": sum(one.link_ends_count for one in tallies) // 2,
        "totalConnections": tally.counts.connections,
        "totalMessages": tally.counts.messages,
        "uptime": _span((now_ms - started_ms(tally, now_ms)) // 1000),
        "startTime": started_ms(tally, now_ms),
        "connectedUsers": [_user(user, now_ms) for user in users],
        "lastMessage": None
        if last is None or not last.last_message_ms
        else {
            "time": _american(last.last_message_ms),
            "length": last.last_message_characters,
            "type": "WebSocket Message",
        },
        "messagesPerSecond": round(sum(one.messages_per_second for one in tallies), 1),
        "nodes": len(tally.nodes),
        "version": version,
        "durability": durability,
    }


def status(tally: ClusterTally, now_ms: int, version: str, durability: str, base_url: str) -> dict[str, Any]:
    """Return the body of ``/api/status``. ``base_url`` is where people reach the exchange, as ``http(s)://host``."""
    tallies = [node_tally for _, node_tally in tally.nodes]
    return {
        "platform": PLATFORM,
        "version": version,
        "status": "operational",
        "timestamp": datetime.fromtimestamp(now_ms / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z"),
        "uptime": (now_ms - started_ms(tally, now_ms)) / 1000,
        "services": {
            "magi": {
                "status": "operational",
                "connections": sum(one.connections_count for one in tallies),
                "liveClients": sum(one.identified_count for one in tallies),
                "totalMessages": tally.counts.messages,
            }
        },
        "endpoints": {
            "websocket": "ws" + base_url.removeprefix("http") + "/",
            "dashboard": base_url + "/",
            "stats": base_url + "/api/stats",
            "status": base_url + "/api/status",
            "health": base_url + "/health",
        },
        "durability": durability,
    }


def health(tally: ClusterTally, uptime_seconds: float) -> dict[str, Any]:
    """Return the body of ``/health`` on the main port (WIRE-1), from numbers that may be a second old."""
    identified = sum(node_tally.identified_count for _, node_tally in tally.nodes)
    return {
        "status": "ok",
        "service": PLATFORM,
        "activeSessions": identified,
        "connections": sum(node_tally.connections_count for _, node_tally in tally.nodes),
        "sessions": identified,
        "uptime_sec": int(uptime_seconds),
    }


def started_ms(tally: ClusterTally, now_ms: int) -> int:
    """Return when the longest-running node started."""
    return min((info.started_ms for info, _ in tally.nodes), default=now_ms)


def _user(user: UserGlimpse, now_ms: int) -> dict[str, Any]:
    seconds = (now_ms - user.since_ms) // 1000
    return {
        "clientId": user.client,
        "nickname": user.initial,
        "connectedTime": "recently" if seconds < 60 else _span(seconds),
        "hasConnection": user.linked,
    }


def _span(seconds: int) -> str:
    hours, minutes = divmod(max(0, seconds) // 60, 60)
    return f"{hours}h {minutes}m" if hours else f"{minutes}m"


def _american(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    hour = moment.hour % 12 or 12
    return f"{moment.month}/{moment.day}/{moment.year}, {hour}:{moment:%M:%S %p}"
