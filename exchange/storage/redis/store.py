"""The store on one Redis or Valkey: checked, keyed and wired."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from exchange.entropy import new_id
from exchange.ports import Allowances, Caps, Store
from exchange.storage.redis.advice import give_advice
from exchange.storage.redis.clock import Clock, steady
from exchange.storage.redis.commit import Commit
from exchange.storage.redis.dues import Dues
from exchange.storage.redis.durability import IN_MEMORY, Durability
from exchange.storage.redis.endpoint import Endpoint
from exchange.storage.redis.fitness import check_fitness, flaws
from exchange.storage.redis.histories import Histories
from exchange.storage.redis.invites import Invites
from exchange.storage.redis.jobs import Jobs
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.leases import Leases
from exchange.storage.redis.limits import Limits
from exchange.storage.redis.links import Links
from exchange.storage.redis.mailboxes import Mailboxes
from exchange.storage.redis.names import Names
from exchange.storage.redis.pairs import Pairs
from exchange.storage.redis.repeats import Repeats
from exchange.storage.redis.scripts import SCRIPTS, Script
from exchange.storage.redis.slots import Slots
from exchange.storage.redis.tallies import Tallies
from exchange.storage.redis.users import Users
from exchange.storage.redis.wakes import Wakes


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the store may take to answer and to be connected, and how often the way to it is probed (DEL-13)."""

    timeout_seconds: float = 1.0
    connect_timeout_seconds: float = 1.0
    probe_seconds: float = 5.0


TIMING = Timing()
CAPS = Caps()
ALLOWANCES = Allowances()

BULK_PATIENCE = 3
"""How many times as long a reply may take on the lane of large frames: several of them may be ahead of it."""


class RedisStore:
    """All ports over one lane; mail over another at the level ``replicated``, and what passes between the ends of pairs over
    the ``bulk`` lane, if there is one (DEL-15). Make it with :func:`open_store`."""

    def __init__(
        self,
        lane: Lane,
        keyspace: Keyspace,
        commit: Commit | None = None,
        durability: Durability = IN_MEMORY,
        caps: Caps = CAPS,
        bulk: Lane | None = None,
        allowances: Allowances = ALLOWANCES,
    ) -> None:
        clock = Clock()
        users, links = Users(lane, keyspace), Links(lane, keyspace)
        wakes, leases = Wakes(lane, keyspace), Leases(lane, keyspace, clock)
        mailboxes, histories = Mailboxes(lane, keyspace, caps, commit), Histories(lane, keyspace)
        slots = Slots(bulk or lane, keyspace, clock, allowances)
        self.lane = lane
        self.bulk = bulk
        self._clock = clock
        self.commit = commit
        self.durability = durability
        self.keyspace = keyspace
        self.ports = Store(
            clock=clock,
            names=Names(lane, keyspace),
            users=users,
            links=links,
            invites=Invites(lane, keyspace),
            wakes=wakes,
            mailboxes=mailboxes,
            dues=Dues(lane, keyspace),
            histories=histories,
            limits=Limits(lane, keyspace),
            repeats=Repeats(lane, keyspace),
            leases=leases,
            tallies=Tallies(lane, keyspace),
            jobs=Jobs(lane, keyspace),
            pairs=Pairs(bulk or lane, keyspace, clock, allowances),
            slots=slots,
        )
        self._readers = (users, links, wakes, leases, mailboxes, histories, slots)

    @property
    def unknown_records(self) -> int:
        """How many records and wakes of a newer release were left out since the start."""
        return sum(reader.unknown_records for reader in self._readers)

    @property
    def up(self) -> bool:
        """Whether the store can be asked, mail committed to it, and frames passed on."""
        return all(lane.up for lane in self._lanes())

    async def flaws(self) -> frozenset[str]:
        """Return what is wrong with the server now: words of ``fitness.WATCHED``.

        Raises:
            StorageUnavailable: It did not answer.
        """
        return await flaws(self.lane, self.durability)

    async def start(self) -> None:
        """Connect, and learn the time: a worker renews no lease. :func:`open_store` does it."""
        for lane in self._lanes():
            await lane.start()
        sent = steady()
        seconds, micros = await self.lane.ask("TIME")
        self._clock.learn(int(seconds) * 1_000_000 + int(micros), sent, steady())

    async def close(self) -> None:
        """Close the lanes; what still waits for a reply fails."""
        for lane in reversed(self._lanes()):
            await lane.stop()

    def _lanes(self) -> tuple[Lane, ...]:
        commit = self.commit.lane if self.commit is not None else None
        return tuple(lane for lane in (self.lane, commit, self.bulk) if lane is not None)


async def inspect_store(
    url: str, *, prefix: str = "magi", timing: Timing = TIMING, durability: Durability = IN_MEMORY
) -> None:
    """Refuse a store that is out of reach or not fit, and leave no trace in it.

    Raises:
        ValueError: The URL is wrong.
        Unfit: The server cannot be used.
        StorageUnavailable: It cannot be reached; the cause says why.
    """
    async with _scout(Endpoint.parse(url), Keyspace(prefix), timing, durability):
        pass


async def open_store(
    url: str,
    *,
    prefix: str = "magi",
    index_key: bytes = b"",
    timing: Timing = TIMING,
    durability: Durability = IN_MEMORY,
    caps: Caps = CAPS,
    allowances: Allowances = ALLOWANCES,
    bulk: bool = False,
) -> RedisStore:
    """Connect to a store that is fit, and give its ports.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        prefix: What all keys and channels begin with.
        index_key: Key of the hashes in key names, the same for the whole cluster. Without one the store keeps one: the
            first node makes it, in one step.
        timing: Time-outs of the lane.
        durability: What accepted means; the server must be set up for it.
        caps: What may wait in a mailbox, the same for the whole cluster.
        allowances: What a pair may do, the same for the whole cluster.
        bulk: Open a lane of its own for pairs. Without one their slots can be asked about, but not be listened to.

    Raises:
        ValueError: The URL is wrong.
        Unfit: The server cannot be used.
        StorageUnavailable: It cannot be reached; the cause says why.
    """
    endpoint = Endpoint.parse(url)
    async with _scout(endpoint, Keyspace(prefix), timing, durability) as scout:
        index_key = index_key or await _shared_index_key(scout, Keyspace(prefix))
    keyspace = Keyspace(prefix, index_key)
    commit = _commit(endpoint, keyspace, timing, durability) if durability.level == "replicated" else None
    patient = replace(timing, timeout_seconds=timing.timeout_seconds * BULK_PATIENCE)
    store = RedisStore(
        _lane(endpoint, keyspace, timing, SCRIPTS),
        keyspace,
        commit,
        durability,
        caps,
        _lane(endpoint, keyspace, patient, SCRIPTS) if bulk else None,
        allowances,
    )
    try:
        await store.start()
        if store.bulk is not None:
            await give_advice(store.bulk)
    except BaseException:
        await store.close()
        raise
    return store


async def _shared_index_key(lane: Lane, keyspace: Keyspace) -> bytes:
    fresh = (new_id() + new_id()).encode()
    present: bytes | None = await lane.ask("SET", keyspace.index_key(), fresh, "NX", "GET")
    return present or fresh


@asynccontextmanager
async def _scout(endpoint: Endpoint, keyspace: Keyspace, timing: Timing, durability: Durability) -> AsyncIterator[Lane]:
    """Give a lane to a fit server. It loads no scripts: a server that is too old refuses them with an obscure error."""
    lane = _lane(endpoint, keyspace, timing, ())
    try:
        await lane.start()
        await check_fitness(lane, durability)
        yield lane
    finally:
        await lane.stop()


def _commit(endpoint: Endpoint, keyspace: Keyspace, timing: Timing, durability: Durability) -> Commit:
    # A WAIT may take its time before the reply is late.
    patient = replace(timing, timeout_seconds=timing.timeout_seconds + durability.wait_ms / 1000)
    return Commit(_lane(endpoint, keyspace, patient, SCRIPTS), keyspace.probe(new_id()), durability)


def _lane(endpoint: Endpoint, keyspace: Keyspace, timing: Timing, scripts: Sequence[Script]) -> Lane:
    return Lane(
        endpoint,
        timeout_seconds=timing.timeout_seconds,
        connect_timeout_seconds=timing.connect_timeout_seconds,
        probe_seconds=timing.probe_seconds,
        probe_channel=keyspace.probe(new_id()),
        scripts=scripts,
    )
