"""``brainxchange_command``: what people say to their assistant in words (MCP-11). Results are text."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from magi.bridge import grammar, people, shown, talk
from magi.bridge.tool import Arguments, Call, Reply, Tool

WAIT_SECONDS: Final = 20.0


class Said(Arguments, frozen=True):
    """Arguments of ``brainxchange_command``."""

    command: str


async def obey(call: Call, given: Said) -> Reply:
    """Do what a command says, as the other tools do it, and so by the same rules."""
    command = grammar.parse(given.command)
    reply = await DOES[type(command)](call, command)
    return Reply(reply.text, {}, reply.is_error)


async def _create(call: Call, _said: grammar.Create) -> Reply:
    return await people.invite(call, people.Invite())


async def _connect(call: Call, said: grammar.Connect) -> Reply:
    return await people.connect(call, people.Connect(code=said.code))


async def _ask(call: Call, said: grammar.Ask) -> Reply:
    who = "anyone" if said.who == "friend" else said.who
    view = await call.desk.ask(who, said.text, caller=call.caller)
    return Reply(talk.asked_text(await talk.awaited(call, view, WAIT_SECONDS)))


async def _friends(call: Call, _said: grammar.Friends) -> Reply:
    known = await call.desk.friends()
    return Reply(shown.friends_text(known) if known else "No friends yet. Say: magi create invite")


async def _status(call: Call, _said: grammar.Status) -> Reply:
    return await people.status(call, people.Announce())


async def _help(_call: Call, said: grammar.Help) -> Reply:
    return Reply(f"{said.hint}\n\n{grammar.HELP}".lstrip())


DOES: Final[dict[type[Any], Callable[[Call, Any], Awaitable[Reply]]]] = {
    grammar.Create: _create,
    grammar.Connect: _connect,
    grammar.Ask: _ask,
    grammar.Friends: _friends,
    grammar.Status: _status,
    grammar.Help: _help,
}
"""By what a command was read as."""

SPOKEN: Final = (
    Tool(
        "brainxchange_command",
        "For owners who say it in words: pass on what begins with magi or brainx as it was said, such as "
        '"magi create invite", "magi connect ABC123", "magi ask bob which Redis he runs", "magi friends", "magi status". '
        "Anything else returns the forms, and sends nothing.",
        Said,
        obey,
        open_world=True,
    ),
)
"""On unless the owner said ``--no-brainxchange``."""
