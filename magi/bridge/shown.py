"""How what friends wrote stands in results: once between two lines for reading, once as ``untrusted_text`` (MCP-9)."""

import re
import uuid
from collections.abc import Sequence
from typing import Any, Final

from magi.bridge.texts import name, quoted
from magi.client.states import State
from magi.daemon.port import AskView, FriendView, Item
from magi.desk import framing
from magi.desk.framing import SHOWN_CHARACTERS

_WORD: Final = re.compile(r"[^A-Za-z0-9_.@-]")
_CAPABILITY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+#/-]{0,31}")
_CAPABILITIES_MOST: Final = 8

TITLES: Final = {
    "ask": "Question.",
    "note": "Note, wants no answer.",
    "answer": 'Answer to your question "{reply_to}".',
    "decline": 'Your question "{reply_to}" was declined.',
    "notice": 'Notice of the exchange about your message "{reply_to}".',
    "foreign": "Something that needs a newer magi. Tell your owner.",
}
"""What stands above an item, by its kind."""


def word(value: str) -> str:
    """Return an id, thread or keyword without anything that is not of such a word's form. Friends choose them."""
    return _WORD.sub("", value[:64])


def framed(text: str, *, who: str, id_: str, trust: str = "plain", origin: str = "") -> str:
    """Return a friend's text between two lines with a boundary of their own, and where the rest of a long one is."""
    said = origin or "unknown"
    block = framing.framed(text, who=name(who), trust=trust, ask_id=id_, origin=said, boundary=uuid.uuid4().hex)
    rest = f"\nThe rest is the resource magi://text/{word(id_)}/2 and on."
    return block + rest if framing.shown(text).left_out_count else block


def untrusted(text: str) -> dict[str, Any]:
    """Return a friend's text as data, and how much of it is not there."""
    part = framing.shown(text)
    more = {"left_out_characters": part.left_out_count} if part.left_out_count else {}
    return {"untrusted_text": part.text, **more}


def pieces(text: str) -> list[str]:
    """Cut a text of any length into pieces that can each be framed without loss."""
    clean = framing.clean(text)
    return [clean[start : start + SHOWN_CHARACTERS] for start in range(0, len(clean), SHOWN_CHARACTERS)] or [""]


# --- items and asks --------------------------------------------------------------------------------------------------


def item_text(item: Item, *, waits: bool = True) -> str:
    """Return an item for reading, and how to settle it if it still waits."""
    kind = item.kind if item.kind in TITLES else "foreign"
    how = "Settle it" if kind == "ask" else "When you have read it, ack it"
    title = TITLES[kind].format(reply_to=word(item.reply_to))
    above = f'{title} {how} with magi_answer, ask_id "{word(item.id)}".' if waits else title
    if kind == "foreign":
        return above
    return f"{above}\n{framed(item.text, who=item.who, id_=item.id, trust=item.trust, origin=item.origin)}"


def item_data(item: Item) -> dict[str, Any]:
    """Return an item as data."""
    words = {"origin": item.origin, "thread": item.thread, "reply_to": item.reply_to}
    return {
        "ask_id": word(item.id),
        "kind": word(item.kind),
        "from": name(item.who),
        "trust": word(item.trust),
        "received_ms": item.received_ms,
        **{key: word(value) for key, value in words.items() if value},
        **({"expires_ms": item.expires_ms} if item.expires_ms else {}),
        **untrusted("" if item.kind == "foreign" else item.text),
    }


def ask_text(ask: AskView) -> str:
    """Return how a message of ours stands, for reading."""
    who, id_ = name(ask.who), word(ask.id)
    match ask.state:
        case State.ANSWERED:
            guess = " It names no question, so this match is a guess." if ask.matched == "order" else ""
            return f"{who} answered.{guess}\n{framed(ask.answer, who=ask.who, id_=ask.id)}"
        case State.DECLINED:
            return (
                f"{who} will not answer. Do not ask again.\n{framed(ask.detail or ask.answer, who=ask.who, id_=ask.id)}"
            )
        case State.HELD_HERE:
            reason = f" {framing.one_line(ask.detail)}" if ask.detail else ""
            return f"Held for your owner, who approves it with: magi review. Nothing was sent yet.{reason} Id: {id_}"
        case State.FAILED:
            return f"It was not delivered. {quoted(ask.detail)} Id: {id_}"
        case State.EXPIRED | State.WITHDRAWN:
            return f"It is over without an answer: {framing.one_line(ask.said)}. Id: {id_}"
        case _:
            return f"{framing.one_line(ask.said).capitalize()}. Id: {id_}"


def ask_data(ask: AskView) -> dict[str, Any]:
    """Return how a message of ours stands, as data. ``answer`` is there once there is one, or a reason for none."""
    said = {State.ANSWERED: ask.answer, State.DECLINED: ask.detail or ask.answer}.get(State(ask.state))
    answer = {"answer": {"from": name(ask.who), **untrusted(said)}} if said is not None else {}
    return {"ask_id": word(ask.id), "state": ask.state, **answer}


# --- friends ---------------------------------------------------------------------------------------------------------


def capabilities(friend: FriendView) -> list[str]:
    """Return what a friend says it can do: single words only, for a sentence among them could be an instruction."""
    return [one for one in friend.capabilities if _CAPABILITY.fullmatch(one)][:_CAPABILITIES_MOST]


def friend_data(friend: FriendView) -> dict[str, Any]:
    """Return a friend as data."""
    return {
        "petname": name(friend.petname),
        "online": friend.online,
        "mode": friend.mode,
        "trust": word(friend.trust),
        "answers": word(friend.answers),
        "capabilities": capabilities(friend),
        "open": friend.open_count,
    }


def friends_text(friends: Sequence[FriendView]) -> str:
    """Return friends for reading, one a line."""
    if not friends:
        return "No such friends."
    return "\n".join(_friend_line(friend) for friend in friends)


def _friend_line(friend: FriendView) -> str:
    can = f", can: {' '.join(capabilities(friend))}" if capabilities(friend) else ""
    waits = f", {friend.open_count} open" if friend.open_count else ""
    presence = "online" if friend.online else "away"
    return f"{name(friend.petname)}: {presence}, mode {friend.mode}, trust {word(friend.trust)}{can}{waits}"
