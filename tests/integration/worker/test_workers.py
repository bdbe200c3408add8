"""Real workers on one real server: each job has one of them, whatever happens to it (T16)."""

import asyncio
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from exchange.core.ids import NOWHERE
from exchange.core.model import Envelope, Kind, Link, NodeInfo, Presence, Profile
from exchange.listening import port_of, reserve
from exchange.ports import Store
from exchange.refusal import REFUSED_STATUS
from exchange.settings import load
from exchange.storage.redis.store import open_store
from tests.harness.cluster import HOST, Program
from tests.harness.valkey import Valkey
from tests.harness.waiting import WAIT_SECONDS, eventually
from worker.metrics import WorkerMetrics
from worker.schedule import timetable

QUICK = {
    "EXCHANGE_STORE__DURABILITY": "memory",
    "EXCHANGE_LEASE__REAP_SECONDS": "0.1",
    "EXCHANGE_LEASE__STORE_UP_SECONDS": "0",
    "EXCHANGE_WORKER__EXPIRE_SECONDS": "0.1",
    "EXCHANGE_MAILBOX__TTL_SECONDS": "3600",
}
ANN = Presence("sid-ann", "uid-ann", "ann", "node1", "magi", "192.0.2.1")
BOB = Presence("sid-bob", "uid-bob", "bob", "node2", "magi", "192.0.2.2")
MAIL_COUNT = 40


class Workers:
    """Workers as processes, each with its metrics on a port of its own."""

    def __init__(self, valkey: Valkey, directory: Path) -> None:
        self._environment = {**QUICK, "EXCHANGE_REDIS__URL": valkey.url}
        self._directory = directory
        self.programs: list[Program] = []

    def start(self, port: int = 0) -> Program:
        if not port:
            with reserve(HOST, 0, variable="none") as reserved:
                port = port_of(reserved)
        name = f"worker{len(self.programs)}"
        environment = {**self._environment, "EXCHANGE_WORKER__METRICS_PORT": str(port)}
        program = Program(name, ["worker"], environment, self._directory / f"{name}.log", port)
        self.programs.append(program)
        program.start()
        return program

    def end(self) -> None:
        for program in self.programs:
            program.stop()


@pytest.fixture
def workers(valkey: Valkey, tmp_path: Path) -> Iterator[Workers]:
    running = Workers(valkey, tmp_path)
    try:
        yield running
    finally:
        running.end()


@pytest.fixture
async def store(valkey: Valkey):
    opened = await open_store(valkey.url)
    yield opened.ports
    await opened.close()


async def scrape(program: Program) -> str:
    async with httpx2.AsyncClient(trust_env=False) as http:
        try:
            return (await http.get(f"http://{HOST}:{program.port}/metrics")).text
        except httpx2.TransportError:
            return ""


async def value(program: Program, series: str) -> float:
    """Return a number that a worker shows, -1 while it shows none."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", await scrape(program), re.MULTILINE)
    return float(found[1]) if found else -1


async def holds(program: Program, job: str) -> bool:
    return await value(program, f'worker_job_held{{job="{job}"}}') == 1


async def did(program: Program, job: str) -> bool:
    return await value(program, f'worker_job_seconds_count{{job="{job}",outcome="ok"}}') > 0


async def befriend(store: Store) -> None:
    """Bob is here, Ann has left; they are friends."""
    features = frozenset({"ids", "resume", "persist", "offline"})
    for presence in (ANN, BOB):
        await store.users.open(presence, Profile(presence.name, presence.name.title(), features))
    await store.links.put(ANN.uid, Link(BOB.uid, "c1", "bob", "Bob", persist=True, features=features))
    await store.links.put(BOB.uid, Link(ANN.uid, "c1", "ann", "Ann", persist=True, features=features))
    await store.users.close(ANN.uid, ANN.sid, grace_ms=0)


async def mail(store: Store, id_: str, *, ttl_ms: int) -> None:
    now_ms = store.clock.now_ms()
    envelope = Envelope(Kind.QUESTION, BOB.uid, "c1", 0, now_ms, b'"?"', id_, name="bob", nick="Bob")
    await store.mailboxes.post(ANN.uid, envelope, now_ms + ttl_ms)
    await store.dues.note(ANN.uid, now_ms + ttl_ms)


async def told(store: Store) -> list[str]:
    page = await store.mailboxes.read(BOB.uid, NOWHERE, count=1000, bytes_=1 << 30)
    return [letter.envelope.reply_to for letter in page.letters]


async def test_a_job_has_one_holder_and_another_takes_over_when_it_is_killed(workers):
    one, other = workers.start(), workers.start()
    await eventually(lambda: holds_one(one, other))
    holder, heir = (one, other) if await holds(one, "reap_nodes") else (other, one)
    assert not await holds(heir, "reap_nodes")
    holder.kill()
    await eventually(lambda: holds(heir, "reap_nodes"))


async def holds_one(*programs: Program) -> bool:
    return any([await holds(program, "reap_nodes") for program in programs])


async def test_a_job_goes_over_at_once_when_its_holder_ends_in_order(workers):
    one = workers.start()
    await eventually(lambda: did(one, "settle_dues"))
    assert one.stop() == 0
    other = workers.start()
    await eventually(lambda: did(other, "settle_dues"))


async def test_mail_that_is_past_its_time_is_ended_by_a_worker(workers, store):
    await befriend(store)
    await mail(store, "m1", ttl_ms=1)
    workers.start()
    await eventually(lambda: told(store))
    assert await told(store) == ["m1"]


async def test_every_job_of_the_timetable_runs_on_a_real_server(store):
    await befriend(store)
    await mail(store, "m1", ttl_ms=1)
    await mail(store, "m2", ttl_ms=60_000)
    metrics = WorkerMetrics()
    for job in timetable(load(QUICK), store, metrics):
        await job.run()
    assert await told(store) == ["m1"]
    assert metrics.mailbox_envelopes.value("sum") == 2, "m2 and the notice"
    assert metrics.sweep_found.value("due") == metrics.sweep_found.value("half_link") == 0


async def test_what_a_dead_node_left_is_cleared(workers, store):
    await store.leases.renew(NodeInfo("node1", "0", 0), ttl_ms=1, draining=False)
    await store.leases.note(ANN)
    await store.names.claim("ann", ANN)
    await store.users.open(ANN, Profile("ann", "Ann"))
    worker = workers.start()
    await eventually(lambda: nobody(store))
    await eventually(lambda: reaped(worker))
    assert await value(worker, 'worker_reaped_total{what="session"}') == 1


async def nobody(store: Store) -> bool:
    return await store.names.find("ann", "magi") is None


async def reaped(worker: Program) -> bool:
    return await value(worker, 'worker_reaped_total{what="node"}') == 1


async def test_senders_are_told_once_although_workers_are_killed_in_the_middle(workers, store):
    await befriend(store)
    for number in range(MAIL_COUNT):
        await mail(store, f"m{number}", ttl_ms=1)
    for _ in range(3):
        # Killed as soon as it has told somebody, or had the time to tell everybody.
        before, worker = len(await told(store)), workers.start()
        await eventually(lambda worker=worker, before=before: progress(store, worker, before))
        worker.kill()
    two = [workers.start(), workers.start()]
    await eventually(lambda: all_told(store))
    await eventually(lambda: did_any(two))
    assert sorted(await told(store)) == sorted(f"m{number}" for number in range(MAIL_COUNT))
    assert await store.mailboxes.ended(ANN.uid) == ()


async def progress(store: Store, worker: Program, before: int) -> bool:
    return len(await told(store)) > before or await did(worker, "settle_dues")


async def did_any(programs: list[Program]) -> bool:
    return any(await asyncio.gather(*(did(program, "settle_dues") for program in programs)))


async def all_told(store: Store) -> bool:
    return len(await told(store)) >= MAIL_COUNT and not await store.mailboxes.ended(ANN.uid)


async def test_a_frozen_worker_that_wakes_up_has_lost_its_jobs(workers):
    frozen = workers.start()
    await eventually(lambda: holds(frozen, "settle_dues"))
    frozen.signal(signal.SIGSTOP)
    heir = workers.start()
    await eventually(lambda: holds(heir, "settle_dues"))
    frozen.signal(signal.SIGCONT)
    await eventually(lambda: lost(frozen))
    assert await holds(heir, "settle_dues")


async def lost(program: Program) -> bool:
    return await value(program, 'worker_job_held{job="settle_dues"}') == 0


async def test_a_worker_is_refused_if_the_port_for_its_metrics_is_taken(workers):
    with reserve(HOST, 0, variable="none") as taken:
        worker = workers.start(port_of(taken))
        assert worker.process is not None
        assert await asyncio.to_thread(worker.process.wait, WAIT_SECONDS) == REFUSED_STATUS
    log = worker.log.read_text()
    assert f"Port {worker.port} on {HOST} is in use by another program" in log
    assert "Traceback" not in log
