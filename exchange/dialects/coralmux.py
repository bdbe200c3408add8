"""The CoralMux wire, version 1, in terms of commands and events."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from exchange.core import commands as c
from exchange.core.errors import ExchangeError, Unavailable, Unparsed
from exchange.core.events import Event, PeerCame, PeerWent, Relayed
from exchange.core.pairs import Role
from exchange.core.session import Session, State
from exchange.dialects.errors import CORALMUX, CORALMUX_CODES, CORALMUX_FIRST, find
from exchange.front import Ending
from magi.wire import coralmux
from magi.wire.codes import REPLACED_BY_NEWER_REASON, CloseCode
from magi.wire.coralmux_frames import AuthOk, Payload, Pong, Status

_STATUS: Final[dict[type[Any], Status]] = {PeerCame: Status("online"), PeerWent: Status("offline")}


class CoralMux:
    """The dialect of :mod:`magi.wire.coralmux`. Holds no state; one object serves all sessions."""

    name = "coralmux"
    tells: frozenset[type[Event]] = frozenset({Relayed, *_STATUS})
    closes: Mapping[Ending, tuple[int, str]] = {
        Ending.REFUSED: (CloseCode.POLICY_VIOLATION, ""),
        Ending.REVOKED: (CloseCode.POLICY_VIOLATION, ""),
        Ending.IDLE: (CloseCode.POLICY_VIOLATION, ""),
        Ending.REPLACED: (CloseCode.REPLACED_BY_NEWER, REPLACED_BY_NEWER_REASON),
        Ending.STORE: (CloseCode.TRY_AGAIN_LATER, ""),
        Ending.SLOW_CONSUMER: (CloseCode.TRY_AGAIN_LATER, ""),
        Ending.DRAIN: (CloseCode.GOING_AWAY, ""),
    }
    codes = CORALMUX_CODES

    def __init__(self, mint: Callable[[], str], now_ms: Callable[[], int]) -> None:
        """Write frames of the relay with ids from ``mint`` (UUID, version 4) and times from ``now_ms``."""
        self._mint = mint
        self._now_ms = now_ms

    def ask(self, message: bytes) -> c.Command[object]:
        """Translate a frame. What is passed on is the message itself (CORAL-4).

        Raises:
            Unparsed: Not an envelope of this wire.
        """
        try:
            envelope = coralmux.decode(message)
        except coralmux.Malformed:
            raise Unparsed from None
        type_ = envelope.type
        if type_ in coralmux.FROM_AGENTS:
            return c.PassOn(frame=message, only=Role.AGENT)
        if type_ in coralmux.FROM_BOTH or type_.startswith(coralmux.FROM_BOTH_PREFIXES):
            return c.PassOn(frame=message)
        if type_ == coralmux.PING:
            return c.Ping()
        if type_ == coralmux.AUTH:
            auth = coralmux.decode_auth(envelope.payload)
            return c.Attend() if auth is None else c.Attend(token=auth.token or "", role=auth.role or "")
        return c.Ignore()  # not known, or only the relay may say it

    def answer(self, session: Session, command: c.Command[object], reply: c.Reply) -> Sequence[bytes]:  # noqa: ARG002
        """Translate a reply: one frame for an auth and for a ping, none for all else."""
        if type(reply) is c.Attended:
            usage = reply.usage
            ok = AuthOk(
                paired=reply.paired,
                daily_quota_bytes=usage.daily_quota_bytes,
                daily_used_bytes=usage.daily_used_bytes,
                monthly_quota_bytes=usage.monthly_quota_bytes,
                monthly_used_bytes=usage.monthly_used_bytes,
            )
            return (self._encode(ok),)
        return (self._encode(Pong()),) if type(reply) is c.Ponged else ()

    def refuse(self, session: Session, command: c.Command[object] | None, error: ExchangeError) -> bytes | None:  # noqa: ARG002
        """Translate a refusal into the words of CORAL-6 or CORAL-19; ``None`` if the store is to blame (CORAL-7)."""
        say = find(CORALMUX_FIRST, error) if session.state is State.ANONYMOUS else find(CORALMUX, error)[1]
        frame = say(error)
        return None if frame is None else self._encode(frame)

    def parts(self, session: Session, error: ExchangeError) -> Ending | None:
        """End the connection if the store could not be asked (CORAL-37), or if its first frame was refused (CORAL-6)."""
        if isinstance(error, Unavailable):
            return Ending.STORE
        return Ending.REFUSED if session.state is State.ANONYMOUS else None

    def tell(self, session: Session, event: Event) -> bytes | None:  # noqa: ARG002
        """Translate an event: a frame of the peer is what the peer sent, byte for byte (CORAL-4)."""
        return event.frame if type(event) is Relayed else self._encode(_STATUS[type(event)])

    def code(self, error: ExchangeError) -> str:
        """Return the short machine name of a refusal: one of ``codes``."""
        return find(CORALMUX, error)[0]

    def _encode(self, payload: Payload) -> bytes:
        return coralmux.encode(payload, id_=self._mint(), ts=self._now_ms())
