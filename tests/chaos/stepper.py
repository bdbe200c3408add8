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

A choice of 0 goes on with whoever was let go last, or, if that does not wait for the store, with something that was begun on
its behalf. Whatever else is taken then cuts in. Where there are too many interleavings, all with a few such cuts are tried: few bugs need more.

Time stands still while anybody waits at the store, and then goes on to the next timer at once: timers are late rather than
early, no run waits for one, and a run under the same choices is the same run.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Any, NamedTuple

STUCK_SECONDS = 60.0
"""Of the time that stands still: so much later, nobody is helped by a timer any more."""
RUNS_MOST = 20_000

_actor = ContextVar("actor", default="")
"""On whose behalf something runs: handed on to whatever is begun in the background."""


@dataclass(frozen=True, slots=True)
class Choice:
    """At one moment ``options`` calls waited; the one with number ``taken`` was let go.

    The first ``free`` of them cut nobody off.
    """

    taken: int
    options: int
    who: str
    free: int

    @property
    def cuts(self) -> bool:
        return self.taken >= self.free


class _Waiting(NamedTuple):
    """One call that waits to be let go."""

    actor: str
    task: "asyncio.Task[Any] | None"
    call: str
    gate: "asyncio.Future[None]"


class Stuck(AssertionError):
    """Nobody waits at the store, and yet not all tasks have come to their end."""


class Stepper:
    """One run of a scenario under given choices; where they end, the first of those who wait goes on."""

    def __init__(self, choices: Sequence[int] = ()) -> None:
        self.trail: list[Choice] = []
        self._choices = list(choices)
        self._waiting: list[_Waiting] = []
        self._last: _Waiting | None = None
        self._running = False
        self._now = 0.0

    def attach(self, store: Any) -> None:
        """Stop every call of ``store`` at its ``reach`` while :meth:`run` runs."""
        original = store.reach

        async def reach() -> None:
            await self.stop_here(sys._getframe(1).f_code.co_qualname.rpartition("<locals>.")[2])
            await original()

        store.reach = reach

    def linger(self, port: Any, *methods: str) -> None:
        """Make a step of the way back, too: what a call found may be old when its caller hears of it."""
        for name in methods:
            setattr(port, name, self._lingering(getattr(port, name)))

    def _lingering(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **fields: Any) -> Any:
            outcome = await method(*args, **fields)
            await self.stop_here(f"{method.__qualname__} replies")
            return outcome

        return call

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
                context = copy_context()
                context.run(_actor.set, "wakes")
                task = asyncio.get_running_loop().create_task(pass_on(), context=context)
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        wakes._hear = hear

    async def stop_here(self, call: str = "") -> None:
        """Wait to be let go; returns at once if nothing is being stepped. ``call`` is for whoever reads the trail."""
        if not self._running:
            return
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = _Waiting(_actor.get(), asyncio.current_task(), call, gate)
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
        tasks = []
        for number, work in enumerate(works):
            context = copy_context()
            context.run(_actor.set, f"task{number}")
            tasks.append(asyncio.create_task(work, name=f"task{number}", context=context))
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
            for waiting in self._waiting:
                waiting.gate.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return [task.exception() or task.result() for task in tasks]

    def _let_go(self) -> None:
        number = len(self.trail)
        taken = self._choices[number] if number < len(self._choices) else 0
        waiting, options = self._waiting, len(self._waiting)
        waiting.sort(key=self._distance)  # stable: otherwise they keep the order in which they came
        nearest = self._distance(waiting[0])
        free = sum(self._distance(one) == nearest for one in waiting)
        self._last = one = waiting.pop(taken)
        who = f"{one.actor}:{one.call}" if one.call else one.actor
        self.trail.append(Choice(taken, options, who, free))
        one.gate.set_result(None)

    def _distance(self, one: _Waiting) -> int:
        """Return how little a call has to do with the one that was let go last."""
        last = self._last
        if last is None or one.actor != last.actor:
            return 2
        return 0 if one.task is last.task else 1

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
    """How many interleavings there were within the bounds; ``whole`` if all of them were tried."""

    runs: int
    whole: bool


async def explore(
    scenario: Callable[[Stepper], Awaitable[None]],
    *,
    runs_most: int = RUNS_MOST,
    depth_most: int = 200,
    cuts_most: int = 200,
) -> Explored:
    """Run a scenario under all sequences of choices, depth first. A failure says which choices lead to it.

    Args:
        scenario: Builds its world anew each time and asserts what must be so; it must be deterministic.
        runs_most: Give up after so many.
        depth_most: Choices after so many are not varied.
        cuts_most: Runs with more cuts than this are left out.
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
        following = _next(stepper.trail[:depth_most], cuts_most)
        if following is None:
            return Explored(runs, whole=len(stepper.trail) <= depth_most)
        choices = following
    return Explored(runs_most, whole=False)


def _next(trail: Sequence[Choice], cuts_most: int) -> list[int] | None:
    """Return the choices after these, as counting does: the last one that has another option takes it."""
    for number in range(len(trail) - 1, -1, -1):
        before, step = trail[:number], trail[number]
        taken = step.taken + 1
        cuts = sum(one.cuts for one in before) + (taken >= step.free)
        if taken < step.options and cuts <= cuts_most:
            return [*(one.taken for one in before), taken]
    return None
