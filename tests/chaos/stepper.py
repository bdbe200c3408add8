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
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

STUCK_SECONDS = 5.0
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

    def attach(self, store: Any) -> None:
        """Stop every call of ``store`` at its ``reach`` while :meth:`run` runs."""
        original = store.reach

        async def reach() -> None:
            await self.stop_here()
            await original()

        store.reach = reach

    async def stop_here(self) -> None:
        """Wait to be let go; returns at once if nothing is being stepped."""
        if not self._running:
            return
        task = asyncio.current_task()
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (task.get_name() if task is not None else "?", gate)
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
        tasks = [asyncio.create_task(work, name=f"task{number}") for number, work in enumerate(works)]
        try:
            await self._quiet()
            while self._waiting or not all(task.done() for task in tasks):
                if self._waiting:
                    self._let_go()
                else:
                    await self._something(tasks)
                await self._quiet()
        finally:
            self._running = False
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

    async def _quiet(self) -> None:
        """Let everybody run who can, until nobody is left but us."""
        ready = asyncio.get_running_loop()._ready  # only the loop knows who can run
        while True:
            await asyncio.sleep(0)
            if not ready:
                return

    async def _something(self, tasks: Sequence[asyncio.Task[Any]]) -> None:
        """Nobody waits at the store: a timer must be running."""
        deadline = asyncio.get_running_loop().time() + STUCK_SECONDS
        while not self._waiting and not all(task.done() for task in tasks):
            if asyncio.get_running_loop().time() > deadline:
                raise Stuck(f"after {self.trail}: {[str(task) for task in tasks if not task.done()]}")
            await asyncio.sleep(0.001)


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
