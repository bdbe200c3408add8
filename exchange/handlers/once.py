"""A repeated message id has no second effect and gets the first reply again (MAGI-45)."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from exchange.core import errors
from exchange.core.commands import (
    Blocked,
    Command,
    Confirmed,
    InviteCreated,
    PresenceUpdated,
    Redeemed,
    Reply,
    Sent,
    Unblocked,
    Unfriended,
)
from exchange.core.errors import ExchangeError
from exchange.core.ids import Uid
from exchange.core.session import Session
from exchange.entropy import derived_code

if TYPE_CHECKING:
    from exchange.handlers.exchange import Exchange

R = TypeVar("R", bound=Reply)

CODES_MOST = 8
"""Invitation codes that one request may try. With a million open ones one in 2,000 is in use; eight in a row are not."""

_REPLIES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (InviteCreated, Redeemed, Sent, Unfriended, Blocked, Unblocked, PresenceUpdated, Confirmed)
}
_ERRORS: dict[str, type[ExchangeError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, ExchangeError) and not kind.retryable
}
_INCIDENTAL = frozenset({"id", "identify"})
"""Fields that do not make it another request: who comes back repeats it with another token."""


async def once(exchange: "Exchange", session: Session, command: Command[R], perform: Callable[[], Awaitable[R]]) -> R:
    """Perform a command, unless a command of this user with this id was performed within 10 minutes.

    Final refusals are kept like replies. After a refusal that may pass (a limit, a fault) the id may be tried again.

    Raises:
        IdReused: The id was used for another request.
        ExchangeError: Whatever ``perform`` raises, or raised the first time.
    """
    if not command.id:
        return await perform()
    uid, sid = session.identified().uid, session.sid
    digest = _digest(uid, command)
    repeats = exchange.store.repeats
    kept = await repeats.reserve(uid, command.id, sid, digest)
    if kept is not None:
        return _revive(kept, uid, command)

    def keep(outcome: Reply | ExchangeError) -> Awaitable[None]:
        return repeats.keep(uid, command.id, sid, digest, _pack(outcome, uid, command))

    try:
        reply = await perform()
    except ExchangeError as error:
        if error.retryable:
            exchange.spawn(exchange.insist(lambda: repeats.drop(uid, command.id, sid), "repeat.drop"))
        else:
            outcome = error
            await exchange.insist(lambda: keep(outcome), "repeat.keep")
        raise
    # The effect has happened: from here on the client gets its reply, whatever the store says to keeping it.
    exchange.spawn(exchange.insist(lambda: keep(reply), "repeat.keep"))
    return reply


def _digest(uid: Uid, command: Command[Any]) -> str:
    """Return what tells a repeat from another request with the same id: 16 hexadecimal characters.

    Nothing can be learnt from it about content or code by who does not know the message id, which is stored nowhere.
    """
    values = [getattr(command, field.name) for field in fields(command) if field.name not in _INCIDENTAL]  # type: ignore[arg-type]
    request = msgspec.msgpack.encode((type(command).__name__, values))
    return hmac.digest(f"{uid}\0{command.id}".encode(), request, "sha256")[:8].hex()


def _pack(outcome: Reply | ExchangeError, uid: Uid, command: Command[Any]) -> bytes:
    if isinstance(outcome, ExchangeError):
        return msgspec.msgpack.encode((type(outcome).__name__, vars(outcome)))
    if isinstance(outcome, InviteCreated):
        outcome = _veiled(outcome, uid, command)
    return msgspec.msgpack.encode((type(outcome).__name__, asdict(outcome)))


def _revive(kept: bytes, uid: Uid, command: Command[R]) -> R:
    name, values = msgspec.msgpack.decode(kept)
    if name in _ERRORS:
        raise _ERRORS[name](**values)
    reply: Any = msgspec.convert(values, _REPLIES[name])
    if isinstance(reply, InviteCreated):
        reply = _unveiled(reply, uid, command)
    return reply  # type: ignore[no-any-return]


def _veiled(reply: InviteCreated, uid: Uid, command: Command[Any]) -> InviteCreated:
    """Put its length, and which of the derived codes it is, in the place of a code.

    A dump of the store shows no usable code (SEC-43); it is derived again from the repeat.
    """
    length = len(reply.code)
    turn = next(turn for turn in range(CODES_MOST) if derived_code(uid, command.id, length, turn) == reply.code)
    return replace(reply, code=f"{length}.{turn}")


def _unveiled(reply: InviteCreated, uid: Uid, command: Command[Any]) -> InviteCreated:
    length, _, turn = reply.code.partition(".")
    return replace(reply, code=derived_code(uid, command.id, int(length), int(turn)))
