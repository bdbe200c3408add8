"""The tools that talk: asking, looking what came, and settling it (MCP-1)."""

import asyncio
from typing import Annotated, Any, Final

from msgspec import Meta

from magi.bridge import shown
from magi.bridge.texts import complaint, name
from magi.bridge.tool import Arguments, Call, Reply, Text, Unusable
from magi.client.errors import MagiError
from magi.client.states import State
from magi.daemon.port import AskView, DeskError, Inbox, Waiting

WAIT_SECONDS: Final = 45.0
RECEIPT_SECONDS: Final = 5.0

Seconds = Annotated[float, Meta(extra_json_schema={"minimum": 0, "maximum": 50})]

# --- asking ----------------------------------------------------------------------------------------------------------


class Ask(Arguments, frozen=True):
    """Arguments of ``magi_ask``."""

    to: Annotated[
        Text | Annotated[list[Text], Meta(min_length=1, max_length=10)],
        Meta(description="Petname, several of them, or anyone"),
    ]
    question: Text
    thread: Annotated[str, Meta(description="Word that holds a conversation together")] = ""
    expires_minutes: Annotated[float, Meta(gt=0, description="Default: a day")] = 1440.0
    no_reply: Annotated[bool, Meta(description="A note: no answer wanted")] = False
    wait_seconds: Seconds = WAIT_SECONDS


async def ask(call: Call, given: Ask) -> Reply:
    """Ask one friend or several, and wait for all of them at once."""
    if isinstance(given.to, str):
        view = await _ask_one(call, given, given.to)
        return Reply(asked_text(view, is_note=given.no_reply), shown.ask_data(view))
    several = list(dict.fromkeys(given.to))
    views = await asyncio.gather(*(_tried(call, given, who) for who in several))
    said = [f"{who}: {text}" for who, (text, _) in zip(several, views, strict=True)]
    asks = [{"to": who, **data} for who, (_, data) in zip(several, views, strict=True)]
    return Reply("\n\n".join(said), {"asks": asks}, is_error=all("error" in one for one in asks))


async def _ask_one(call: Call, given: Ask, who: str) -> AskView:
    view = await call.desk.ask(
        who,
        given.question,
        caller=call.caller,
        thread=given.thread,
        wants_answer=not given.no_reply,
        expires_seconds=given.expires_minutes * 60,
    )
    # Of a note the receipt is all that comes.
    return await awaited(call, view, min(given.wait_seconds, RECEIPT_SECONDS) if given.no_reply else given.wait_seconds)


async def _tried(call: Call, given: Ask, who: str) -> tuple[str, dict[str, Any]]:
    """Ask one of several: that one cannot be asked does not hide the answers of the others."""
    try:
        view = await _ask_one(call, given, who)
    except (MagiError, DeskError) as error:
        return complaint(error), {"error": complaint(error)}
    return asked_text(view, is_note=given.no_reply), shown.ask_data(view)


async def awaited(call: Call, view: AskView, seconds: float) -> AskView:
    """Return an ask as it stands when it is settled, or when the time is over. What waits for the owner is not waited for."""
    if State(view.state).final or view.state == State.HELD_HERE:
        return view
    waiting = call.desk.wait(view.id, call.patience.granted(seconds))
    return await call.patience.hold(waiting, seconds, call.progress, f"waiting for {name(view.who)}") or view


def asked_text(view: AskView, *, is_note: bool = False) -> str:
    """Return how an ask stands, and how to look later if it is open (MCP-3)."""
    if State(view.state).final or view.state == State.HELD_HERE:
        return shown.ask_text(view)
    if is_note:
        return f"The note goes by itself, do not send it again. {shown.ask_text(view)}"
    later = f'Look later: magi_inbox, ask_id "{shown.word(view.id)}". Do not ask again.'
    return f"Still open. {shown.ask_text(view)}\n{later}"


# --- inbox -----------------------------------------------------------------------------------------------------------


class Look(Arguments, frozen=True):
    """Arguments of ``magi_inbox``."""

    wait_seconds: Seconds = 0.0
    limit: Annotated[int, Meta(ge=1, le=20)] = 5
    ask_id: Annotated[str, Meta(description="Only what became of this question of yours")] = ""
    peek: Annotated[bool, Meta(description="Leave it to other sessions")] = False


async def inbox(call: Call, given: Look) -> Reply:
    """Show what came."""
    looking = call.desk.inbox(
        caller=call.caller,
        limit=given.limit,
        wait_seconds=call.patience.granted(given.wait_seconds),
        peek=given.peek,
        ask_id=given.ask_id,
    )
    found = await call.patience.hold(looking, given.wait_seconds, call.progress, "waiting for friends")
    found = found or Inbox((), Waiting())
    data: dict[str, Any] = {"items": [shown.item_data(item) for item in found.items]}
    if found.items:
        # An answer that was asked for by its question does not wait any more.
        said = [shown.item_text(item, waits=not given.ask_id) for item in found.items]
        return Reply("\n\n".join(said), data)
    if given.ask_id:
        view = await call.desk.wait(given.ask_id, 0.0)
        return Reply(asked_text(view), {**data, **shown.ask_data(view)})
    return Reply("Nothing new.", data)


class Settle(Arguments, frozen=True):
    """Arguments of ``magi_answer``."""

    ask_id: Text
    answer: Text | None = None
    decline: Annotated[Text | None, Meta(description="Reason, which the friend reads")] = None
    defer_minutes: Annotated[float, Meta(gt=0, le=10_080)] | None = None
    ack: Annotated[bool, Meta(description="Read; needs no answer")] = False


async def settle(call: Call, given: Settle) -> Reply:
    """Settle an item in one of four ways."""
    chosen = [way for way in ("answer", "decline", "defer_minutes", "ack") if getattr(given, way)]
    if len(chosen) != 1:
        raise Unusable("Give exactly one of answer, decline, defer_minutes, ack")
    if given.defer_minutes is not None:
        await call.desk.defer(given.ask_id, given.defer_minutes * 60, caller=call.caller)
        return Reply("Put off. Nobody is told.", {"state": "deferred"})
    if given.ack:
        await call.desk.ack(given.ask_id, caller=call.caller)
        return Reply("Noted. It does not wait any more.", {"state": "acknowledged"})
    if given.decline is not None:
        view = await call.desk.decline(given.ask_id, given.decline, caller=call.caller)
    else:
        view = await call.desk.answer(given.ask_id, given.answer or "", caller=call.caller)
    sent = "" if view.state in {State.HELD_HERE, State.FAILED} else "Settled. "
    return Reply(f"{sent}{shown.ask_text(view)}", {"state": view.state})
