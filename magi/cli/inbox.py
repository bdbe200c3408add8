"""``inbox``, ``history``, ``export``: what was said, and what waits."""

import csv
import io
import json
import sys
from enum import StrEnum
from typing import Annotated, Final

import msgspec
import typer

from magi.cli import words
from magi.cli.command import Run, command
from magi.cli.statuses import Status, status_of_ask
from magi.cli.watch import GLANCE_SECONDS, is_final, settled, watch
from magi.daemon.port import AskView, Item
from magi.desk.framing import terminal

app = typer.Typer(rich_markup_mode=None)

SHOWN: Final = 50
MAIL_SECONDS: Final = 1.0
"""How long an empty inbox waits for what a connection made just now brings."""
EVERYTHING: Final = 1_000_000_000


class Format(StrEnum):
    """What ``export`` writes."""

    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


@command(app, "inbox")
async def inbox(
    run: Run,
    *,
    ask: Annotated[
        str, typer.Option(metavar="ID", help="Only how this question of yours stands, and its answer.")
    ] = "",
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long to wait until there is something.", min=0)
    ] = 0.0,
    limit: Annotated[int, typer.Option(metavar="COUNT", help="How many to show.", min=1)] = SHOWN,
) -> Status:
    """Show what waits for you: questions, answers, notices.

    magi inbox

    magi inbox --ask k7qz --wait 30

    Looking takes nothing away. A question waits until it is settled: magi answer ID ...
    """
    async with run.desk() as desk:
        if ask:
            asked = await watch(desk, await desk.wait(ask, 0.0), wait, run.out, is_final)
            words.tell_ask(run.out, asked)
            return status_of_ask(asked)
        if not (await settled(desk, GLANCE_SECONDS)).daemon:
            wait = max(wait, MAIL_SECONDS)
        found = await desk.inbox(caller=run.caller, limit=limit, wait_seconds=wait, peek=True)
    for item in found.items:
        words.tell_item(run.out, item)
    run.out.view(found.waiting)
    if line := words.waiting_line(found.waiting):
        run.out.note(f"magi: {line}")
    elif not found.items:
        run.out.note("magi: Nothing waits.")
    return Status.DONE


@command(app, "history")
async def history(
    run: Run,
    who: Annotated[str, typer.Argument(metavar="WHO", help="Only with this friend.", show_default=False)] = "",
    *,
    search: Annotated[str, typer.Option(metavar="WORDS", help="Only what contains this.")] = "",
    sent: Annotated[bool, typer.Option("--sent", help="Only what you said.")] = False,
    limit: Annotated[int, typer.Option(metavar="COUNT", help="How many to look at, the newest.", min=1)] = SHOWN,
) -> None:
    """Show what was said, as kept on this machine; newest last.

    magi history bob --search redis
    """
    async with run.desk() as desk:
        record = await desk.history(who, search=search, limit=limit, caller=run.caller)
    rows = []
    for said in record:
        if isinstance(said, Item) and sent:
            continue
        run.out.view(said)
        rows.append(_row(said))
    run.out.table(("when", "id", "who", "what", "text"), rows)
    if not rows:
        run.out.note("magi: There is nothing.")


def _row(said: Item | AskView) -> tuple[str, str, str, str, str]:
    if isinstance(said, Item):
        return words.moment(said.received_ms), words.short(said.id), f"from {said.who}", said.kind, said.text
    return words.moment(said.made_ms), words.short(said.id), f"to {said.who}", said.state, said.text


@command(app, "export")
async def export(
    run: Run,
    *,
    form: Annotated[
        Format, typer.Option("--format", help="One document, one object a line, or a table.")
    ] = Format.JSONL,
) -> None:
    """Write all your messages to standard output.

    magi export --format csv > messages.csv

    Texts are as they came, but for a table on a terminal: open them with care.
    """
    async with run.desk() as desk:
        record = await desk.history(limit=EVERYTHING, caller=run.caller)
    rows = [msgspec.to_builtins(one) for one in record]
    written = _written(rows, Format.JSONL if run.out.as_json else form)
    # JSON is ASCII; of the table a terminal would obey what a friend wrote into it.
    sys.stdout.write(terminal(written) if sys.stdout.isatty() else written)


def _written(rows: list[dict[str, object]], form: Format) -> str:
    if form is Format.JSON:
        return json.dumps(rows, indent=1) + "\n"
    if form is Format.JSONL:
        return "".join(json.dumps(row) + "\n" for row in rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = io.StringIO()
    writer = csv.DictWriter(table, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _inert(value) for name, value in row.items()} for row in rows)
    return table.getvalue()


def _inert(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula: what friends wrote stays text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
