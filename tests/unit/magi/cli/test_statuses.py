"""What the program ends with."""

import inspect

import pytest
from msgspec.structs import replace

from magi.cli.statuses import STATES, TABLE, Status, row_of, status_of_ask, status_of_sending
from magi.client import errors
from magi.client.errors import MagiError, Refused
from magi.client.refusals import TABLE as REFUSALS
from magi.client.states import FINAL, State
from magi.daemon import port
from magi.daemon.port import DaemonAway, DeskError
from tests.harness.fake_desk import ASK

EVERY_ERROR = {
    kind
    for module in (errors, port)
    for kind in vars(module).values()
    if inspect.isclass(kind) and issubclass(kind, (MagiError, DeskError))
}


def test_every_error_has_a_row_of_its_own():
    assert set(TABLE) == EVERY_ERROR


def test_every_state_has_a_status():
    assert set(STATES) == set(State)
    assert {STATES[state] for state in set(State) - FINAL} == {Status.OPEN, Status.UNSURE, Status.HELD}


def test_the_statuses_are_those_of_the_documents():
    # CLI-31
    assert {one.name: one.value for one in Status} == {
        "DONE": 0,
        "ERROR": 1,
        "USAGE": 2,
        "OPEN": 3,
        "DECLINED": 4,
        "EXPIRED": 5,
        "UNSURE": 6,
        "REFUSED": 7,
        "AWAY": 8,
        "UNSET": 9,
        "HELD": 10,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    "kind",
    sorted({kind for kind, _ in REFUSALS.values()}, key=lambda kind: kind.__name__),
    ids=lambda kind: kind.__name__,
)
def test_what_the_exchange_refuses_is_never_an_error_of_ours(kind):
    assert row_of(kind("text")).status in {Status.REFUSED, Status.UNSURE, Status.AWAY}


def test_an_error_of_a_class_unknown_here_counts_as_its_nearest_ancestor():
    class TooLate(Refused):
        """A newer one."""

    assert row_of(TooLate()).status == Status.REFUSED


def test_an_error_of_the_desk_brings_its_status():
    assert row_of(DeskError("no", 10)).status == Status.HELD
    assert row_of(DeskError("no")).status == Status.ERROR
    assert not row_of(DaemonAway()).undone


def test_a_friend_that_is_away_is_no_refusal():
    failed = replace(ASK, state="failed")
    assert status_of_ask(replace(failed, detail="Bob is not connected")) == Status.UNSURE
    assert status_of_ask(replace(failed, detail="No active connection with bob")) == Status.REFUSED
    assert status_of_ask(replace(failed, detail="something new")) == Status.REFUSED


@pytest.mark.parametrize(
    ("state", "status"),
    [
        *((state, Status.DONE) for state in ("queued", "delivered", "arrived", "held", "seen", "stalled", "answered")),
        ("pending", Status.OPEN),
        ("unknown", Status.UNSURE),
        ("held_here", Status.HELD),
        ("expired", Status.EXPIRED),
        ("failed", Status.REFUSED),
    ],
)
def test_something_that_waits_for_no_answer_is_done_with_its_receipt(state, status):
    assert status_of_sending(replace(ASK, state=state)) == status
