"""What a person reads of what the desk shows."""

import time
from collections.abc import Callable
from typing import Final

from magi.cli.output import Output, quoted
from magi.cli.statuses import Status, status_of_failure
from magi.client.model import Kind
from magi.client.states import State
from magi.daemon.port import AskView, Item, Waiting

SHORT_ID: Final = 8
"""Characters of an id that are shown; any unambiguous beginning is taken."""


def short(id_: str) -> str:
    """Return the beginning of an id."""
    return id_[:SHORT_ID]


def moment(at_ms: int, *, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> str:
    """Return a time as a person here would say it: the hour today, else the day too; ``-`` for none."""
    if not at_ms:
        return "-"
    then, now = time.localtime(at_ms / 1000), time.localtime(now_ms() / 1000)
    return time.strftime("%H:%M" if then[:3] == now[:3] else "%Y-%m-%d %H:%M", then)


def counted(count: int, noun: str) -> str:
    """Return ``1 answer``, ``2 answers``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def waiting_line(waiting: Waiting) -> str:
    """Return how much waits, or an empty line."""
    parts = []
    if waiting.questions:
        names = ", ".join(dict.fromkeys(waiting.questions))
        parts.append(f"{counted(len(waiting.questions), 'question')} ({names})")
    if waiting.answers:
        parts.append(counted(waiting.answers, "answer"))
    if waiting.notices:
        parts.append(counted(waiting.notices, "notice"))
    if waiting.held:
        parts.append(f"{waiting.held} held for you: magi review")
    return ", ".join(parts)


def tell_item(out: Output, item: Item) -> None:
    """Print one thing that waits, and how to settle it."""
    out.view(item)
    heads = {
        Kind.ASK: "asks",
        Kind.NOTE: "says",
        Kind.ANSWER: f"answers {short(item.reply_to)}",
        Kind.DECLINE: f"declines {short(item.reply_to)}",
        Kind.NOTICE: f"was not reached with {short(item.reply_to)}",
        Kind.FOREIGN: "says something that needs a newer magi",
    }
    out.say(
        f"{short(item.id)}  {item.who} {heads.get(Kind(item.kind), item.kind)}  {moment(item.received_ms)}{_by(item)}"
    )
    if item.kind != Kind.FOREIGN:
        out.say(quoted(item.text))


def _by(item: Item) -> str:
    """Return who wrote it, where that is not a person."""
    return {"model": ", written by an assistant", "auto": ", written by a program"}.get(item.origin, "")


def tell_ask(out: Output, ask: AskView) -> None:
    """Print how a question of ours stands: the answer alone on stdout, everything else beside it."""
    out.view(ask)
    state = State(ask.state)
    if state is State.ANSWERED:
        out.say(ask.answer)
        if ask.matched == "order":
            out.note(f"magi: {ask.who}'s client does not say what it answers; this was the oldest open question.")
    elif state is State.DECLINED:
        out.note(f"magi: {ask.who} will not answer{_because(ask.answer or ask.detail)}")
    elif state is State.EXPIRED:
        out.note(f"magi: {ask.who} did not answer in time. Ask again if it still matters.")
    elif state is State.WITHDRAWN:
        out.note("magi: You withdrew this question.")
    else:
        tell_sending(out, ask)
        if not state.final and state is not State.HELD_HERE:
            until = f" until {moment(ask.expires_ms)}" if ask.expires_ms else ""
            out.note(f"magi: The question goes on{until}. Look later: magi inbox --ask {short(ask.id)}")


def tell_sending(out: Output, ask: AskView) -> None:
    """Say beside the results what became of a message on its way."""
    if ask.state == State.FAILED:
        status = status_of_failure(ask)
        away = " It takes no messages while away." if status == Status.UNSURE else ""
        out.note(f'magi: The exchange says: "{ask.detail}".{away} Nothing was delivered. {_then(status)}'.rstrip())
    elif ask.state == State.UNKNOWN:
        out.note(f"magi: {short(ask.id)} to {ask.who}: {ask.said}. Ask {ask.who} before you repeat it.")
    elif ask.state == State.HELD_HERE:
        why = f" ({ask.detail})" if ask.detail else ""
        out.note(f"magi: {short(ask.id)} to {ask.who}: {ask.said}{why}. Nothing was sent.")
    else:
        out.note(f"magi: {short(ask.id)} to {ask.who}: {ask.said}.")


def _because(reason: str) -> str:
    return f":\n{quoted(reason)}" if reason else "."


def _then(status: Status) -> str:
    return "Try again later." if status == Status.UNSURE else ""
