"""The loop guard: machines that only talk to each other stop (CLI-37, CLI-39).

A trace goes along with an ask, and with every ask that comes of it. Each daemon on its way adds a mark, and knows its own
again: an ask that comes back to where it has been is refused, and so is one that went too far, or took too many turns since
a person acted. To everybody else a mark is noise, other for each trace, so it tells nobody who was asked before.

::

    alice types     {id: t, marks: [a],       turn: 0}   -> bob
    bob's model     {id: t, marks: [a, b],    turn: 1}   -> carol
    carol's model   {id: t, marks: [a, b, c], turn: 2}   -> alice refuses: a is hers
"""

import hmac
from enum import StrEnum
from typing import Final

from magi.client.model import Kind, Origin, Trace

MARKS_MOST: Final = 4
TURNS_MOST: Final = 8
MARK_BYTES: Final = 8

STARTING: Final = frozenset({Kind.ASK})
"""Kinds that may start anything here: an assistant, the responder. Answers, declines, notes and states do not (CLI-37)."""


class Loop(StrEnum):
    """Why an ask is refused. The value is what a person or an assistant reads."""

    RETURNED = "This question came back to where it started. A person has to ask it again."
    FAR = f"This question went through {MARKS_MOST} assistants already. A person has to ask it again."
    LONG = f"Assistants took {TURNS_MOST} turns since a person acted. A person has to go on."


def mark(secret: bytes, trace_id: str) -> str:
    """Return our mark on a trace, 16 hexadecimal digits. ``secret`` is 32 random bytes that never leave this machine."""
    return hmac.digest(secret, trace_id.encode("utf-8", "surrogatepass"), "sha256")[:MARK_BYTES].hex()


def extended(parent: Trace | None, origin: Origin, *, secret: bytes, fresh_id: str) -> Trace:
    """Return the trace of an ask of ours. Check it with :func:`outgoing` before it is sent.

    A person who asks begins a new trace: that is what ends a loop. So does an assistant whose ask comes of nothing.

    Args:
        parent: Of the question here that the ask comes of, or of our own ask whose answer led to it; ``None`` if there is
            none, or if a person acted since.
        origin: Who asks.
        secret: As for :func:`mark`.
        fresh_id: A random id, used if a new trace begins.
    """
    if origin is Origin.HUMAN:
        return Trace(fresh_id, (mark(secret, fresh_id),), 0)
    turn = max(0, parent.turn) + 1 if parent else 1
    if parent is None or not parent.id:
        return Trace(fresh_id, (mark(secret, fresh_id),), turn)
    ours = mark(secret, parent.id)
    # A further ask of ours on the same trace does not go through us twice.
    marks = parent.marks if parent.marks[-1:] == (ours,) else (*parent.marks, ours)
    return Trace(parent.id, marks, turn)


def incoming(trace: Trace, *, secret: bytes) -> Loop | None:
    """Return why an ask that came is refused, or ``None``. Plain friends send no trace; that is never refused."""
    if trace.id and mark(secret, trace.id) in trace.marks:
        return Loop.RETURNED
    return _worn(trace)


def outgoing(trace: Trace, *, secret: bytes) -> Loop | None:
    """Return why an ask of ours is refused, or ``None``. Our own mark is last on its trace, and nowhere else."""
    if mark(secret, trace.id) in trace.marks[:-1]:
        return Loop.RETURNED
    return _worn(trace)


def _worn(trace: Trace) -> Loop | None:
    if len(trace.marks) > MARKS_MOST:
        return Loop.FAR
    # No sender counts below zero, so such a count is a trick.
    return None if 0 <= trace.turn <= TURNS_MOST else Loop.LONG
