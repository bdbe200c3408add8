"""A fixed window of failures, kept on the session itself (MAGI-30: per connection)."""

from exchange.core.session import Session


def failures(session: Session, now: float, window_seconds: float) -> int:
    """Return how many failures count now; an old window starts over. ``now`` is any steady clock in seconds."""
    if now - session.failures_since >= window_seconds:
        session.failures = 0
    return session.failures


def fail(session: Session, now: float, window_seconds: float) -> None:
    """Count one failure. The first one of a window starts it."""
    if failures(session, now, window_seconds) == 0:
        session.failures_since = now
    session.failures += 1
