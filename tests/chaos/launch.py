"""Runs the exchange in a process that is not quite as it should be: ``python -m tests.chaos.launch [options] serve ...``.

Options: ``--clock FILE``, the wall clock is wrong by the seconds that stand in the file, which may change; ``--mutant NAME``,
a promise of the code is broken on purpose (:mod:`tests.chaos.mutants`).
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos.mutants import MUTANTS

LOOK_SECONDS = 0.05
"""How often the file is read at most."""


class WrongClock:
    """The wall clock, shifted by what a file says. Steady clocks are as they were."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seconds = 0
        self._looked_at = float("-inf")
        self._time: Callable[[], float] = time.time
        self._time_ns: Callable[[], int] = time.time_ns

    def install(self) -> None:
        """Put it in the place of the functions of ``time``; to be done before anything else imports them."""
        time.time = self.time
        time.time_ns = self.time_ns

    def time(self) -> float:
        return self._time() + self._shift()

    def time_ns(self) -> int:
        return self._time_ns() + self._shift() * 1_000_000_000

    def _shift(self) -> int:
        now = time.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            text = self._file.read_text().strip()
            self._seconds = int(text) if text else self._seconds  # it may be being written
        return self._seconds


def main() -> None:
    """Take the options off the command line, and be the program ``magi-exchange``."""
    while len(sys.argv) > 2 and sys.argv[1] in {"--clock", "--mutant"}:
        option, value = sys.argv[1:3]
        del sys.argv[1:3]
        if option == "--clock":
            WrongClock(Path(value)).install()
        else:
            MUTANTS[value]()
    from exchange.__main__ import main as program

    program()


if __name__ == "__main__":
    main()
