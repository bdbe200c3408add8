"""What the hot path counts, as plain integers (OPS-24). ``exchange.metrics`` makes series of them at scrape."""

from exchange.core.errors import (
    Conflict,
    ExchangeError,
    Limited,
    MailboxFull,
    Malformed,
    Missing,
    NoFriends,
    Refused,
    TooLarge,
    Unauthorized,
    Unavailable,
)

OUTCOMES: dict[type[ExchangeError], str] = {
    ExchangeError: "error",
    Malformed: "malformed",
    Unauthorized: "malformed",
    TooLarge: "malformed",
    Refused: "not_linked",
    NoFriends: "not_linked",
    Missing: "not_connected",
    Limited: "limited",
    MailboxFull: "full",
    Conflict: "conflict",
    Unavailable: "unavailable",
}
"""What became of a message that was refused, by the class of the refusal or its nearest ancestor here."""


class HotCounts:
    """Counts of one wire on one node since the start. Whoever does the work adds to them: ``hot.frames_in += 1``."""

    __slots__ = (
        "answers_accepted",
        "asks_accepted",
        "conflict",
        "duplicate",
        "error",
        "frames_in",
        "frames_out",
        "full",
        "limited",
        "live_fenced",
        "live_full",
        "live_gone",
        "live_late",
        "live_unlinked",
        "mail_acked",
        "mail_given",
        "mail_given_again",
        "malformed",
        "not_connected",
        "not_linked",
        "passed",
        "passed_bytes",
        "reconciled_links",
        "reconciled_mail",
        "rollbacks",
        "stored_answers",
        "stored_asks",
        "unavailable",
        "wakes_envelope",
        "wakes_linked",
        "wakes_mail",
        "wakes_passed_on",
        "wakes_peer",
        "wakes_replaced",
        "wakes_unlinked",
    )

    def __init__(self) -> None:
        # Messages of the WebSocket, both ways.
        self.frames_in = 0
        self.frames_out = 0
        # What became of each ask, answer or frame, at the sender's node.
        self.asks_accepted = 0
        self.answers_accepted = 0
        # Of these, the ones that went through a mailbox.
        self.stored_asks = 0
        self.stored_answers = 0
        # Frames of one end of a pair that are on their way to the other, and their bytes.
        self.passed = 0
        self.passed_bytes = 0
        self.duplicate = 0
        self.conflict = 0
        self.full = 0
        self.not_linked = 0
        self.not_connected = 0
        self.limited = 0
        self.unavailable = 0
        self.error = 0
        # Asks and answers that were none: the client's mistake, which no objective counts as a message.
        self.malformed = 0
        # Wakes read, at the recipient's node, by what they carry.
        self.wakes_envelope = 0
        self.wakes_linked = 0
        self.wakes_unlinked = 0
        self.wakes_mail = 0
        self.wakes_replaced = 0
        self.wakes_passed_on = 0
        self.wakes_peer = 0
        # Mail given to sockets here, for the first time and again in a later session, and acknowledged.
        self.mail_given = 0
        self.mail_given_again = 0
        self.mail_acked = 0
        # What the safety net found (expected 0), and mailboxes that went back.
        self.reconciled_mail = 0
        self.reconciled_links = 0
        self.rollbacks = 0
        # Envelopes that reached the recipient's node and no socket.
        self.live_gone = 0
        self.live_unlinked = 0
        self.live_late = 0
        self.live_fenced = 0
        self.live_full = 0

    def refused(self, error: ExchangeError) -> None:
        """Count an ask or answer that was refused."""
        outcome = next(OUTCOMES[kind] for kind in type(error).__mro__ if kind in OUTCOMES)
        setattr(self, outcome, getattr(self, outcome) + 1)
