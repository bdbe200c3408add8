"""Who may let what leave this machine, and who may change that (CLI-33, CLI-35, CLI-37).

Two tables. :data:`RULES` says what happens to a message that somebody wants to send: it leaves, waits for the owner, or is
refused. :data:`RIGHTS` says who may do anything else. Both know three speakers: the owner, an assistant (``model``) and the
responder (``auto``). An assistant can lower every right and raise none, and it is the daemon that looks here, whatever a
face says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final

from magi.client.model import Kind, Origin
from magi.desk.ports import Mode

THREAD_MS: Final = 30 * 24 * 3600 * 1000
"""How long the approval of a thread lasts: as long as its messages are kept (CLI-18)."""

PERSONAL_FACES: Final = frozenset({"cli"})
"""Faces that a person types at. All others speak for an assistant."""


class Standing(StrEnum):
    """How a friend stands at this moment: its mode, raised by an approval, capped by a pause."""

    MUTE = "mute"
    PAUSED = "paused"
    ASK = "ask"
    AUTO = "auto"


class Move(StrEnum):
    """What becomes of a message that somebody wants to send."""

    SEND = "send"
    HOLD = "hold"
    REFUSE = "refuse"


class Reason(StrEnum):
    """Why a message waits for the owner, or is refused."""

    MODE = "mode"
    PAUSED = "paused"
    SCAN = "scan"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one message. ``reason`` is set unless it leaves; then ``by`` and ``how`` are for the audit (CLI-36)."""

    move: Move
    reason: Reason | None = None
    by: str = ""
    how: str = ""


# --- messages --------------------------------------------------------------------------------------------------------

_SPEAKERS: Final = (Origin.HUMAN, Origin.MODEL, Origin.AUTO)
_SEND, _HOLD, _REFUSE = Move.SEND, Move.HOLD, Move.REFUSE

# A decline carries words like an answer does, and takes the question from the owner: the same rules.
_ANSWERS: Final[Mapping[Standing, tuple[Move, Move, Move]]] = {
    #                 human, model, auto
    Standing.MUTE: (_SEND, _REFUSE, _REFUSE),
    Standing.PAUSED: (_SEND, _HOLD, _HOLD),
    Standing.ASK: (_SEND, _HOLD, _HOLD),
    Standing.AUTO: (_SEND, _SEND, _SEND),
}
# The responder asks nothing: an answer that made itself never starts another question (CLI-37).
_ASKS: Final[Mapping[Standing, tuple[Move, Move, Move]]] = {
    Standing.MUTE: (_SEND, _REFUSE, _REFUSE),
    Standing.PAUSED: (_SEND, _HOLD, _REFUSE),
    Standing.ASK: (_SEND, _SEND, _REFUSE),
    Standing.AUTO: (_SEND, _SEND, _REFUSE),
}

SPOKEN: Final[Mapping[Kind, Mapping[Standing, tuple[Move, Move, Move]]]] = {
    Kind.ANSWER: _ANSWERS,
    Kind.DECLINE: _ANSWERS,
    Kind.ASK: _ASKS,
    Kind.NOTE: _ASKS,
}
"""Kinds that carry somebody's words. States are words of the program and need no consent; notices are never sent."""

RULES: Final[Mapping[tuple[Kind, Standing, Origin], Move]] = {
    (kind, standing, origin): move
    for kind, rows in SPOKEN.items()
    for standing, moves in rows.items()
    for origin, move in zip(_SPEAKERS, moves, strict=True)
}
"""What becomes of a message, by what it is, how the friend stands, and who speaks."""


def standing(mode: Mode, *, allowed: bool, paused: bool) -> Standing:
    """Return how a friend stands.

    Args:
        mode: As the owner set it.
        allowed: Whether an approval covers this answer: of its thread, or until midnight. It raises ``ask``, never ``mute``.
        paused: Whether a pause is on, or the friend's key changed. It outdoes every approval.
    """
    if mode is Mode.MUTE:
        return Standing.MUTE
    if paused:
        return Standing.PAUSED
    return Standing.AUTO if allowed or mode is Mode.AUTO else Standing.ASK


def verdict(kind: Kind, mode: Mode, origin: Origin, *, allowed: bool, paused: bool, leaks: bool) -> Verdict:
    """Decide about a message that somebody wants to send (CLI-33, CLI-34).

    Args:
        kind: One of :data:`SPOKEN`.
        mode: The friend's, as set.
        origin: Who speaks, as :func:`speaker` tells.
        allowed: As for :func:`standing`. It covers answers only.
        paused: As for :func:`standing`.
        leaks: Whether the scan found something. That holds the message whoever wrote it; only a review overrides it.
    """
    now = standing(mode, allowed=allowed, paused=paused)
    move = RULES[kind, now, origin]
    if move is Move.REFUSE:
        return Verdict(move, Reason.MODE)
    if leaks:
        return Verdict(Move.HOLD, Reason.SCAN)
    if move is Move.HOLD:
        return Verdict(move, Reason.PAUSED if now is Standing.PAUSED else Reason.MODE)
    if origin is Origin.HUMAN:
        return Verdict(move, by="owner", how="typed")
    how = "approval" if now is Standing.AUTO and mode is not Mode.AUTO else now.value
    return Verdict(move, by="responder" if origin is Origin.AUTO else "mode", how=how)


def reviewed(*, leaks: bool, override: bool) -> Verdict:
    """Decide about a draft that the owner approved, as it reads now."""
    if leaks and not override:
        return Verdict(Move.HOLD, Reason.SCAN)
    return Verdict(Move.SEND, by="owner", how="override" if leaks else "review")


def sees(mode: Mode, origin: Origin) -> bool:
    """Tell whether words of a friend may be shown to somebody: those of a muted one to the owner only."""
    return origin is Origin.HUMAN or mode is not Mode.MUTE


# --- approvals -------------------------------------------------------------------------------------------------------


class Approval(StrEnum):
    """How far the owner's yes to a draft goes."""

    ONCE = "once"
    THREAD = "thread"
    TODAY = "today"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Grant:
    """What an approval leaves behind: a mode to set, or what to allow until when, in one thread or (empty) in all."""

    mode: Mode | None = None
    until_ms: int = 0
    thread: str = ""


def grant(approval: Approval, *, thread: str, now: datetime) -> Grant | None:
    """Return what an approval leaves behind; ``None`` if it counts for this answer only.

    Args:
        approval: The owner's choice. ``thread`` of a message that has none counts once: it would cover everything.
        thread: That of the question.
        now: With the owner's time zone, whose midnight is meant.
    """
    match approval:
        case Approval.ONCE:
            return None
        case Approval.THREAD:
            return Grant(until_ms=_ms(now) + THREAD_MS, thread=thread) if thread else None
        case Approval.TODAY:
            return Grant(until_ms=_ms(datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo)))
        case Approval.ALWAYS:
            return Grant(mode=Mode.AUTO)


def _ms(when: datetime) -> int:
    return int(when.timestamp() * 1000)


# --- everything else -------------------------------------------------------------------------------------------------


class Act(StrEnum):
    """What else can be wanted of the desk."""

    READ = "read"  # the inbox, the record, friends, status
    CLAIM = "claim"
    DEFER = "defer"
    ACK = "ack"
    WITHDRAW = "withdraw"
    INVITE = "invite"
    CONNECT = "connect"
    ANNOUNCE = "announce"
    LOWER_MODE = "lower_mode"
    PAUSE = "pause"
    BLOCK = "block"
    UNFRIEND = "unfriend"
    RAISE_MODE = "raise_mode"
    RESUME = "resume"
    UNBLOCK = "unblock"
    RENAME = "rename"
    REVIEW = "review"
    VERIFY = "verify"
    SET_RESPONDER = "set_responder"


_OWNER: Final = frozenset({Origin.HUMAN})
_ASSISTANT: Final = frozenset({Origin.HUMAN, Origin.MODEL})

RIGHTS: Final[Mapping[Act, frozenset[Origin]]] = {
    Act.READ: _ASSISTANT,
    Act.CLAIM: _ASSISTANT,
    Act.DEFER: _ASSISTANT,
    Act.ACK: _ASSISTANT,
    Act.WITHDRAW: _ASSISTANT,
    Act.INVITE: _ASSISTANT,
    Act.CONNECT: _ASSISTANT,
    Act.ANNOUNCE: _ASSISTANT,
    # These only take rights away.
    Act.LOWER_MODE: _ASSISTANT,
    Act.PAUSE: _ASSISTANT,
    Act.BLOCK: _ASSISTANT,
    Act.UNFRIEND: _ASSISTANT,
    # These give some, or could pass one friend off as another (CLI-35).
    Act.RAISE_MODE: _OWNER,
    Act.RESUME: _OWNER,
    Act.UNBLOCK: _OWNER,
    Act.RENAME: _OWNER,
    Act.REVIEW: _OWNER,
    Act.VERIFY: _OWNER,
    Act.SET_RESPONDER: _OWNER,
}
"""Who may do it. The responder reads one question and answers it; it may do nothing else."""

_HEIGHT: Final = {Mode.MUTE: 0, Mode.ASK: 1, Mode.AUTO: 2}


def may(act: Act, origin: Origin) -> bool:
    """Tell whether somebody may do something."""
    return origin in RIGHTS[act]


def speaker(face: str, origin: str) -> Origin:
    """Return who speaks through a face: the owner only at a face that people type at. Nobody can claim to be the responder."""
    return Origin.HUMAN if origin == Origin.HUMAN and face in PERSONAL_FACES else Origin.MODEL


def changing(old: Mode, new: Mode) -> Act:
    """Return what it is to set a mode. Setting the same again lowers: it ends approvals."""
    return Act.RAISE_MODE if _HEIGHT[new] > _HEIGHT[old] else Act.LOWER_MODE


def pausing(until_ms: int, *, paused: bool) -> Act:
    """Return what it is to pause until then. During a pause it may end that one sooner, so it counts as resuming."""
    return Act.RESUME if paused or until_ms == 0 else Act.PAUSE
