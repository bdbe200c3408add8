"""``review``, ``mode``, ``pause``: what may leave without the owner (CLI-33, CLI-35)."""

import re
import time
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import typer

from magi.cli import owner, words
from magi.cli.command import Run, command
from magi.cli.editor import edited
from magi.cli.friends import called
from magi.cli.output import quoted
from magi.cli.statuses import Status
from magi.daemon.port import Desk, Held

app = typer.Typer(rich_markup_mode=None)

RANK: Final = {"mute": 0, "ask": 1, "auto": 2}
"""Modes by how much may happen without the owner."""
FOR_EVER: Final = -1
SCOPES: Final = {"a": "once", "t": "thread", "m": "today", "g": "always"}
QUESTION: Final = """\
[a]pprove this one, and all of this [t]hread, or all until [m]idnight, or for [g]ood; [e]dit, [d]rop, [s]kip, [q]uit? """
SCANNED: Final = "scan"
"""Why a draft waits that may hold a secret (CLI-34)."""


class Mode(StrEnum):
    """What a friend's question may start."""

    ASK = "ask"
    AUTO = "auto"
    MUTE = "mute"


@command(app, "mode", undone="Nothing was changed.")
async def mode(
    run: Run,
    who: Annotated[str, typer.Argument(metavar="WHO", help="A friend: petname or username.", show_default=False)],
    wanted: Annotated[
        Mode | None, typer.Argument(metavar="MODE", help="ask, auto or mute; none shows it.", show_default=False)
    ] = None,
) -> None:
    """Show or set what a friend's questions may start.

    magi mode bob auto

    ask: assistants draft, you approve. auto: answers leave at once. mute: nobody but you sees the questions. To allow more
    than before takes you, at a terminal.
    """
    async with run.desk() as desk:
        friend = called(await desk.friends(), who)
        if wanted is not None:
            if RANK[wanted] > RANK[friend.mode]:
                await owner.confirm(f"set {friend.petname} to {wanted}")
            friend = await desk.mode(friend.username, wanted)
    run.out.view(friend)
    run.out.say(f"{friend.petname}: {friend.mode}")


@command(app, "pause", undone="Nothing was changed.")
async def pause(
    run: Run,
    *,
    until: Annotated[str, typer.Option(metavar="HH:MM|30m|2h", help="When to go on; else until --off.")] = "",
    off: Annotated[bool, typer.Option("--off", help="Go on. This takes you, at a terminal.")] = False,
) -> None:
    """Let nothing leave without you, whatever the modes say.

    magi pause --until 18:00
    """
    if off and until:
        raise typer.BadParameter("Give --until or --off.")
    end_ms = 0 if off else end_of(until, datetime.now().astimezone()) if until else FOR_EVER
    if off:
        await owner.confirm("end the pause")
    async with run.desk() as desk:
        await desk.pause(end_ms)
    said = "The pause is over." if off else f"Paused until {words.moment(end_ms)}." if until else "Paused."
    run.out.note(f"magi: {said}" + ("" if off else " To go on: magi pause --off"))


def end_of(said: str, now: datetime) -> int:
    """Return the moment that ``18:00``, ``30m`` or ``2h`` mean, in milliseconds since the epoch: the next one of its kind.

    Raises:
        typer.BadParameter: It is none of these.
    """
    span = re.fullmatch(r"([0-9]{1,4})([mh])", said)
    if span:
        end = now + timedelta(minutes=int(span[1]) * (60 if span[2] == "h" else 1))
        return int(end.timestamp() * 1000)
    try:
        clock = time.strptime(said, "%H:%M")
    except ValueError:
        raise typer.BadParameter(f"{said} is no time: 18:00, 30m or 2h.") from None
    end = now.replace(hour=clock.tm_hour, minute=clock.tm_min, second=0, microsecond=0)
    return int((end if end > now else end + timedelta(days=1)).timestamp() * 1000)


@command(app, "review", undone="Nothing was sent.")
async def review(run: Run) -> Status:
    """Look at what waits for you: approve it, edit it, or drop it.

    magi review

    This takes you, at a terminal.
    """
    await owner.confirm("review what waits")
    async with run.desk() as desk:
        drafts = await desk.held()
        if not drafts:
            run.out.note("magi: Nothing waits for you.")
        for draft in drafts:
            run.out.view(draft)
            if not run.out.as_json and not await _decided(run, desk, draft):
                break
    return Status.DONE


async def _decided(run: Run, desk: Desk, draft: Held) -> bool:
    """Have the owner decide about one draft; ``False`` if they want to stop."""
    why = {SCANNED: "it may hold a secret", "paused": "you paused"}.get(draft.reason, "you approve what leaves")
    run.out.say(f"\n{words.short(draft.id)}  to {draft.who}, {words.moment(draft.made_ms)}; it waits because {why}")
    if draft.question:
        run.out.say(f"{draft.who} asks:\n{quoted(draft.question)}")
    text = ""
    while True:
        run.out.say(f"the draft:\n{quoted(text or draft.draft)}")
        choice = (await owner.reply(QUESTION)).strip().lower()
        if choice == "e":
            text = await edited(text or draft.draft)
        elif choice in SCOPES:
            override = draft.reason == SCANNED
            if override:
                await owner.confirm("send it although it may hold a secret")
            sent = await desk.review(draft.id, approve=True, text=text, override=override, scope=SCOPES[choice])
            run.out.note(f"magi: {sent.said if sent else 'settled'}.")
            return True
        elif choice == "d":
            await desk.review(draft.id, approve=False)
            run.out.note("magi: Dropped. The question is open again.")
            return True
        elif choice in {"", "q"}:
            return False
        elif choice == "s":
            return True
