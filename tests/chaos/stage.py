"""Where a scenario is played: one cluster, its clients, one history, and at the end one verdict."""

import asyncio
import contextlib
import itertools
import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.chaos.checker import Verdict, check
from tests.chaos.client import ChaosClient
from tests.chaos.habits import Habits
from tests.chaos.history import History, Op
from tests.chaos.inventory import inspect, waiting
from tests.chaos.pace import pause
from tests.chaos.rig import SOUND, Rig
from tests.chaos.rules import Violation
from tests.harness.cluster import Cluster, Program, cluster
from tests.harness.waiting import eventually

SETTLE_SECONDS = 60.0
"""How long after the faults everything may take to arrive (OPS-19)."""
LOOK_SECONDS = 10.0

QUICK = {
    "EXCHANGE_LEASE__TTL_SECONDS": "3",
    "EXCHANGE_LEASE__RENEW_SECONDS": "0.7",
    "EXCHANGE_LEASE__REAP_SECONDS": "0.5",
    "EXCHANGE_LEASE__STORE_UP_SECONDS": "3",
    "EXCHANGE_SESSION__GRACE_SECONDS": "1",
    "EXCHANGE_SESSION__FLAP_SECONDS": "1",
    "EXCHANGE_REDIS__PROBE_SECONDS": "1",
    "EXCHANGE_WORKER__EXPIRE_SECONDS": "0.3",
}
"""Short leases, for rounds that do not prove the times of the product."""
UNLIMITED = {"EXCHANGE_LIMITS__ASKS_PER_MINUTE_COUNT": "0"}
KEPT = ("--appendonly", "yes")
"""Options of a store that survives its own end."""
LOCAL = {"EXCHANGE_STORE__DURABILITY": "local"}


@dataclass(slots=True)
class Outcome:
    """What came of a scenario."""

    name: str
    seed: int
    verdict: Verdict
    history: History
    measured: dict[str, float] = field(default_factory=dict)


class Stage:
    """A running cluster and everybody who uses it."""

    def __init__(self, name: str, seed: int, box: Cluster, rig: Rig = SOUND) -> None:
        self.name = name
        self.seed = seed
        self.box = box
        self.rig = rig
        self.random = random.Random(f"{seed}/{name}")
        self.history = History()
        self.clients: list[ChaosClient] = []
        self.measured: dict[str, float] = {}
        self._broken: list[Violation] = []
        self._numbers = itertools.count(1)

    # --- clients -----------------------------------------------------------------------------------------------------

    async def client(self, word: str, *, habits: Habits | None = None, urls: Sequence[str] = ()) -> ChaosClient:
        """Return one more client, identified."""
        name = f"{word}{next(self._numbers)}"
        client = ChaosClient(name, urls or self.box.urls, self.history, seed=self.seed, habits=habits)
        self.clients.append(client)
        await client.start()
        return client

    async def pair(
        self,
        *,
        habits: tuple[Habits | None, Habits | None] = (None, None),
        urls: tuple[Sequence[str], Sequence[str]] = ((), ()),
    ) -> tuple[ChaosClient, ChaosClient]:
        """Return two clients who are friends."""
        a, b = await asyncio.gather(
            self.client("ada", habits=habits[0], urls=urls[0]), self.client("bob", habits=habits[1], urls=urls[1])
        )
        await a.befriend(b)
        return a, b

    async def pairs(self, count: int, *, answers: bool = True) -> list[tuple[ChaosClient, ChaosClient]]:
        """Return so many pairs; the second of each answers questions."""
        habits = (Habits(), Habits(answers=answers))
        return list(await asyncio.gather(*(self.pair(habits=habits) for _ in range(count))))

    async def all_online(self, seconds: float = 30.0) -> None:
        """Wait until every client that wants one has a session."""
        await asyncio.gather(*(client.is_online(seconds) for client in self._lasting()))

    # --- faults ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def fault(self, what: str) -> Iterator[None]:
        """Note what is done to the cluster, and how long it lasted."""
        since = self.history.clock()
        try:
            yield
        finally:
            self.history.fault(what, since)

    def any_node(self) -> Program:
        return self.random.choice(self.box.nodes)

    async def restart(self, program: Program) -> None:
        """Start a program that was ended; clients go on meanwhile."""
        await asyncio.to_thread(program.restart)

    # --- the end -----------------------------------------------------------------------------------------------------

    def require(self, holds: object, text: str) -> None:
        """Count it as broken if something that this scenario asks for does not hold."""
        if not holds:
            self._broken.append(Violation(self.name, "broken", text, tuple(self.history.records[-1:])))

    async def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Bring everybody back and wait until nothing is under way and no mail waits; what is left then is judged."""
        for client in self.clients:
            client.come_back()
        try:
            await self.all_online(self._patience(seconds))
            await eventually(lambda: not any(client.pending for client in self._lasting()), self._patience(seconds))
            await self.until(self._empty, seconds)
        except AssertionError as error:
            left = sum(len(client.pending) for client in self._lasting())
            self.require(False, f"not settled: {error}; {left} letters, {await waiting(str(self.box.valkey.socket))}")

    def _lasting(self) -> list[ChaosClient]:
        """Return the clients that come back whenever they can."""
        return [
            client for client in self.clients if client.habits.returns and not client.stopped and not client.complaint
        ]

    async def until(self, condition: Callable[[], Awaitable[object]], seconds: float = SETTLE_SECONDS) -> None:
        """Wait until something is so that has to be asked for.

        Raises:
            AssertionError: It was not so in this time.
        """
        seconds = self._patience(seconds)
        deadline = self.history.clock() + seconds
        while not await condition():
            if self.history.clock() > deadline:
                raise AssertionError(f"not so within {seconds:g} s")
            await pause(0.1)

    def _patience(self, seconds: float) -> float:
        return self.rig.patience(seconds, broken=bool(self._broken))

    async def _empty(self) -> bool:
        return not await waiting(str(self.box.valkey.socket))

    async def outcome(self) -> Outcome:
        """End all clients and return the verdict."""
        await asyncio.gather(*(client.stop() for client in self.clients))
        for client in self.clients:
            self.require(not client.complaint, f"{client.name}: {client.complaint}")
        found = [*self._broken, *await inspect(str(self.box.valkey.socket))]
        verdict = await asyncio.to_thread(check, self.history, extra=found)
        if not verdict and self.rig == SOUND:  # of anything else it is expected
            self.history.save(self.box.keep_logs() / f"{self.name}-{self.seed}.jsonl")
        return Outcome(self.name, self.seed, verdict, self.history, self.measured)

    # --- what can be seen from outside -------------------------------------------------------------------------------

    async def live_clients(self) -> int:
        """Return how many clients the exchange says it has."""
        async with httpx2.AsyncClient(trust_env=False, timeout=LOOK_SECONDS) as http:
            reply = await http.get(self.box.nodes[0].url.replace("ws://", "http://") + "api/stats")
            return int(reply.json()["liveClients"])

    def logged(self, event: str) -> int:
        """Return how often a word stands in the logs of nodes and workers."""
        programs = (*self.box.nodes, *self.box.workers)
        return sum(program.log.read_text(encoding="utf-8", errors="replace").count(event) for program in programs)

    def first_after(self, op: Op, at: float) -> float:
        """Return how long after a moment something happened for the first time, in seconds; infinite if never."""
        return next(
            (record.at - at for record in self.history.records if record.op is op and record.at >= at), float("inf")
        )


def memory_mib(program: Program) -> float:
    """Return the resident memory of a running program."""
    assert program.process is not None
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextlib.asynccontextmanager
async def stage(
    name: str,
    seed: int,
    *,
    nodes: int = 2,
    workers: int = 1,
    settings: Mapping[str, str] | None = None,
    store_options: Sequence[str] = (),
    rig: Rig = SOUND,
) -> AsyncIterator[Stage]:
    """Set a cluster up as the scenario wants it, but for what ``rig`` changes.

    When the scenario breaks off, its history is kept and said where.
    """
    options = store_options if rig.store_options is None else rig.store_options
    with contextlib.ExitStack() as stack:
        box = cluster(0, settings={**UNLIMITED, **(settings or {}), **rig.settings}, store_options=options)
        scene = Stage(name, seed, await asyncio.to_thread(stack.enter_context, box), rig)
        try:
            for _ in range(workers):
                scene.box.add_worker(launch=rig.launch())
            for _ in range(nodes):
                await asyncio.to_thread(scene.box.add_node, launch=rig.launch())
            yield scene
        except BaseException:
            kept = Path(tempfile.mkdtemp(prefix="magi-history-")) / f"{name}-{seed}.jsonl"
            scene.history.save(kept)
            print(f"the history of the scenario that broke off is in {kept}")
            raise
        finally:
            await asyncio.gather(*(client.stop() for client in scene.clients))


def joined(first: Outcome, second: Outcome) -> Outcome:
    """Return two outcomes of one scenario as one; the first one takes everything."""
    first.history.records += second.history.records
    first.history.faults += second.history.faults
    counts = first.verdict.counts + second.verdict.counts
    first.verdict = Verdict(counts, (*first.verdict.violations, *second.verdict.violations))
    first.measured |= {name: max(value, first.measured.get(name, value)) for name, value in second.measured.items()}
    return first
