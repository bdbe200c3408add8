"""The log of forwarded messages: up to tens of thousands a second, so most of them are only counted.

In every second the first ``per_second_count`` messages get a line each; one more line a kind counts the rest. What
happens per message is a number that goes down or a number that goes up.
"""

import time

import structlog

from exchange.core.model import Kind

log = structlog.get_logger()

_ONE = {Kind.QUESTION: "question.forwarded", Kind.ANSWER: "answer.forwarded"}
_REST = {Kind.QUESTION: "questions.forwarded", Kind.ANSWER: "answers.forwarded"}


class Journal:
    """Notes what was forwarded on this node. Memory is bounded by ``per_second_count``, however rarely it is flushed."""

    __slots__ = ("_kept", "_per_second_count", "_rest", "_room", "_window_ends")

    def __init__(self, per_second_count: int = 100) -> None:
        self._per_second_count = per_second_count
        self._room = per_second_count
        self._kept: list[tuple[int, str, str, int, float]] = []
        self._rest = [0] * (max(Kind) + 1)
        self._window_ends = 0.0

    def forwarded(self, kind: int, sender: str, recipient: str, characters: int) -> None:
        """Note a message. The hot path.

        Args:
            kind: A ``Kind``.
            sender: Username in the clear; it is masked when the line is made.
            recipient: The same of the other one.
            characters: Length of the content (MAGI-43).
        """
        if self._room:
            self._room -= 1
            self._kept.append((kind, sender, recipient, characters, time.time()))
        else:
            self._rest[kind] += 1

    def flush(self, now: float) -> None:
        """Write the lines of what was noted. Called several times a second.

        Args:
            now: Any steady clock, in seconds; infinity at the end, so that nothing stays uncounted.
        """
        kept, self._kept = self._kept, []
        for kind, sender, recipient, characters, at in kept:
            log.info(_ONE[Kind(kind)], sender=sender, recipient=recipient, characters=characters, at_ms=int(at * 1000))
        if now < self._window_ends:
            return
        self._window_ends = now + 1.0
        self._room = self._per_second_count
        for kind, event in _REST.items():
            if count := self._rest[kind]:
                self._rest[kind] = 0
                log.info(event, count=count, note="rate")
