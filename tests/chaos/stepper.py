"""All interleavings of a few tasks, one after the other, without a hook in the code under test.

Every async call of a port of the store in memory passes ``Memory.reach``. A stepper stops it there, waits until nothing
else can run, and lets go of exactly one of those that wait. Which one is a choice; :func:`explore` runs a scenario again
and again until every sequence of choices was tried::

    async def scenario(stepper: Stepper) -> None:
        memory = Memory()
        stepper.attach(memory)  # calls pass freely until run() begins
        ...
        await stepper.run(attach(), send())
        assert ...


    explored = await explore(scenario)

Time stands still while anybody waits at the store, and then goes on to the next timer at once: timers are late rather than
early, no run waits for one, and a run under the same choices is the same run.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

STUCK_SECONDS = 60.0
"""Of the time that stands still: so much later, nobody is helped by a timer any more."""
RUNS_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Choice:
    """At one moment ``options`` calls waited; the one with number ``taken`` was let go."""

    taken: int
    options: int
    who: str


class Stuck(AssertionError):
    """Nobody waits at the store, and yet not all tasks have come to their end."""


class Stepper:
    """One run of a scenario under given choices; where they end, the first of those who wait goes on."""

    def __init__(self, choices: Sequence[int] = ()) -> None:
        self.trail: list[Choice] = []
        self._choices = list(choices)
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._running = False
        self._now = 0.0

    def attach(self, store: Any) -> None:
        """Stop every call of ``store`` at its ``reach`` while :meth:`run` runs."""
        original = store.reach

        async def reach() -> None:
            await self.stop_here(sys._getframe(1).f_code.co_qualname.rpartition("<locals>.")[2])
            await original()

        store.reach = reach

    def delay(self, wakes: Any) -> None:
        """Make a step of every wake on its way to a node, too. They stay in order; call it before the node listens."""
        pending: deque[tuple[Any, ...]] = deque()
        tasks = set()

        async def pass_on() -> None:
            while pending:
                await self.stop_here(type(pending[0][1]).__name__)
                wakes._wake(*pending.popleft())

        def hear(*wake: Any) -> None:
            pending.append(wake)
            if len(pending) == 1:
                task = asyncio.get_running_loop().create_task(pass_on(), name="wakes")
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        wakes._hear = hear

    async def stop_here(self, call: str = "") -> None:
        """Wait to be let go; returns at once if nothing is being stepped. ``call`` is for whoever reads the trail."""
        if not self._running:
            return
        task = asyncio.current_task()
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        who = task.get_name() if task is not None else "?"
        entry = (f"{who}:{call}" if call else who, gate)
        self._waiting.append(entry)
        try:
            await gate
        finally:
            if entry in self._waiting:  # it was cancelled
                self._waiting.remove(entry)

    async def run(self, *works: Coroutine[Any, Any, Any]) -> list[Any]:
        """Run tasks to their end in the order that the choices say, and return what they returned or raised.

        Whatever they leave behind in the background is stepped, too, as long as one of them runs.

        Raises:
            Stuck: They wait for each other, or for something that never comes.
        """
        self._running = True
        loop: Any = asyncio.get_running_loop()
        self._now = started = loop.time()
        loop.time = lambda: self._now
        tasks = [asyncio.create_task(work, name=f"task{number}") for number, work in enumerate(works)]
        try:
            await self.quiet()
            while self._waiting or not all(task.done() for task in tasks):
                if self._waiting:
                    self._let_go()
                else:
                    self._to_the_next_timer(started, tasks)
                await self.quiet()
        finally:
            self._running = False
            del loop.time  # that of its class is right again
            for task in tasks:
                task.cancel()
            for _, gate in self._waiting:
                gate.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return [task.exception() or task.result() for task in tasks]

    def _let_go(self) -> None:
        number = len(self.trail)
        taken = self._choices[number] if number < len(self._choices) else 0
        who, gate = self._waiting.pop(taken)
        self.trail.append(Choice(taken, len(self._waiting) + 1, who))
        gate.set_result(None)

    async def quiet(self) -> None:
        """Let everybody run who can, until nobody is left but us. Timers that are not due stay."""
        loop: Any = asyncio.get_running_loop()  # only the loop knows who can run
        while True:
            await asyncio.sleep(0)
            if not loop._ready and not any(timer.when() <= loop.time() for timer in _timers()):
                return

    def _to_the_next_timer(self, started: float, tasks: Sequence[asyncio.Task[Any]]) -> None:
        """Nobody waits at the store: a timer must be running. Let its moment come."""
        moments = [timer.when() for timer in _timers()]
        if not moments or min(moments) > started + STUCK_SECONDS:
            raise Stuck(f"after {self.trail}: {[str(task) for task in tasks if not task.done()]}")
        self._now = max(self._now, min(moments))


def _timers() -> list[asyncio.TimerHandle]:
    loop: Any = asyncio.get_running_loop()
    return [timer for timer in loop._scheduled if not timer.cancelled()]


@dataclass(frozen=True, slots=True)
class Explored:
    """How many interleavings there were; ``whole`` unless there are more than were tried."""

    runs: int
    whole: bool


async def explore(
    scenario: Callable[[Stepper], Awaitable[None]], *, runs_most: int = RUNS_MOST, depth_most: int = 200
) -> Explored:
    """Run a scenario under all sequences of choices, depth first. A failure says which choices lead to it.

    Args:
        scenario: Builds its world anew each time and asserts what must be so; it must be deterministic.
        runs_most: Give up after so many.
        depth_most: Choices after so many are not varied.
    """
    choices: list[int] = []
    for runs in range(1, runs_most + 1):
        stepper = Stepper(choices)
        try:
            await scenario(stepper)
        except BaseException as error:
            steps = " ".join(f"{step.who}({step.taken}/{step.options})" for step in stepper.trail)
            error.add_note(f"run {runs}; Stepper({[step.taken for step in stepper.trail]}): {steps}")
            raise
        following = _next(stepper.trail[:depth_most])
        if following is None:
            return Explored(runs, whole=len(stepper.trail) <= depth_most)
        choices = following
    return Explored(runs_most, whole=False)


def _next(trail: Sequence[Choice]) -> list[int] | None:
    """Return the choices after these, as counting does: the last one that has another option takes it."""
    for number in range(len(trail) - 1, -1, -1):
        if trail[number].taken + 1 < trail[number].options:
            return [*(step.taken for step in trail[:number]), trail[number].taken + 1]
    return None
