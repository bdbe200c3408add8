"""Close codes of the wires (MAGI-7; CORAL-6, CORAL-25) and the two that RFC 6455 itself prescribes for broken framing."""

from enum import IntEnum


class CloseCode(IntEnum):
    """Why a socket was closed, as its peer sees it."""

    NORMAL = 1000  # also: the session goes on over another connection (MAGI-46)
    GOING_AWAY = 1001  # orderly shutdown: come back, elsewhere if possible
    PROTOCOL_ERROR = 1002  # RFC 6455 section 7.4.1: the framing is broken, no wire was reached
    INVALID_DATA = 1007  # RFC 6455 section 8.1: a text message that is not UTF-8
    POLICY_VIOLATION = 1008  # CORAL-6: not proved, or not valid any more
    TOO_BIG = 1009
    TRY_AGAIN_LATER = 1013  # the exchange cannot serve now: come back after a second or more
    INACTIVITY = 4000  # MAGI-33
    REPLACED_BY_NEWER = 4001  # CORAL-25


INACTIVITY_REASON = "Inactivity timeout"
REPLACED_REASON = "Session continues elsewhere"
"""With ``NORMAL``: somebody came back with the token of this session. Whoever reads this should not come back by itself."""
REPLACED_BY_NEWER_REASON = "Replaced by a newer connection"
