"""How messages look to a face."""

from magi.client.model import Incoming, Outgoing
from magi.client.states import SAID
from magi.daemon.port import AskView, Item

UNREADABLE = "needs a newer magi"
"""Stands for content that this version does not know (CLI-14)."""


def item(message: Incoming, who: str) -> Item:
    """Return a message of ``who``."""
    return Item(
        id=message.id,
        who=who,
        kind=message.kind.value,
        text=UNREADABLE if message.kind == "foreign" else message.text,
        received_ms=message.received_ms,
        origin=message.origin.value,
        thread=message.thread,
        reply_to=message.reply_to,
        expires_ms=message.expires_ms,
    )


def sent(message: Outgoing, who: str, answer: Incoming | None = None, *, detail: str = "") -> AskView:
    """Return a message of ours to ``who``, with what came back. ``detail`` stands in for the message's own."""
    return AskView(
        id=message.id,
        who=who,
        state=message.state.value,
        said=SAID[message.state].format(who=who),
        text=message.text,
        answer="" if answer is None else answer.text,
        detail=message.detail or detail,
        matched="" if answer is None else answer.matched,
        made_ms=message.made_ms,
        expires_ms=message.expires_ms,
    )
