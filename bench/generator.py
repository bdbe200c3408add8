"""Builds the load generator when a part of its source is newer, runs it, and reads what it says."""

import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.process import Unmeasurable, on_cores

SOURCE = Path(__file__).with_name("generator.c")
PARTS = (SOURCE, SOURCE.with_name("frames.h"), SOURCE.with_name("samples.h"))
BUILD = Path(__file__).with_name("build")
CHUNK_BYTES = 200
"""Length of what one chunk of an answer says."""
_SLACK_SECONDS = 30.0  # connecting, pairing and draining


@dataclass(frozen=True)
class Load:
    """What the generator does; times in seconds. Each of the two phases is preceded by ``warm_seconds``."""

    pairs: int = 100
    body_bytes: int = 230
    paced_per_second: int = 2000
    warm_seconds: float = 1.0
    saturate_seconds: float = 4.0
    pace_seconds: float = 4.0


@dataclass(frozen=True)
class Clients:
    """What the users of a load are: plain clients, extended ones whose messages go through mailboxes, or ends of relay pairs.

    Extended clients acknowledge every ``ack_every``-th delivery, and with it those before. With ``chat`` the first of every
    pair is an agent that streams chunks of an answer to the other one, its phone.
    """

    stored: bool = False
    ack_every: int = 1
    chat: bool = False


PLAIN = Clients()


def build(directory: Path = BUILD) -> Path:
    """Return the compiled generator.

    Raises:
        Unmeasurable: There is no C compiler, or it refused the source.
    """
    program = directory / "generator"
    if program.exists() and program.stat().st_mtime >= max(part.stat().st_mtime for part in PARTS):
        return program
    compiler = shutil.which("cc")
    if compiler is None:
        raise Unmeasurable(
            "the load generator is a C program and there is no C compiler `cc` (Debian: apt install gcc)"
        )
    directory.mkdir(parents=True, exist_ok=True)
    fresh = program.with_name(f"generator.{os.getpid()}")  # renamed when complete: others may build or run it meanwhile
    command = [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-o", str(fresh), str(SOURCE), "-lm"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise Unmeasurable(f"the load generator does not compile: {outcome.stderr.strip()}")
    fresh.replace(program)
    return program


def drive(
    program: Path,
    load: Load,
    ports: Sequence[int],
    watched: Sequence[int],
    cores: set[int],
    clients: Clients = PLAIN,
) -> dict[str, Any]:
    """Run the load against two nodes and return the generator's figures; see ``print_window`` in its source.

    Args:
        program: What :func:`build` returned.
        load: How much, and for how long.
        ports: Of node A and node B on 127.0.0.1.
        watched: Processes whose CPU time is read at the borders of both measured windows.
        cores: Where the generator runs.
        clients: What its users are.

    Raises:
        Unmeasurable: A connection broke, an ``error`` frame came, messages were lost, doubled or reordered, or were
            not stored as they should be.
    """
    options = {
        "--a": f"127.0.0.1:{ports[0]}",
        "--b": f"127.0.0.1:{ports[1]}",
        "--pairs": load.pairs,
        "--bytes": CHUNK_BYTES if clients.chat else load.body_bytes,
        "--rate": load.paced_per_second,
        "--warm": load.warm_seconds,
        "--saturate": load.saturate_seconds,
        "--pace": load.pace_seconds,
        "--watch": ",".join(map(str, watched)),
        "--stored": int(clients.stored),
        "--ack-every": clients.ack_every,
        **({"--chat": ",".join(_tokens(ports[0], load.pairs))} if clients.chat else {}),
    }
    command = [str(program), *(str(word) for option in options.items() for word in option)]
    seconds = 2 * load.warm_seconds + load.saturate_seconds + load.pace_seconds + _SLACK_SECONDS
    try:
        with on_cores(cores):
            outcome = subprocess.run(command, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise Unmeasurable(f"the load did not end within {seconds:.0f} s") from None
    if outcome.returncode:
        raise Unmeasurable(f"the load was broken off: {outcome.stderr.decode(errors='replace').strip()}")
    said: dict[str, Any] = json.loads(outcome.stdout)
    if said["lost"]:
        raise Unmeasurable(f"{said['lost']} messages were lost")
    return said


def _tokens(port: int, count: int) -> list[str]:
    """Make pairs of the relay and return their tokens."""
    found = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        for _ in range(count):
            connection.request("POST", "/coralmux/api/v1/pair")
            response = connection.getresponse()
            said = response.read()
            if response.status != 201:
                raise Unmeasurable(f"the relay made no pair: {response.status} {said.decode(errors='replace').strip()}")
            found.append(json.loads(said)["token"])
    except OSError as error:
        raise Unmeasurable(f"the relay made no pair: {error}") from None
    finally:
        connection.close()
    return found
