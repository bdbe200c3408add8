"""Which pairing an operator means: by its token, or by the beginning of it that the store keeps (CORAL-31)."""

from collections.abc import Callable

from exchange.admin.outcome import Declined
from exchange.core.pairs import PairInfo
from exchange.ports import Pairs

LEAST_CHARACTERS = 12
SHOWN_CHARACTERS = 16
LISTED_COUNT = 10

ADVICE = f"give the whole token, or {LEAST_CHARACTERS} to {SHOWN_CHARACTERS} characters of its beginning"


async def select(pairs: Pairs, wanted: Callable[[PairInfo], bool] = lambda _info: True) -> list[PairInfo]:
    """Return all pairings that are wanted, each once, the oldest first.

    Raises:
        StorageUnavailable: The store did not answer.
    """
    # While others are made, going through the store may find one twice.
    found = {info.pair: info async for info in pairs.all() if wanted(info)}
    return sorted(found.values(), key=lambda info: (info.created_ms, info.shown))


async def find(pairs: Pairs, words: str) -> PairInfo:
    """Return the one pairing that ``words`` stand for. What is longer than the part that is kept is a whole token.

    Raises:
        Declined: There is none, or there are several, or ``words`` are too short to mean one.
        StorageUnavailable: The store did not answer.
    """
    if len(words) < LEAST_CHARACTERS:
        raise Declined(f"That is too short: {ADVICE}.")
    pair = pairs.pair_of(words)
    if len(words) > SHOWN_CHARACTERS:
        found = await select(pairs, lambda info: info.pair == pair)
    else:
        found = await select(pairs, lambda info: info.shown.startswith(words))
    if len(found) == 1:
        return found[0]
    # Of a whole token no more is repeated than lists show.
    shown = words[:SHOWN_CHARACTERS]
    if not found:
        raise Declined(f"There is no pairing {shown}{'...' if shown != words else ''}: {ADVICE}.")
    names = [info.shown for info in found]
    more = f" and {len(names) - LISTED_COUNT} more" if len(names) > LISTED_COUNT else ""
    raise Declined(f"{len(names)} pairings begin with {shown}: {', '.join(names[:LISTED_COUNT])}{more}; {ADVICE}.")
