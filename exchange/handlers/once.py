"""A repeated message id has no second effect and gets the first reply again (MAGI-45)."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from exchange.core import errors
from exchange.core.commands import Command, Identified, InviteCreated, Redeemed, Reply, Sent
from exchange.core.errors import ExchangeError
from exchange.core.ids import Uid
from exchange.core.session import Session
from exchange.entropy import derived_code

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

R = TypeVar("R", bound=Reply)

_REPLIES: dict[str, type[Any]] = {kind.__name__: kind for kind in (Identified, InviteCreated, Redeemed, Sent)}
_ERRORS: dict[str, type[ExchangeError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, ExchangeError) and not kind.retryable
}


async def once(exchange: "Exchange", session: Session, command: Command[R], perform: Callable[[], Awaitable[R]]) -> R:
    """Perform a command, unless a command of this user with this id was performed within 10 minutes.

    Final refusals are kept like replies. After a refusal that may pass (a limit, a fault) the id may be tried again.
    """
    if not command.id:
        return await perform()
    uid = session.identified().uid
    repeats = exchange.store.repeats
    kept = await repeats.reserve(uid, command.id, session.sid)
    if kept is not None:
        return _revive(kept, uid, command, exchange.policy.code_characters)
    try:
        reply = await perform()
    except ExchangeError as error:
        if error.retryable:
            exchange.spawn(exchange.insist(lambda: repeats.drop(uid, command.id), "repeat.drop"))
        else:
            await exchange.insist(_keeper(exchange, uid, command, _pack(error)), "repeat.keep")
        raise
    # The effect has happened: from here on the client gets its reply, whatever the store says to keeping it.
    exchange.spawn(exchange.insist(_keeper(exchange, uid, command, _pack(reply)), "repeat.keep"))
    return reply


def _keeper(exchange: "Exchange", uid: Uid, command: Command[Any], reply: bytes) -> Callable[[], Awaitable[None]]:
    return lambda: exchange.store.repeats.keep(uid, command.id, reply)


def _pack(outcome: Reply | ExchangeError) -> bytes:
    if isinstance(outcome, ExchangeError):
        return msgspec.msgpack.encode((type(outcome).__name__, vars(outcome)))
    if isinstance(outcome, InviteCreated):
        # A dump of the store shows no usable code (SEC-43); it is derived again from the repeat.
        outcome = replace(outcome, code="")
    return msgspec.msgpack.encode((type(outcome).__name__, asdict(outcome)))


def _revive(kept: bytes, uid: Uid, command: Command[R], code_characters: int) -> R:
    name, fields = msgspec.msgpack.decode(kept)
    if name in _ERRORS:
        raise _ERRORS[name](**fields)
    reply: Any = msgspec.convert(fields, _REPLIES[name])
    if isinstance(reply, InviteCreated):
        return replace(reply, code=derived_code(uid, command.id, code_characters))  # type: ignore[return-value]
    return reply  # type: ignore[no-any-return]
