"""RESP2 on the wire: packing commands, reading replies, and what an error reply means to us. hiredis does the work."""

import re
from collections.abc import Callable
from typing import Any, cast

import hiredis

from exchange.core.errors import StorageUnavailable

Word = bytes | str | int | float
Command = tuple[Word, ...]

ReplyError = hiredis.ReplyError
ProtocolError = hiredis.ProtocolError

EMPTY = object()
"""What a reader returns while it holds no whole reply; nothing that a server says is this."""

pack = cast(Callable[[Command], bytes], hiredis.pack_command)
"""Turn a command into bytes: 0.3 µs for a PUBLISH. Text is UTF-8.

Raises TypeError for other types (``bool`` and ``None`` among them) and UnicodeEncodeError for lone surrogates.
"""

REFUSALS = frozenset(
    {"BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "NOSCRIPT", "OOM", "READONLY", "TRYAGAIN"}
)
"""Error kinds with which the server says that it cannot do this now, not that we asked for nonsense."""

_KIND = re.compile(r"[A-Z]{2,20}(?= |$)")


def reader(refused: Callable[[str], Exception] = ReplyError) -> hiredis.Reader:
    """Return a parser: ``feed`` it bytes, ask ``gets`` until it says ``EMPTY``. ``refused`` makes the error replies."""
    return hiredis.Reader(replyError=refused, notEnoughData=EMPTY)


def kind(error: object) -> str:
    """Return the first word of an error reply, such as ``OOM``, or ``OTHER`` if it has no such word."""
    match = _KIND.match(str(error))
    return match[0] if match else "OTHER"


def failure(error: Exception) -> Exception:
    """Return what to raise for an error reply: ``StorageUnavailable`` for a refusal, ``RuntimeError`` for our own bug.

    A refusal comes before the command did anything, unless a script met it half-way: then nobody knows.
    """
    if kind(error) in REFUSALS:
        return StorageUnavailable(sent="script:" in str(error))
    # An unknown command is quoted with its arguments, and those may be content.
    return RuntimeError(f"redis: {str(error).partition(', with args')[0]}")


def answer(reply: object) -> Any:
    """Return a reply, or raise what it stands for: a ``StorageUnavailable`` itself, an error reply's ``failure``."""
    if isinstance(reply, StorageUnavailable):
        raise reply
    if isinstance(reply, ReplyError):
        raise failure(reply) from reply
    return reply
