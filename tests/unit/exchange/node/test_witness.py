"""What happens on a node, as metrics and log count it."""

import pytest

from exchange.core.commands import Attend, CreateInvite, Identify, PassOn, Redeem, Send
from exchange.core.errors import (
    AskLimit,
    ContentMissing,
    DailyQuotaExceeded,
    ExchangeError,
    MonthlyQuotaExceeded,
    NameTaken,
    NotConnected,
    NotIdentified,
    PairingUnusable,
    PairUnknown,
    PeerAbsent,
    PeerBusy,
    RateExceeded,
    RoleForbidden,
    RoleUnknown,
    StorageUnavailable,
    TokenInvalid,
    TooLarge,
    TooManyAttempts,
    TooManyInvites,
    Unavailable,
    Unparsed,
)
from exchange.core.model import Kind
from exchange.core.session import Session
from exchange.dialects.errors import CODES
from exchange.dialects.magi1 import Magi1
from exchange.front import Ending
from exchange.metrics import Metrics
from exchange.node.witness import NodeWitness

MAGI = Magi1.name


class Journal:
    def __init__(self) -> None:
        self.lines: list[tuple[object, ...]] = []

    def forwarded(self, *what: object) -> None:
        self.lines.append(what)


class Rig:
    def __init__(self) -> None:
        self.metrics = Metrics(codes={MAGI: CODES})
        self.counts = self.metrics.hot[MAGI]
        self.journal = Journal()
        self.witness = NodeWitness(Magi1(), self.counts, self.metrics, self.journal)
        self.session = Session("client", dialect=MAGI, address="", since_ms=0)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_questions_and_answers_are_counted_apart_and_noted(rig):
    rig.witness.forwarded(Kind.QUESTION, "ann", "bob", 5)
    rig.witness.forwarded(Kind.ANSWER, "bob", "ann", 7)
    assert (rig.counts.asks_accepted, rig.counts.answers_accepted) == (1, 1)
    assert rig.journal.lines == [(1, "ann", "bob", 5), (2, "bob", "ann", 7)]


@pytest.mark.parametrize(
    ("error", "outcome"), [(None, "ok"), (NameTaken(), "refused"), (Unavailable(), "error")], ids=str
)
def test_a_command_is_counted_by_its_outcome(rig, error, outcome):
    rig.witness.handled(CreateInvite(), error, 0.01)
    assert rig.metrics.commands.value("create_invite", outcome) == 1


def test_a_send_is_not_counted_twice(rig):
    rig.witness.handled(Send(), None, 0.01)
    rig.witness.forwarded(Kind.QUESTION, "ann", "bob", 5)
    assert rig.metrics.commands.value("send", "ok") == 1


def test_a_refusal_is_counted_by_its_code(rig):
    rig.witness.refused(rig.session, Redeem(), NameTaken())
    assert rig.metrics.errors.value(MAGI, "name_taken") == 1
    assert rig.counts.malformed == 0


def test_a_refused_send_counts_among_messages_too(rig):
    rig.witness.refused(rig.session, Send(), NotConnected("Bob"))
    assert rig.metrics.errors.value(MAGI, "not_connected") == 1
    assert rig.metrics.envelopes.value(MAGI, "live", "not_connected") == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TooLarge(), "size"),
        (Unparsed(), "json"),
        (ContentMissing(), "schema"),
        (NotIdentified(), "state"),
        (AskLimit(1), "rate"),
    ],
    ids=str,
)
def test_a_message_without_an_effect_is_counted_by_its_fault(rig, error, reason):
    rig.witness.refused(rig.session, None, error)
    assert rig.metrics.frames_refused.value(MAGI, reason) == 1


def test_an_answer_about_the_state_of_the_exchange_is_no_fault_of_the_message(rig):
    rig.witness.refused(rig.session, Redeem(), NameTaken())
    assert all(not rig.metrics.frames_refused.value(*series) for series in rig.metrics.frames_refused.series)


@pytest.mark.parametrize(
    ("error", "limit"),
    [
        (AskLimit(1), ("user", "ask")),
        (TooManyAttempts(1), ("address", "redeem")),
        (TooManyInvites(1), ("user", "invite")),
        (RateExceeded(), ("pair", "rate")),
        (DailyQuotaExceeded(), ("pair", "day")),
        (MonthlyQuotaExceeded(), ("pair", "month")),
    ],
    ids=str,
)
def test_a_limit_that_bit_is_counted(rig, error, limit):
    rig.witness.refused(rig.session, None, error)
    assert rig.metrics.rate_limited.value(*limit) == 1


def test_an_event_of_an_invitation_is_counted(rig):
    rig.witness.invite("redeemed")
    assert rig.metrics.invites.value("redeemed") == 1


@pytest.mark.parametrize("ending", Ending)
def test_every_ending_of_a_connection_can_be_counted(rig, ending):
    rig.witness.closed(MAGI, ending, 12.0)
    assert rig.metrics.closes.value(MAGI, ending.value) == 1
    aborted = ending in {Ending.LIVENESS, Ending.SLOW_CONSUMER, Ending.FLOOD}
    assert rig.metrics.aborts.value(MAGI, ending.value) == aborted
    assert b'exchange_session_seconds_sum{dialect="magi"} 12.0' in rig.metrics.exposition("")[1]


# --- ends of pairs ---------------------------------------------------------------------------------------------------


class Pairing:
    """A dialect that only knows codes."""

    def code(self, error: ExchangeError) -> str:
        return "word"


@pytest.fixture
def pairing() -> Rig:
    rig = Rig()
    rig.metrics = Metrics(codes={MAGI: CODES, "pairs": ("word",)}, sends={"pairs": PassOn})
    rig.counts = rig.metrics.hot["pairs"]
    rig.witness = NodeWitness(Pairing(), rig.counts, rig.metrics, rig.journal)
    rig.session = Session("client", dialect="pairs", address="", since_ms=0)
    return rig


def test_a_frame_that_was_passed_on_is_not_counted_twice(pairing):
    pairing.witness.handled(PassOn(), None, 0.01)
    assert pairing.metrics.commands.value("pass_on", "ok") == 0
    pairing.counts.passed += 1
    assert pairing.metrics.commands.value("pass_on", "ok") == 1
    assert pairing.metrics.commands.value("send", "ok") == 0


@pytest.mark.parametrize(
    ("error", "outcome", "word"),
    [
        (RateExceeded(), "limited", "refused"),
        (DailyQuotaExceeded(), "limited", "refused"),
        (PeerAbsent(), "not_connected", "refused"),
        (PeerBusy(), "limited", "refused"),
        (RoleForbidden(), "not_linked", "refused"),
        (StorageUnavailable(), "unavailable", "error"),
    ],
    ids=str,
)
def test_a_frame_that_was_refused_counts_among_messages(pairing, error, outcome, word):
    pairing.witness.refused(pairing.session, PassOn(), error)
    assert getattr(pairing.counts, outcome) == 1
    assert pairing.metrics.commands.value("pass_on", word) == 1
    assert pairing.metrics.errors.value("pairs", "word") == 1


@pytest.mark.parametrize(
    ("command", "error", "kind"),
    [
        (Identify(), TokenInvalid(), "resume"),
        (Attend(), PairingUnusable(), "pairing"),
        (Attend(), PairUnknown(), "pairing"),
        (Attend(), RoleUnknown("watch"), "pairing"),
    ],
    ids=str,
)
def test_a_proof_that_was_refused_is_counted_and_is_no_message(pairing, command, error, kind):
    pairing.witness.refused(pairing.session, command, error)
    assert pairing.metrics.auth_failures.value(kind) == 1
    assert pairing.counts.malformed == 0


def test_whoever_says_something_before_it_proved_anything_gave_no_wrong_proof(pairing):
    pairing.witness.refused(pairing.session, PassOn(), NotIdentified())
    assert all(not pairing.metrics.auth_failures.value(*series) for series in pairing.metrics.auth_failures.series)
