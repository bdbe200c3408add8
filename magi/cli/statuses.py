"""What the program ends with: one table from error to exit status and advice (CLI-31, CLI-32)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from magi.client import errors
from magi.client.refusals import error_of
from magi.client.states import State
from magi.daemon.port import AskView, DaemonAway, DeskError
from magi.wire.magi1_frames import Error


class Status(IntEnum):
    """Why the program ended."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    OPEN = 3
    DECLINED = 4
    EXPIRED = 5
    UNSURE = 6  # the friend is away, or nobody knows what became of it
    REFUSED = 7
    AWAY = 8
    UNSET = 9
    HELD = 10
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Row:
    """What one error means for whoever typed the command.

    ``advice`` is what to do now. ``undone`` tells whether it is certain that the command did nothing; else the error itself
    says what became of it.
    """

    status: Status
    advice: str = ""
    undone: bool = True


TABLE: Final[dict[type[Exception], Row]] = {
    errors.MagiError: Row(Status.ERROR),
    errors.NotConnected: Row(Status.AWAY, "Look at the network and the address: magi status --settings"),
    errors.Displaced: Row(Status.AWAY, "An identity lives on one machine. End the other one, then: magi daemon stop"),
    errors.NameTaken: Row(Status.REFUSED, "Take another name: magi register -u NAME -p PROFILE"),
    errors.TokenRefused: Row(Status.REFUSED, "Wait until the exchange frees the name, or register another."),
    errors.Refused: Row(Status.REFUSED),
    errors.NotFriends: Row(Status.REFUSED, "See magi friends. To become friends: magi invite"),
    errors.FriendAway: Row(Status.UNSURE, "Try again later."),
    errors.InviteRefused: Row(Status.REFUSED, "Ask for a new code: they run magi invite."),
    errors.RateLimited: Row(Status.REFUSED, "Wait a little."),
    errors.TooLarge: Row(Status.REFUSED, "Say it in fewer words, or in parts."),
    errors.Unavailable: Row(Status.AWAY, "Try again in a moment."),
    errors.OutcomeUnknown: Row(Status.UNSURE, "Look before you repeat it: magi history", undone=False),
    errors.StillOpen: Row(Status.OPEN, "Look later: magi inbox", undone=False),
    errors.Declined: Row(Status.DECLINED, undone=False),
    errors.Expired: Row(Status.EXPIRED, undone=False),
    errors.AlreadySettled: Row(Status.ERROR, "See what was said: magi history"),
    errors.BadFrame: Row(Status.ERROR, "Is there an exchange at this address? magi status", undone=False),
    errors.StoreLocked: Row(Status.ERROR, "See who: magi daemon status"),
    errors.ProfileError: Row(Status.UNSET),
    DeskError: Row(Status.ERROR),
    DaemonAway: Row(Status.ERROR, "Try again; if it comes back: magi daemon status", undone=False),
}
"""Looked up along the classes of an error, nearest first."""

STATES: Final[dict[State, Status]] = {
    State.HELD_HERE: Status.HELD,
    State.PENDING: Status.OPEN,
    State.UNKNOWN: Status.UNSURE,
    State.QUEUED: Status.OPEN,
    State.DELIVERED: Status.OPEN,
    State.ARRIVED: Status.OPEN,
    State.HELD: Status.OPEN,
    State.SEEN: Status.OPEN,
    State.STALLED: Status.OPEN,
    State.ANSWERED: Status.DONE,
    State.DECLINED: Status.DECLINED,
    State.EXPIRED: Status.EXPIRED,
    State.WITHDRAWN: Status.ERROR,
    State.FAILED: Status.REFUSED,
}
"""Of a question that was to be answered."""


def row_of(error: Exception) -> Row:
    """Return what is known of an error."""
    row = next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)
    own = error.exit_status if isinstance(error, DeskError) else Status.ERROR
    return row if own == Status.ERROR else Row(Status(own), row.advice, row.undone)


def status_of_ask(ask: AskView) -> Status:
    """Return how a question stands, as an exit status."""
    state = State(ask.state)
    return status_of_failure(ask) if state is State.FAILED else STATES[state]


def status_of_sending(ask: AskView) -> Status:
    """Return whether something that waits for no answer is on its way: a receipt is all there is to wait for."""
    state = State(ask.state)
    if state in {State.PENDING, State.UNKNOWN, State.HELD_HERE, State.EXPIRED, State.WITHDRAWN, State.FAILED}:
        return status_of_ask(ask)
    return Status.DONE


def status_of_failure(ask: AskView) -> Status:
    """Return what the exchange's own words mean: a plain friend that is away is no refusal."""
    return row_of(error_of(Error(message=ask.detail))).status
