"""``ask``, ``send``, ``answer``: what we say to friends."""

import asyncio
import sys
from typing import Annotated

import typer

from magi.cli import words
from magi.cli.command import Run, command
from magi.cli.statuses import Status, status_of_ask, status_of_sending
from magi.cli.watch import RECEIPT_SECONDS, is_final, is_sent, watch
from magi.daemon.port import AskView, Desk

app = typer.Typer(rich_markup_mode=None)

STDIN = "-"
TextArgument = Annotated[
    list[str],
    typer.Argument(metavar="TEXT", help="The words; - reads them from standard input.", show_default=False),
]


def text_of(said: list[str]) -> str:
    """Return what was typed, or what standard input holds.

    Raises:
        typer.BadParameter: That is nothing.
    """
    text = sys.stdin.read() if said == [STDIN] else " ".join(said)
    if not text.strip():
        raise typer.BadParameter("There is nothing to say.")
    return text.removesuffix("\n")


@command(app, "ask", undone="Nothing was sent.")
async def ask(
    run: Run,
    who: Annotated[str, typer.Argument(metavar="WHO", help="A friend, or: anyone.", show_default=False)],
    text: TextArgument,
    *,
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait for the answer.", min=0)] = 60.0,
    expires: Annotated[
        float, typer.Option(metavar="MINUTES", help="When nobody needs to answer any more.", min=1)
    ] = 1440.0,
    thread: Annotated[str, typer.Option(metavar="NAME", help="The conversation that this belongs to.")] = "",
) -> Status:
    """Ask a friend and wait for the answer.

    magi ask bob "Which Redis do you run?"

    The question is safe before the wait begins: Ctrl-C, or the end of the wait, does not end it. The answer alone goes to
    standard output.
    """
    question = text_of(text)
    async with run.desk(starts=True) as desk:
        asked = await desk.ask(who, question, caller=run.caller, thread=thread, expires_seconds=expires * 60)
        try:
            asked = await watch(desk, asked, wait, run.out, is_final)
        except asyncio.CancelledError:
            words.tell_ask(run.out, asked)
            raise
    words.tell_ask(run.out, asked)
    return status_of_ask(asked)


@command(app, "send", undone="Nothing was sent.")
async def send(
    run: Run,
    *,
    to: Annotated[str, typer.Option("--to", "-t", metavar="WHO", help="A friend.", show_default=False)],
    message: Annotated[
        str, typer.Option("--message", "-m", metavar="TEXT", help="The words; - reads them from standard input.")
    ],
) -> Status:
    """Tell a friend something that wants no answer.

    magi send -t bob -m "The build is green."

    A friend with another client than magi sees a question.
    """
    note = text_of([message])
    async with run.desk(starts=True) as desk:
        sent = await desk.ask(to, note, caller=run.caller, wants_answer=False)
        return await _handed_over(run, desk, sent)


@command(app, "answer", undone="Nothing was sent.")
async def answer(
    run: Run,
    item: Annotated[str, typer.Argument(metavar="ID", help="The question; the beginning of its id is enough.")],
    text: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="The words; - reads them from standard input.", show_default=False),
    ] = None,
    *,
    decline: Annotated[str, typer.Option(metavar="REASON", help="Say that you will not answer.")] = "",
    defer: Annotated[float, typer.Option(metavar="MINUTES", help="Have it shown to nobody for a while.", min=0)] = 0.0,
    ack: Annotated[bool, typer.Option("--ack", help="Take note of something that wants no answer.")] = False,
) -> Status:
    """Answer a question, or settle it in another way.

    magi answer k7qz "8.4, cluster mode"

    magi answer k7qz --decline "I may not say"
    """
    if sum(map(bool, (text, decline, defer, ack))) != 1:
        raise typer.BadParameter("Give one of: TEXT, --decline, --defer, --ack.")
    reply = text_of(text) if text else ""
    async with run.desk(starts=True) as desk:
        if defer:
            await desk.defer(item, defer * 60, caller=run.caller)
            run.out.note(f"magi: {item} comes again in {defer:g} min.")
            return Status.DONE
        if ack:
            await desk.ack(item, caller=run.caller)
            run.out.note(f"magi: {item} waits no more.")
            return Status.DONE
        if decline:
            return await _handed_over(run, desk, await desk.decline(item, decline, caller=run.caller))
        return await _handed_over(run, desk, await desk.answer(item, reply, caller=run.caller))


async def _handed_over(run: Run, desk: Desk, sent: AskView) -> Status:
    """Wait until the exchange has taken a message, and say what became of it."""
    sent = await watch(desk, sent, RECEIPT_SECONDS, run.out, is_sent)
    run.out.view(sent)
    words.tell_sending(run.out, sent)
    return status_of_sending(sent)
