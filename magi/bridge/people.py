"""The tools about people: who is a friend, and how we stand among them (MCP-1)."""

from typing import Annotated, Final, Literal

from msgspec import Meta

from magi.bridge import shown
from magi.bridge.texts import name
from magi.bridge.tool import Arguments, Call, Reply, Text
from magi.desk.framing import one_line

LEVEL: Final = "C"
"""What this face alone gives: an assistant learns of a question with its next call. Hooks can do better."""


class Invite(Arguments, frozen=True):
    """Arguments of ``magi_invite``."""

    note: Annotated[str, Meta(description="Your words, put behind the sentence to pass on")] = ""


async def invite(call: Call, given: Invite) -> Reply:
    """Open an invitation."""
    made = await call.desk.invite()
    say = f"{made.say} {given.note}".strip()
    data = {"code": made.code, "expires_at_ms": made.expires_at_ms, "say": say}
    return Reply(f"Pass this on word for word:\n{say}", data)


class Connect(Arguments, frozen=True):
    """Arguments of ``magi_connect``."""

    code: Text
    call_them: Annotated[str, Meta(description="Petname for the friend: letters, digits, -")] = ""


async def connect(call: Call, given: Connect) -> Reply:
    """Redeem a code."""
    friend = await call.desk.connect(given.code, petname=given.call_them)
    who = name(friend.petname)
    data = {"friend": who, "trust": shown.word(friend.trust), "state": "connected"}
    return Reply(f"Connected. Here the friend is called {who}. Ask with magi_ask.", data)


class Friends(Arguments, frozen=True):
    """Arguments of ``magi_friends``."""

    name: Annotated[str, Meta(description="Part of a name")] = ""
    online: bool | None = None
    capability: str = ""


async def friends(call: Call, given: Friends) -> Reply:
    """List friends."""
    wanted = given.name.lower()
    found = [
        friend
        for friend in await call.desk.friends()
        if any(wanted in one.lower() for one in (friend.petname, friend.username, friend.nickname))
        and given.online in {None, friend.online}
        and (not given.capability or given.capability in friend.capabilities)
    ]
    return Reply(shown.friends_text(found), {"friends": [shown.friend_data(friend) for friend in found]})


class Leave(Arguments, frozen=True):
    """Arguments of ``magi_leave``."""

    friend: Text
    action: Literal["mute", "block", "unfriend"]


async def leave(call: Call, given: Leave) -> Reply:
    """Have less to do with a friend."""
    match given.action:
        case "mute":
            await call.desk.mode(given.friend, "mute")
        case "block":
            await call.desk.block(given.friend)
        case "unfriend":
            await call.desk.unfriend(given.friend)
    return Reply(f"Done: {given.action}. Only your owner can take it back.", {"done": given.action})


class Announce(Arguments, frozen=True):
    """Arguments of ``magi_status``."""

    status: Literal["idle", "working", "blocked"] | None = None
    note: Annotated[str, Meta(max_length=200)] = ""
    capabilities: Annotated[
        Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=32)] | None,
        Meta(description="Words by which friends find you; replaces the old ones"),
    ] = None


async def status(call: Call, given: Announce) -> Reply:
    """Say what we are doing, if anything was given, and return how everything stands."""
    if given.status or given.note or given.capabilities is not None:
        await call.desk.announce(status=given.status or "", note=given.note, capabilities=given.capabilities)
    now = await call.desk.status()
    detail = one_line(now.detail)
    missing = f" The exchange does not offer: {', '.join(map(shown.word, now.missing))}." if now.missing else ""
    paused = " Paused by your owner: everything waits for approval." if now.paused else ""
    data = {
        "username": now.username,
        "profile": now.profile,
        "server": now.server,
        "connection": now.connection,
        "detail": detail,
        "missing": [shown.word(one) for one in now.missing],
        "paused": now.paused,
        "level": LEVEL,
        **({"status": given.status} if given.status else {}),
    }
    stands = f"You are {now.username}, {now.connection}{f' ({detail})' if detail else ''}."
    return Reply(f"{stands}{missing}{paused}", data)
