"""The scenario `idle`: many users connect and identify at once on one node, and then only stay.

    python -m bench.idle [--users N] [--seconds S]

Says how long the storm took, what it cost, what an identified user weighs while it is idle, and what its pings cost.
"""

import argparse
import base64
import os
import resource
import select
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.process import Process, Unmeasurable, await_listening, cpu_seconds, free_ports
from bench.round import Cores, run_node, run_redis
from bench.stacks import EXCHANGE

STORM_SECONDS = 60.0
WARM_COUNT = 500  # users before the count begins: what the first ones cost is not theirs
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Figures:
    """What one run found; CPU of the node only."""

    users: int
    storm_seconds: float
    storm_cpu_us: float  # for each user: upgrade, greeting, identify
    resident_bytes: float  # for each user
    idle_share: float  # of one core, all users together


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=5000, help="users that stay (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long they only stay (default %(default)s)")
    options = parser.parse_args(arguments)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        found = measure(options.users, options.seconds)
    except Unmeasurable as reason:
        print(f"bench: {reason}", file=sys.stderr)
        return 1
    print(f"{found.users} users at once on one node: all identified after {found.storm_seconds:.1f} s")
    print(f"  node CPU            {found.storm_cpu_us:8.0f} µs a user")
    print(f"  resident, idle      {found.resident_bytes:8.0f} bytes a user")
    print(f"  node CPU, all idle  {found.idle_share:8.2%} of a core")
    return 0


def measure(users: int, seconds: float) -> Figures:
    """Run the scenario on a fresh node and an empty Redis.

    Raises:
        Unmeasurable: A process did not start, or somebody was refused.
    """
    cores = Cores.choose()
    with tempfile.TemporaryDirectory(prefix="bench-") as path, run_redis(Path(path), cores.rest) as (_, url):
        (port,) = free_ports(1)
        with run_node(EXCHANGE, "node", port, url, cores, Path(path)) as node:
            await_listening(node, ("127.0.0.1", port))
            sockets = _storm(port, range(WARM_COUNT))
            resident, cpu, started = _resident(node), cpu_seconds(node.pids()), time.monotonic()
            sockets += _storm(port, range(WARM_COUNT, WARM_COUNT + users))
            took, spent = time.monotonic() - started, cpu_seconds(node.pids()) - cpu
            weight = _resident(node) - resident
            cpu = cpu_seconds(node.pids())
            _stay(sockets, seconds)
            idle = cpu_seconds(node.pids()) - cpu
            node.check()
            for one in sockets:
                one.close()
    return Figures(users, took, spent / users * 1e6, weight / users, idle / seconds)


def _storm(port: int, numbers: range) -> list[socket.socket]:
    """Connect and identify users; every request goes out with its upgrade, without waiting for anything."""
    waiting: dict[int, tuple[socket.socket, bytes]] = {}
    for number in numbers:
        one = socket.create_connection(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        one.sendall(f"{head}Sec-WebSocket-Version: 13\r\n\r\n".encode() + _frame(number))
        waiting[one.fileno()] = one, b""
    sockets = [one for one, _ in waiting.values()]
    for fd in _readable(waiting, time.monotonic() + STORM_SECONDS):
        one, heard = waiting[fd]
        heard += one.recv(65536)
        if b'"type":"identified"' in heard:
            del waiting[fd]
        elif b'"type":"error"' in heard or not heard:
            raise Unmeasurable(f"a user was refused: {heard[-200:]!r}")
        else:
            waiting[fd] = one, heard
    return sockets


def _readable(waiting: dict[int, tuple[socket.socket, bytes]], deadline: float) -> Iterator[int]:
    with select.epoll() as poll:
        for fd in waiting:
            poll.register(fd, select.EPOLLIN)
        while waiting:
            if time.monotonic() > deadline:
                raise Unmeasurable(f"{len(waiting)} users were not identified within {STORM_SECONDS:.0f} s")
            yield from (fd for fd, _ in poll.poll(0.1) if fd in waiting)


def _stay(sockets: list[socket.socket], seconds: float) -> None:
    """Answer pings, as every client does, and nothing else."""
    pong = bytes([0x8A, 0x80, 0, 0, 0, 0])
    by_fd = {one.fileno(): one for one in sockets}
    deadline = time.monotonic() + seconds
    with select.epoll() as poll:
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)
        while (left := deadline - time.monotonic()) > 0:
            for fd, _ in poll.poll(left):
                if not by_fd[fd].recv(65536):
                    raise Unmeasurable("the node closed the connection of an idle user")
                by_fd[fd].sendall(pong)


def _frame(number: int) -> bytes:
    text = f'{{"type":"identify","username":"user-{number}@example.com","nickname":"User {number}"}}'.encode()
    return struct.pack("!BB4x", 0x81, 0x80 | len(text)) + text  # a mask of zeros leaves the text as it is


def _resident(process: Process) -> int:
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES for pid in process.pids())


if __name__ == "__main__":
    sys.exit(main())
