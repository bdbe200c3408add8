"""What is left in the store, read from outside: its own counts agree with what it holds, and nothing is orphaned (C6)."""

import re
from collections import defaultdict
from dataclasses import dataclass

import redis.asyncio as redis

from exchange.storage.redis.keyspace import DUE_PARTS, Keyspace
from tests.chaos.rules import Violation

USER_KEY = re.compile(r"^\{([a-z2-7]+)\}:([a-z]+)")
TRANSIENT = frozenset({"done", "take", "invites", "ended", "seen"})
"""Parts of a user that must run out by themselves."""
LASTING = frozenset({"mailbox", "shares", "tries", "parked", "fates", "history", "links", "meta"})
"""Parts of a user that stay for as long as the user does."""
ENDLESS = -1
FIXED = ("{nodes}:registry", "{cluster}:counts", "{cluster}:index_key")


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much mail is in all mailboxes, and how many notices are still to be made."""

    count: int
    fates: int

    def __bool__(self) -> bool:
        return self.count + self.fates > 0


async def waiting(socket: str, keys: Keyspace | None = None) -> Waiting:
    """Return what still waits in the mailboxes of a store."""
    keys = keys or Keyspace()
    root = keys.meta("x").partition("{")[0]
    async with redis.Redis(unix_socket_path=socket) as store:
        boxes = [key async for key in store.scan_iter(f"{root}*:mailbox", count=1000)]
        fates = [key async for key in store.scan_iter(f"{root}*:fates", count=1000)]
        count = sum([await store.xlen(key) for key in boxes])
        return Waiting(count, sum([await store.hlen(key) for key in fates]))


async def inspect(socket: str, keys: Keyspace | None = None) -> list[Violation]:
    """Find mailboxes whose counts are wrong, and keys that have neither an end nor an owner."""
    keys = keys or Keyspace()
    root = keys.meta("x").partition("{")[0]
    found: list[Violation] = []
    users: dict[str, set[str]] = defaultdict(set)
    async with redis.Redis(unix_socket_path=socket) as store:
        async for raw in store.scan_iter(f"{root}*", count=1000):
            key = raw.decode()
            match = USER_KEY.match(key.removeprefix(root))
            if match is not None and match[1] not in {"nodes", "cluster"}:
                users[match[1]].add(key)
            elif not _explained(key.removeprefix(root)) and await store.ttl(key) == ENDLESS:
                found.append(_violation("orphan", key, "it has neither an end nor an owner"))
        for uid, own in users.items():
            found += await _orphans(store, keys, uid, own)
            found += await _miscounts(store, keys, uid)
    return found


def _explained(key: str) -> bool:
    if key in FIXED or any(key == f"due:{{{part}}}" for part in range(DUE_PARTS)):
        return True
    # A held name ends with its holder, the index of a node with the node; both are cleared by whoever reaps the node.
    return key.startswith(("name:", "node:"))


async def _orphans(store: redis.Redis, keys: Keyspace, uid: str, own: set[str]) -> list[Violation]:
    found = []
    anchored = bool(own & {keys.user(uid), keys.sessions(uid)})
    for key in sorted(own):
        part = key.partition("}:")[2].partition(":")[0]
        if await store.ttl(key) != ENDLESS:
            continue  # it ends by itself, or ended meanwhile
        if part in TRANSIENT:
            found.append(_violation("immortal", key, "it should run out by itself"))
        elif part in LASTING and not anchored:
            found.append(_violation("orphan", key, "its user is gone"))
    return found


async def _miscounts(store: redis.Redis, keys: Keyspace, uid: str) -> list[Violation]:
    async with store.pipeline(transaction=True) as step:
        step.hmget(keys.meta(uid), "count", "bytes").xrange(keys.mailbox(uid))
        (count, size), letters = await step.execute()
    said = int(count or 0), int(size or 0)
    held = len(letters), sum(len(fields[b"b"]) for _, fields in letters)
    if said == held:
        return []
    return [_violation("miscount", keys.mailbox(uid), f"count and bytes are said to be {said}, and are {held}")]


def _violation(what: str, key: str, text: str) -> Violation:
    return Violation("C6", what, f"{key}: {text}", ())
