"""Runs a responder's command and ends it in time: ``minder.py LIFE_FD SECONDS COMMAND...`` (CLI-40).

A process between the daemon and the command, so that the command ends also when the daemon is killed (CLI-25): the daemon holds
the other end of ``LIFE_FD`` and the end of that pipe is the end of the command. Standard library only, it runs isolated.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

TERM_SECONDS = 5.0
OVERDUE_STATUS = 124
NOT_STARTED_STATUS = 127


def main(arguments: list[str]) -> int:
    """Run the command in a process group of its own and return its exit status; nothing of the group is left."""
    life, seconds, command = int(arguments[0]), float(arguments[1]), arguments[2:]
    try:
        child = subprocess.Popen(command, start_new_session=True)  # noqa: S603  the owner's own command, without a shell
    except OSError as fault:
        sys.stderr.write(f"{command[0]}: {fault.strerror}\n")
        return NOT_STARTED_STATUS
    overdue = threading.Event()
    threading.Thread(target=_watch, args=(life, child, overdue), daemon=True).start()
    try:
        status = child.wait(seconds)
    except subprocess.TimeoutExpired:
        _end(child)
        status = OVERDUE_STATUS
    _signal(child, signal.SIGKILL)  # what the command left running in its group
    return OVERDUE_STATUS if overdue.is_set() else status


def _watch(life: int, child: "subprocess.Popen[bytes]", overdue: threading.Event) -> None:
    """End the command when the daemon is gone."""
    os.read(life, 1)
    overdue.set()
    _end(child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Ask the group to end, then end it."""
    _signal(child, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(TERM_SECONDS)
    _signal(child, signal.SIGKILL)
    child.wait()


def _signal(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # gone; macOS says so of a group of zombies
        os.killpg(child.pid, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) & 0xFF)
