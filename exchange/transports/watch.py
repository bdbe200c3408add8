"""Judges one socket's peer: is it there, does it read, does it use the socket, does it flood? Pure; the socket acts.

Times are seconds of one steady clock. A rule of 0 seconds is off.
"""

from enum import Enum, auto

from exchange.front import SocketRules


class Due(Enum):
    """What must be done about the peer now."""

    PING = auto()
    STALLED = auto()  # it takes none of our output
    SILENT = auto()  # neither pong nor data came (MAGI-5)
    IDLE = auto()  # no whole message went either way (MAGI-33, CORAL-6)


class Watch:
    """What is remembered of one peer between two looks, about a second apart."""

    __slots__ = ("_busy_at", "_heard_at", "_ping_at", "_rules", "_taken_at", "_taken_bytes", "_tokens", "_tokens_at")

    def __init__(self, rules: SocketRules, now: float) -> None:
        self._rules = rules
        self._heard_at = self._busy_at = self._taken_at = self._tokens_at = now
        self._ping_at = now + rules.ping_seconds
        self._taken_bytes = 0
        self._tokens: float = rules.control_burst

    def adopt(self, rules: SocketRules, now: float) -> None:
        """Judge by other rules from now on. What was seen so far counts under them."""
        self._rules = rules
        self._ping_at = now + rules.ping_seconds

    def look(
        self, now: float, *, heard: bool, busy: bool, paused: bool, written_bytes: int, waiting_bytes: int
    ) -> Due | None:
        """Return the most urgent thing that is due.

        Args:
            now: The time.
            heard: Whether anything came since the last look.
            busy: Whether a whole message came or went since the last look.
            paused: Whether nothing is read now: then nothing can be heard, and pongs would pile up.
            written_bytes: All output ever given to the transport.
            waiting_bytes: What of it the kernel has not taken.
        """
        rules = self._rules
        taken_bytes = written_bytes - waiting_bytes
        # More, not other: TLS makes what waits longer than what was written, so the difference may shrink.
        if not waiting_bytes or taken_bytes > self._taken_bytes:
            self._taken_bytes, self._taken_at = taken_bytes, now
        elif 0 < rules.stall_seconds <= now - self._taken_at:
            return Due.STALLED
        if heard or paused:
            self._heard_at = now
        elif 0 < rules.silence_seconds <= now - self._heard_at:
            return Due.SILENT
        if busy:
            self._busy_at = now
        elif 0 < rules.idle_seconds <= now - self._busy_at:
            return Due.IDLE
        if rules.ping_seconds and now >= self._ping_at and not paused:
            self._ping_at = now + rules.ping_seconds
            return Due.PING
        return None

    def allow_control(self, now: float) -> bool:
        """Take a token for a control frame of the peer; ``False`` if it sent too many."""
        rules = self._rules
        tokens = min(rules.control_burst, self._tokens + (now - self._tokens_at) * rules.control_per_second)
        self._tokens, self._tokens_at = tokens - 1, now
        return tokens >= 1
