"""Runs one long-lived program in this process: loop, signals, exit status."""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

import uvloop

from exchange.lifeline import Lifeline
from exchange.refusal import REFUSED_STATUS, StartRefused

SECOND_SIGNAL_STATUS = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_process(program: Callable[[asyncio.Event], Awaitable[None]], *, lifeline: Lifeline | None = None) -> int:
    """Run ``program`` until it returns, and return the exit status: 0 in order, 3 if it refused to start.

    The event it gets is set by the first signal, or when the parent at the other end of ``lifeline`` is gone; the program
    may set it, too. The second signal ends the process at once. A refusal is told to the parent, or printed if there is none.
    """

    async def main() -> None:
        stop = asyncio.Event()
        if lifeline is not None:
            lifeline.watch(stop)
        on_signals(stop)
        await program(stop)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
    except StartRefused as refusal:
        if lifeline is None:
            print(refusal, file=sys.stderr)  # noqa: T201  the one sentence for whoever started it
        else:
            lifeline.refused(str(refusal))
        return REFUSED_STATUS
    return 0


def on_signals(stop: asyncio.Event, *, at_once: Callable[[], None] = lambda: None) -> None:
    """Set ``stop`` at the first signal; at the second call ``at_once`` and exit with status 130.

    A hang-up of the terminal counts as a signal, unless whoever started this process (``nohup``) has it ignored. If
    ``stop`` was set for another reason, the first signal still is the first one: it is no sign of impatience.
    """
    signals = itertools.count(1)

    def signalled() -> None:
        if next(signals) > 1:
            at_once()
            with suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(SECOND_SIGNAL_STATUS)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, signalled)
