"""``listen``: questions as they come, printed or handed to a command of the owner's (CLI-40)."""

import asyncio
import shlex
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer

from magi.cli import words
from magi.cli.command import Run, command
from magi.cli.statuses import Status
from magi.client.errors import AlreadySettled, MagiError
from magi.client.model import Kind
from magi.daemon.port import Caller, DaemonAway, Desk, DeskError, Item
from magi.daemon.responder import RUNS_A_DAY, RUNS_AT_ONCE, Errand, Responder, Verdict

app = typer.Typer(rich_markup_mode=None)

UNASKED: Final = (Kind.ASK, Kind.NOTE, Kind.FOREIGN)
"""What friends send us of their own accord."""
AT_ONCE: Final = 100
"""How many items are claimed together."""


@command(app, "listen")
async def listen(
    run: Run,
    *,
    exec_: Annotated[
        str, typer.Option("--exec", metavar="COMMAND", help="Let this program answer the questions.")
    ] = "",
    once: Annotated[bool, typer.Option("--once", help="End after the first.")] = False,
) -> Status:
    """Print questions and notes as they come, until Ctrl-C.

    magi listen --json

    magi listen --exec ./answer.py

    The program of --exec runs once a question, without a shell: JSON on its standard input, the answer on its output. Exit
    status 0 answers, 10 declines with the output as the reason, 11 leaves the question to you. Friends in mode auto get the
    answer at once, for others it waits: magi review.
    """
    argv = shlex.split(exec_)
    async with run.desk(starts=True) as desk:
        if not argv:
            await _each(_come(desk, run.caller, UNASKED), lambda items: _show(run, desk, items), once=once)
            return Status.DONE
        with tempfile.TemporaryDirectory(prefix="magi-") as directory:
            hands = Hands(run, desk, argv, Responder(Path(directory)))
            await _each(_come(desk, hands.caller, (Kind.ASK,)), hands.take, once=once)
    return Status.DONE


async def _come(desk: Desk, caller: Caller, kinds: tuple[Kind, ...]) -> AsyncIterator[list[Item]]:
    """Yield what waits, and then what comes, each item once. A daemon that ends meanwhile is started again."""
    seen: set[tuple[str, str]] = set()
    while True:
        try:
            async for _ in desk.events():
                found = await desk.inbox(caller=caller, limit=AT_ONCE)
                fresh = [item for item in found.items if item.kind in kinds and (item.who, item.id) not in seen]
                seen.update((item.who, item.id) for item in fresh)
                if fresh:
                    yield fresh
        except DaemonAway:
            await asyncio.sleep(1.0)  # the next look starts it; one that cannot start is an error there


async def _each(
    groups: AsyncIterator[list[Item]], take: Callable[[list[Item]], Awaitable[None]], *, once: bool
) -> None:
    async for items in groups:
        await take(items[:1] if once else items)
        if once:
            return


async def _show(run: Run, desk: Desk, items: list[Item]) -> None:
    for item in items:
        words.tell_item(run.out, item)
        if item.kind == Kind.ASK:
            run.out.note(f"magi: To answer: magi answer {words.short(item.id)} ...")
        elif item.kind == Kind.NOTE:
            await desk.ack(item.id, caller=run.caller)


class Hands:
    """Has questions answered by a command. Who may answer whom is for the desk to say (CLI-33)."""

    def __init__(self, run: Run, desk: Desk, argv: list[str], responder: Responder) -> None:
        self.caller = Caller(face="cli", origin="model", session=run.caller.session)
        self._run = run
        self._desk = desk
        self._argv = argv
        self._responder = responder
        self._runs: Counter[tuple[str, date]] = Counter()

    async def take(self, items: list[Item]) -> None:
        """Answer questions, as many at once as the responder allows."""
        for start in range(0, len(items), RUNS_AT_ONCE):
            await asyncio.gather(*(self._answer(item) for item in items[start : start + RUNS_AT_ONCE]))
            await self._desk.inbox(caller=self.caller, limit=AT_ONCE)  # renews the claims on those that wait

    async def _answer(self, item: Item) -> None:
        """Run the command for one question. Whatever comes of it, the others go on."""
        day = (item.who, date.today())  # noqa: DTZ011  a day of the owner's
        if self._runs[day] >= RUNS_A_DAY:
            self._leave(item, f"{item.who} had {RUNS_A_DAY} answers today")
            return
        self._runs[day] += 1
        errand = Errand(id=item.id, question=item.text, petname=item.who, trust=item.trust, thread=item.thread)
        outcome = await self._responder.run(self._argv, errand, friend=item.who)
        try:
            if outcome.verdict is Verdict.ANSWER:
                sent = await self._desk.answer(item.id, outcome.text, caller=self.caller)
            elif outcome.verdict is Verdict.DECLINE:
                sent = await self._desk.decline(item.id, outcome.text, caller=self.caller)
            else:
                self._leave(item, outcome.text or "the command leaves it to you")
                return
        except AlreadySettled:
            self._leave(item, "it was settled meanwhile")
        except (MagiError, DeskError) as error:
            self._leave(item, str(error))
        else:
            self._run.out.view(sent)
            self._run.out.say(f"{words.short(item.id)}  {item.who}: {outcome.verdict.name.lower()}, {sent.said}")

    def _leave(self, item: Item, why: str) -> None:
        self._run.out.note(f"magi: {words.short(item.id)} of {item.who} is left: {why}")
