"""Child processes of the bench: started on chosen cores, watched, and always ended, by their own id."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 20.0
STOP_SECONDS = 5.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Unmeasurable(Exception):
    """A stack could not be prepared, started or driven. The text says why, for a person."""


@dataclass(frozen=True)
class Process:
    """A running child. ``log`` holds what it printed."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def pids(self) -> list[int]:
        """Return the ids of the child and of everything it started."""
        found = [self.popen.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found.extend(map(int, children.read_text().split()))
        return found

    def check(self) -> None:
        """Raise ``Unmeasurable`` if the child is gone."""
        if self.popen.poll() is not None:
            lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines()]
            tail = " | ".join([line for line in lines if line.strip("~^")][-2:])
            raise Unmeasurable(f"{self.name} ended with status {self.popen.returncode}: {tail or 'it printed nothing'}")

    def stop(self) -> None:
        """Ask the child to end, then end what is left of its process group."""
        try:
            if self.popen.poll() is None:
                self.popen.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.popen.wait(STOP_SECONDS)
        finally:
            # Also on a second Ctrl-C. The child leads a group of its own (see `running`): nobody else's are in it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()


@contextlib.contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """Bind what is started inside the block to ``cores``: children inherit the binding from their first instruction."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def running(
    name: str,
    command: Sequence[str],
    *,
    cores: set[int],
    directory: Path,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[Process]:
    """Run a child for the length of the block. Its own session keeps Ctrl-C for the runner, which then ends it."""
    log = directory / f"{name}.log"
    with log.open("wb") as output, on_cores(cores):
        popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=cwd,
            start_new_session=True,
        )
    process = Process(name, popen, log)
    try:
        yield process
    finally:
        process.stop()


def await_listening(process: Process, address: tuple[str, int] | str) -> None:
    """Wait until ``address`` (host and port, or the path of a unix socket) accepts connections."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    deadline = time.monotonic() + START_SECONDS
    while True:
        process.check()
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(address) == 0:
                return
        if time.monotonic() > deadline:
            raise Unmeasurable(f"{process.name} did not listen within {START_SECONDS:.0f} s")
        time.sleep(0.02)


def free_ports(count: int) -> list[int]:
    """Return different ports on 127.0.0.1 that nobody listens on at this moment."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the CPU time that these processes and their children that have ended have used so far, user and system."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15]))
    return total / _TICKS


def machine_cpu_seconds() -> float:
    """Return the CPU time that the whole machine has used so far, interrupts and stolen time included."""
    with Path("/proc/stat").open() as lines:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, lines.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS
