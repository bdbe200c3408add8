"""How much is too much: open questions of ours, and what the responder may do (CLI-38, CLI-40). Counts in, a rule out."""

from enum import StrEnum
from typing import Final

# --- asking ----------------------------------------------------------------------------------------------------------

OPEN_ASKS_MOST: Final = 20
"""Asks to one friend without a final state."""
SAME_TEXT_MS: Final = 10 * 60 * 1000
"""For how long the same text to the same friend is a repeat."""


class AskLimit(StrEnum):
    """Why an ask is refused. The value is what a person or an assistant reads."""

    OPEN = f"{OPEN_ASKS_MOST} questions to this friend are open. Wait for answers, or withdraw some. Nothing was sent."
    SAME = "The same text went to this friend within the last 10 minutes. Nothing was sent."


def ask_limit(*, open_count: int, said_before: bool) -> AskLimit | None:
    """Return the rule that forbids one more ask, or ``None``.

    Args:
        open_count: Asks to this friend without a final state; notes want no answer and do not count.
        said_before: Whether this very text was put for this friend within ``SAME_TEXT_MS``; holds for notes too.
    """
    if said_before:
        return AskLimit.SAME
    return AskLimit.OPEN if open_count >= OPEN_ASKS_MOST else None


# --- the responder ---------------------------------------------------------------------------------------------------

RESPONDER_SECONDS: Final = 120.0
"""How long it may take; then it is asked to end."""
RESPONDER_GRACE_SECONDS: Final = 5.0
"""How long after that it is killed."""
RESPONDER_TRIES: Final = 2
"""How often it is started for one question before the owner is asked."""
RESPONDER_AT_ONCE: Final = 2
RESPONDER_AT_ONCE_PER_FRIEND: Final = 1
RESPONDER_A_DAY_PER_FRIEND: Final = 50
DAY_MS: Final = 24 * 3600 * 1000
ANSWER_BYTES: Final = 16 << 10
"""Of its output, as UTF-8, the mark of the cut included."""
CUT_MARK: Final = "\n[cut]"


class Turn(StrEnum):
    """Whether the responder takes a question."""

    NOW = "now"
    LATER = "later"
    OWNER = "owner"  # not today, or not any more: the owner is asked


def responder_turn(*, tries: int, running: int, running_for_friend: int, answered_in_a_day: int) -> Turn:
    """Tell whether the responder takes a question.

    Args:
        tries: How often it was started for this question.
        running: How many are running now.
        running_for_friend: How many of these for this friend.
        answered_in_a_day: Answers and declines that it sent or drafted to this friend within ``DAY_MS``.
    """
    if tries >= RESPONDER_TRIES or answered_in_a_day >= RESPONDER_A_DAY_PER_FRIEND:
        return Turn.OWNER
    if running >= RESPONDER_AT_ONCE or running_for_friend >= RESPONDER_AT_ONCE_PER_FRIEND:
        return Turn.LATER
    return Turn.NOW


def cut_answer(output: bytes) -> str:
    """Return what a responder wrote as text of at most ``ANSWER_BYTES``; a longer one ends with ``CUT_MARK``.

    What is not UTF-8 is replaced, surrounding white space left out.
    """
    # A replacement character is longer than the byte it stands for, so the length is taken after decoding.
    text = output.decode("utf-8", "replace").strip()
    whole = text.encode()
    if len(whole) <= ANSWER_BYTES:
        return text
    return whole[: ANSWER_BYTES - len(CUT_MARK.encode())].decode("utf-8", "ignore") + CUT_MARK
