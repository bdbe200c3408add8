"""The mAgi wire, version 1, in terms of commands and events."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import UNSET, Raw

from exchange.core import commands as c
from exchange.core.errors import ExchangeError, Limited, Malformed, NotGranted, UnknownRequest, Unparsed
from exchange.core.events import Delivered, Event
from exchange.core.features import OFFLINE
from exchange.core.model import Kind
from exchange.core.session import NEEDED, Session
from exchange.dialects.errors import CODES, code_of, lookup
from exchange.dialects.magi1_frames import ANSWER, TELL, delivered
from exchange.dialects.magi1_requests import ASK, Misfit
from exchange.front import Ending
from magi.wire import magi1
from magi.wire.codes import INACTIVITY_REASON, REPLACED_REASON, CloseCode
from magi.wire.magi1_frames import AnswerSent, Error, QuestionSent

_encode: Final = magi1.encode
_question: Final = int(Kind.QUESTION)


class Magi1:
    """The dialect of :mod:`magi.wire.magi1`. Holds no state; one object serves all sessions."""

    name = "magi"
    tells: frozenset[type[Event]] = frozenset({Delivered, *TELL})
    closes: Mapping[Ending, tuple[int, str]] = {
        Ending.IDLE: (CloseCode.INACTIVITY, INACTIVITY_REASON),
        Ending.DRAIN: (CloseCode.GOING_AWAY, ""),
        Ending.REPLACED: (CloseCode.NORMAL, REPLACED_REASON),
        Ending.STORE: (CloseCode.TRY_AGAIN_LATER, ""),
    }
    codes = CODES

    def ask(self, message: bytes) -> c.Command[object]:
        """Translate a request.

        Raises:
            Unparsed: Not JSON, or not a JSON this wire can hold.
            Malformed: JSON ``null``, or an unusable message id.
            UnknownRequest: No request of this wire.
            Misfit: A request of section 12 with a value that cannot be used.
        """
        try:
            frame = magi1.decode(message)
        except magi1.Malformed as error:
            raise (Malformed if error.parsed else Unparsed) from None
        except magi1.UnknownType as error:
            raise UnknownRequest(error.type) from None
        return ASK[type(frame)](frame)

    def answer(self, session: Session, command: c.Command[object], reply: c.Reply) -> Sequence[bytes]:
        """Translate a reply: one message; two for a redeem that identified first (MAGI-8), none for an ack."""
        if type(reply) is c.Sent:
            assert isinstance(command, c.Send)
            sent = QuestionSent if reply.kind == _question else AnswerSent
            frame = sent(Raw(command.body or b"null"), reply.nick, command.id or UNSET)
            if reply.status and OFFLINE in session.features:
                frame.status = reply.status
            return (_encode(frame),)
        return [_encode(frame) for frame in ANSWER[type(reply)](session, command, reply)]

    def refuse(self, session: Session, command: c.Command[object] | None, error: ExchangeError) -> bytes:
        """Translate a refusal into the exact text of section 5; extended clients get its machine name too.

        Whoever asks for something that needs a feature it does not have is told what every unknown request is told.
        """
        id_ = "" if command is None or isinstance(error, NotGranted) else command.id
        if isinstance(error, Misfit):
            if NEEDED[error.request] in session.features:
                id_, error = error.id, error.fault
            else:
                error = error.unknown()
        code, text = lookup(error)
        frame = Error(text(error, command), id_ or UNSET)
        if session.features:
            frame.code = code
            if isinstance(error, Limited) and error.retry_after_ms:
                frame.retryAfterMs = error.retry_after_ms
        return _encode(frame)

    def parts(self, session: Session, error: ExchangeError) -> None:
        """No refusal ends a connection here."""

    def tell(self, session: Session, event: Event) -> bytes | None:
        """Translate an event; ``None`` if a session without the features of this one has no words for it."""
        if type(event) is Delivered:
            return delivered(session, event)
        frame = TELL[type(event)](session, event)
        return None if frame is None else _encode(frame)

    def code(self, error: ExchangeError) -> str:
        """Return the short machine name of a refusal: one of ``exchange.dialects.errors.CODES``."""
        return code_of(error)
