"""Who types: the owner at a terminal, or a program (CLI-35).

Some commands give rights away. They want a person: a terminal, a number copied from it, and no shell of an agent client. This
is a hurdle, no wall: an assistant with a shell has its owner's rights.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Final

from magi.daemon.port import DeskError

AGENT_SHELLS: Final = ("CLAUDE_CODE_CHILD_SESSION",)
"""Variables that an agent client sets in the shells it gives its model, and nowhere else."""


class NotThePerson(DeskError):
    """Only the owner may do this, at a terminal."""


def in_agent_shell(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether an assistant started us."""
    return any(environment.get(name) for name in AGENT_SHELLS)


def at_terminal() -> bool:
    """Tell whether a person sees what we print and can reply."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def is_person(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a person typed the command, as far as that can be seen: one of our streams is a terminal."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return not in_agent_shell(environment) and any(stream.isatty() for stream in streams)


async def confirm(what: str, environment: Mapping[str, str] = os.environ) -> None:
    """Have the owner copy a number before ``what`` is done.

    Raises:
        NotThePerson: There is no terminal, an assistant started us, or it was another number.
    """
    if in_agent_shell(environment):
        raise NotThePerson(f"To {what} is up to your owner, in a terminal of their own.")
    if not at_terminal():
        raise NotThePerson(f"To {what} takes a terminal: magi asks the owner back.")
    number = f"{1000 + int.from_bytes(os.urandom(4)) % 9000}"
    if (await reply(f"To {what}, type {number}: ")).strip() != number:
        raise NotThePerson("That was not the number.")


async def reply(question: str) -> str:
    """Ask on the terminal and return the line that was typed; empty at the end of input. Ctrl-C ends the program as ever."""
    sys.stderr.write(question)
    sys.stderr.flush()
    typed = asyncio.Event()
    loop = asyncio.get_running_loop()
    # A terminal is readable when a line is complete. A thread that reads could not be interrupted.
    loop.add_reader(sys.stdin.fileno(), typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return sys.stdin.readline().rstrip("\n")
