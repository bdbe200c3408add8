"""Whether a server is fit to be the store: asked once at start, of ``INFO``, which needs no ``CONFIG`` right (OPS-4)."""

import re
from collections.abc import Mapping

from exchange.storage.redis.lane import Lane

REDIS_LEAST = (7, 0)
VALKEY_LEAST = (8, 0)


class Unfit(RuntimeError):
    """The server cannot be used as the store; the message says why and what to do, in one sentence for its operator."""


async def server_info(lane: Lane, *sections: str) -> dict[str, str]:
    """Return what ``INFO`` says: the named sections, or the server's default choice.

    Raises:
        StorageUnavailable: The server did not answer.
    """
    report: bytes = await lane.ask("INFO", *sections)
    pairs = (line.partition(":") for line in report.decode("utf-8", "replace").splitlines() if ":" in line)
    return {name: value for name, _, value in pairs}


async def check_fitness(lane: Lane) -> None:
    """Refuse a server that would lose what it accepts, or that cannot do what the scripts ask of it (DEL-17, DEL-41).

    Raises:
        Unfit: The server must be changed or another one used.
        StorageUnavailable: The server did not answer.
    """
    judge(await server_info(lane))


def judge(info: Mapping[str, str]) -> None:
    """Refuse the server that ``info`` describes if it is not fit.

    Raises:
        Unfit: With the first reason found.
    """
    for rule in (_version, _mode, _role, _policy):
        rule(info)


def _version(info: Mapping[str, str]) -> None:
    # Valkey also reports the Redis release that it branched off from, so its own number is looked at first.
    valkey = info.get("valkey_version")
    name, version, least = (
        ("Valkey", valkey, VALKEY_LEAST) if valkey else ("Redis", info.get("redis_version", ""), REDIS_LEAST)
    )
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < least:
        wanted = f"Redis {REDIS_LEAST[0]}.{REDIS_LEAST[1]} or Valkey {VALKEY_LEAST[0]}.{VALKEY_LEAST[1]}"
        raise Unfit(f"The store is {name} {version or 'of an unknown version'}; it must be {wanted} or later.")


def _mode(info: Mapping[str, str]) -> None:
    mode = info.get("server_mode") or info.get("redis_mode") or "standalone"
    if mode != "standalone":
        raise Unfit(f"The store runs in {mode} mode; it must be a standalone server.")


def _role(info: Mapping[str, str]) -> None:
    role = info.get("role", "master")
    if role != "master":
        raise Unfit(
            f"The store is a {'replica' if role == 'slave' else role}; its address must be that of the primary."
        )


def _policy(info: Mapping[str, str]) -> None:
    # Without a memory limit nothing is evicted, whatever the policy.
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and info.get("maxmemory", "0") != "0":
        raise Unfit(f"The store evicts data when it is full (maxmemory-policy {policy}); it must be set to noeviction.")
