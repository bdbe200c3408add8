"""The resources of the bridge (MCP-2): what a person may attach to a conversation, or an assistant looks up."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from magi.bridge import shown
from magi.bridge.texts import GUIDE, name, notice
from magi.daemon.port import AskView, Caller, Desk, Item
from magi.desk.framing import clean

_RECORD_COUNT: Final = 500
_LISTED_MOST: Final = 20


class NoSuchPage(Exception):
    """There is nothing at this address."""


FindDesk = Callable[[], Awaitable[Desk]]


@dataclass(frozen=True, slots=True)
class Page:
    """One row of the table. ``address`` may hold ``{...}``; what stood there is given to ``write`` after the way to the desk
    and the caller."""

    address: str
    name: str
    description: str
    write: Callable[..., Awaitable[str]]

    @property
    def is_template(self) -> bool:
        """Whether the address has places to fill in."""
        return "{" in self.address

    def fits(self, address: str) -> Sequence[str] | None:
        """Return what stands in the places of an address, ``None`` if it is not of this page."""
        form = re.sub(r"\\\{\w+\\\}", "([A-Za-z0-9_.@-]{1,64})", re.escape(self.address))
        found = re.fullmatch(form, address)
        return found.groups() if found else None


async def read(find: FindDesk, caller: Caller, address: str) -> str:
    """Return the text of a page.

    Raises:
        NoSuchPage: There is none at this address. Others as of ``find``, and of the desk.
    """
    for page in PAGES:
        places = page.fits(address)
        if places is not None:
            return await page.write(find, caller, *places)
    raise NoSuchPage


async def _inbox(find: FindDesk, caller: Caller) -> str:
    found = await (await find()).inbox(caller=caller, limit=_LISTED_MOST, peek=True)
    lines = [f"{shown.word(item.kind)} from {name(item.who)}, id {shown.word(item.id)}" for item in found.items]
    return "\n".join([notice(found.waiting) or "Nothing waits.", *lines])


async def _thread(find: FindDesk, caller: Caller, id_: str) -> str:
    entries = [one for one in await (await find()).history(limit=_RECORD_COUNT, caller=caller) if id_ in _names(one)]
    if not entries:
        raise NoSuchPage
    return "\n\n".join(map(_entry, entries))


# An answer is also known by the question of ours that it settles.
async def _text(find: FindDesk, caller: Caller, id_: str, part: str) -> str:
    for one in await (await find()).history(limit=_RECORD_COUNT, caller=caller):
        if isinstance(one, Item) and id_ in {shown.word(one.id), shown.word(one.reply_to)} and one.kind != "foreign":
            pieces = shown.pieces(one.text)
            if part not in map(str, range(1, len(pieces) + 1)):
                raise NoSuchPage
            return f"Part {part} of {len(pieces)}.\n{shown.framed(pieces[int(part) - 1], who=one.who, id_=one.id)}"
    raise NoSuchPage


async def _friends(find: FindDesk, _caller: Caller) -> str:
    return shown.friends_text(await (await find()).friends())


async def _help(_find: FindDesk, _caller: Caller) -> str:
    return GUIDE


def _names(one: Item | AskView) -> set[str]:
    """Return the ids by which an entry is found: its own, its thread's, and that of what it settles."""
    words = {one.id, one.thread, one.reply_to} if isinstance(one, Item) else {one.id}
    return {shown.word(word) for word in words if word}


def _entry(one: Item | AskView) -> str:
    if isinstance(one, AskView):
        return f"You wrote to {name(one.who)} ({shown.word(one.state)}):\n{clean(one.text)}"
    if one.kind == "foreign":
        return f"From {name(one.who)}: something that needs a newer magi."
    return shown.framed(one.text, who=one.who, id_=one.id, trust=one.trust, origin=one.origin)


PAGES: Final = (
    Page("magi://inbox", "inbox", "What waits, by friend; without the texts", _inbox),
    Page("magi://friends", "friends", "Friends, and who is online", _friends),
    Page("magi://help", "help", "What magi can do", _help),
    Page("magi://thread/{id}", "thread", "What was written under an id: of a question, or of a thread", _thread),
    Page("magi://text/{id}/{part}", "text", "A long text in parts of 8,000 characters, from 1", _text),
)
"""In the order of the list."""
