"""What friends see of a user: told to each of them when it changes, and when the user comes back (MAGI-47)."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from exchange.core.model import Link
from exchange.core.user import LocalUser
from exchange.ports import Condition, Notice

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

AT_ONCE_COUNT = 100
"""Friends who are told at the same time: somebody with many of them does not hold up everybody else."""


async def spread(exchange: "Exchange", user: LocalUser) -> None:
    """Let friends, and whoever looks the user up, see how it is described now."""
    exchange.hub.changed()

    async def tell_store() -> None:
        await exchange.store.users.describe(user.uid, user.profile, generation=user.generation)
        await _show(exchange, user, [(link, Notice.QUIET) for link in user.links])

    await exchange.see_to(tell_store, "profile.spread")


async def announce(exchange: "Exchange", user: LocalUser, friends: Iterable[Link]) -> None:
    """Tell friends that the user is here again, with a session of another generation.

    Persistent ones who did not hear that it had gone hear nothing, and plain ones never do: to them it never went.
    """
    noticed = [(link, Notice.ANNOUNCE if link.persist else Notice.QUIET) for link in friends]
    if noticed:
        await exchange.see_to(lambda: _show(exchange, user, noticed), "friends.announce")


async def _show(exchange: "Exchange", user: LocalUser, friends: Sequence[tuple[Link, Notice]]) -> None:
    """Write the user's end into the tables of its friends, as it is described at this moment."""
    put = exchange.store.links.put
    for start in range(0, len(friends), AT_ONCE_COUNT):
        await asyncio.gather(
            *(
                put(link.peer, user.end_of(link.connection), notice=notice, condition=Condition.LINKED)
                for link, notice in friends[start : start + AT_ONCE_COUNT]
            )
        )
