"""Whether a server is fit to be the store (OPS-4, OPS-7): asked of ``INFO``, which needs no ``CONFIG`` right.

All rules are looked at before a start; those of :data:`WATCHED`, which an operator or an accident may break later, also
while a node runs.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import structlog

from exchange.storage.redis.connection import resolve
from exchange.storage.redis.durability import IN_MEMORY, Durability
from exchange.storage.redis.lane import Lane

log = structlog.get_logger()

REDIS_LEAST = (7, 0)
VALKEY_LEAST = (8, 0)

WATCHED: Final = ("policy", "durability")
WATCHED_SECTIONS: Final = ("memory", "persistence", "replication")

FSYNC: Final = "appendfsync"
"""When the append-only file reaches the disk: not in ``INFO``, so it is among the facts only if we may ask for it."""


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


async def check_fitness(lane: Lane, durability: Durability = IN_MEMORY) -> None:
    """Refuse a server that would lose what it accepts, or that cannot do what the scripts ask of it (DEL-17, DEL-41).

    Raises:
        Unfit: The server must be changed or another one used.
        StorageUnavailable: The server did not answer.
    """
    facts = await server_info(lane) | await _fsync(lane, durability)
    judge(facts, durability)
    if durability.level == "synced" and FSYNC not in facts:
        log.warning("store.unverified", setting=FSYNC, wanted="always")


async def flaws(lane: Lane, durability: Durability) -> frozenset[str]:
    """Return which of the :data:`WATCHED` rules the server breaks now; cheap enough to be asked every few seconds.

    Raises:
        StorageUnavailable: The server did not answer.
    """
    facts = await server_info(lane, *WATCHED_SECTIONS) | await _fsync(lane, durability)
    return frozenset(name for name in WATCHED if RULES[name](facts, durability))


def judge(facts: Mapping[str, str], durability: Durability = IN_MEMORY) -> None:
    """Refuse the server that ``facts`` describe if it is not fit.

    Raises:
        Unfit: With the first reason found.
    """
    for rule in RULES.values():
        reason = rule(facts, durability)
        if reason:
            raise Unfit(reason)


async def _fsync(lane: Lane, durability: Durability) -> dict[str, str]:
    """Return the setting if it matters and may be asked for; managed servers often keep ``CONFIG`` to themselves."""
    if durability.level != "synced":
        return {}
    future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    lane.call(("CONFIG", "GET", FSYNC), partial(resolve, future))
    match await future:
        case [_, bytes(value)]:
            return {FSYNC: value.decode()}
    return {}


# --- the rules: a sentence for the operator, or nothing ---------------------------------------------------------------


def _version(facts: Mapping[str, str], _durability: Durability) -> str:
    # Valkey also reports the Redis release that it branched off from, so its own number is looked at first.
    valkey = facts.get("valkey_version")
    name, version, least = (
        ("Valkey", valkey, VALKEY_LEAST) if valkey else ("Redis", facts.get("redis_version", ""), REDIS_LEAST)
    )
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is not None and (int(numbers[1]), int(numbers[2])) >= least:
        return ""
    wanted = f"Redis {REDIS_LEAST[0]}.{REDIS_LEAST[1]} or Valkey {VALKEY_LEAST[0]}.{VALKEY_LEAST[1]}"
    return f"The store is {name} {version or 'of an unknown version'}; it must be {wanted} or later."


def _mode(facts: Mapping[str, str], _durability: Durability) -> str:
    mode = facts.get("server_mode") or facts.get("redis_mode") or "standalone"
    return "" if mode == "standalone" else f"The store runs in {mode} mode; it must be a standalone server."


def _role(facts: Mapping[str, str], _durability: Durability) -> str:
    role = facts.get("role", "master")
    if role == "master":
        return ""
    return f"The store is a {'replica' if role == 'slave' else role}; its address must be that of the primary."


def _policy(facts: Mapping[str, str], _durability: Durability) -> str:
    # Without a memory limit nothing is evicted, whatever the policy.
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy == "noeviction" or facts.get("maxmemory", "0") == "0":
        return ""
    return f"The store evicts data when it is full (maxmemory-policy {policy}); it must be set to noeviction."


def _durability(facts: Mapping[str, str], durability: Durability) -> str:
    """Compare the server with the level (DEL-2)."""
    level, wanted = durability.level, f"EXCHANGE_STORE__DURABILITY={durability.level}"
    if level == "memory":
        return ""
    if facts.get("aof_enabled") != "1":
        return (
            f"The store has no append-only file, which {wanted} needs: set appendonly yes in its configuration, or set "
            "EXCHANGE_STORE__DURABILITY=memory if a restart of the store may lose everything."
        )
    if facts.get("aof_last_write_status", "ok") != "ok":
        return f"The store cannot write its append-only file, which {wanted} needs: look at its disk."
    if level == "synced" and facts.get(FSYNC, "always") != "always":
        return (
            f"The store syncs its append-only file with appendfsync {facts[FSYNC]}, and {wanted} needs always: set it, or "
            "set EXCHANGE_STORE__DURABILITY=local."
        )
    return _replication(facts, durability, wanted) if level == "replicated" else ""


def _replication(facts: Mapping[str, str], durability: Durability, wanted: str) -> str:
    # The server counts replicas that keep up only while it demands some.
    if "min_slaves_good_slaves" not in facts:
        return (
            f"The store accepts writes without a replica, and {wanted} needs min-replicas-to-write 1 or more: set it."
        )
    count, least = int(facts["min_slaves_good_slaves"]), durability.wait_replicas_count
    if count >= least:
        return ""
    return (
        f"The store has {count} {'replica' if count == 1 else 'replicas'} in step, and {wanted} needs {least}: start "
        "more, or lower EXCHANGE_STORE__WAIT_REPLICAS_COUNT or the level."
    )


RULES: Final[Mapping[str, Callable[[Mapping[str, str], Durability], str]]] = {
    "version": _version,
    "mode": _mode,
    "role": _role,
    "policy": _policy,
    "durability": _durability,
}
