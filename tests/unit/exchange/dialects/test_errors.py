"""Twin of ``exchange/dialects/errors.py``: what each wire says, word for word (that of CoralMux in ``test_coralmux.py``)."""

import re

import pytest

from exchange.core import errors as e
from exchange.core.commands import (
    Ack,
    Block,
    Command,
    Confirm,
    CreateInvite,
    Identify,
    ListFriends,
    ReadHistory,
    Redeem,
    Send,
    SetPresence,
    Unblock,
    Unfriend,
)
from exchange.core.model import Kind
from exchange.dialects.errors import CODES, CORALMUX, CORALMUX_CODES, CORALMUX_FIRST, MAGI1, code_of, find, lookup

ASK = Send(kind=Kind.QUESTION)
ANSWER = Send(kind=Kind.ANSWER)

TEXTS: list[tuple[e.ExchangeError, Command[object] | None, str, str]] = [
    (e.Malformed(), None, "malformed", "Invalid message format"),
    (e.Unparsed(), None, "malformed", "Invalid message format"),
    (e.ContentMissing(), ASK, "malformed", "Invalid message format"),
    (e.UnknownRequest("ping"), None, "unknown_type", "Unknown message type: ping"),
    (e.UnknownRequest("undefined"), None, "unknown_type", "Unknown message type: undefined"),
    (e.NotGranted("offline"), Ack(), "unknown_type", "Unknown message type: ack"),
    (e.NotGranted("persist"), ListFriends(), "unknown_type", "Unknown message type: friends"),
    (e.NotGranted("persist"), Unfriend(), "unknown_type", "Unknown message type: unfriend"),
    (e.NotGranted("persist"), Block(), "unknown_type", "Unknown message type: block"),
    (e.NotGranted("persist"), Unblock(), "unknown_type", "Unknown message type: unblock"),
    (e.NotGranted("presence"), SetPresence(), "unknown_type", "Unknown message type: presence"),
    (e.NotGranted("history"), ReadHistory(), "unknown_type", "Unknown message type: history"),
    (e.NotGranted("persist"), Confirm(), "unknown_type", "Unknown message type: confirm"),
    (e.NotGranted("presence"), None, "unknown_type", "Unknown message type: undefined"),
    (e.Unusable("upTo"), Ack(), "unusable", "Invalid value for upTo"),
    (e.TokenInvalid(), Identify(), "token_invalid", "Resume token is not valid"),
    (e.NameUnusable(), Identify(), "name_unusable", "Username is required"),
    (e.NameTaken(), Identify(), "name_taken", "Username already taken"),
    (e.NotIdentified(), CreateInvite(), "not_identified", "Please identify yourself first using the identify message"),
    (e.NotIdentified(), Redeem(), "not_identified", "Please identify yourself first"),
    (e.NotIdentified(), ASK, "not_identified", "Please identify yourself first"),
    (e.NotIdentified(), ANSWER, "not_identified", "Please identify yourself first"),
    (e.InviteUnknown(), Redeem(), "invite_unknown", "Invalid or expired invitation code"),
    (e.InviteExpired(), Redeem(), "invite_expired", "Invitation code has expired"),
    (e.OwnInvite(), Redeem(), "own_invite", "Cannot connect to your own invitation"),
    (e.UserUnknown("eve"), ASK, "user_unknown", "User 'eve' not found or not connected"),
    (e.UserUnknown("x" * 300), ANSWER, "user_unknown", f"User '{'x' * 200}' not found or not connected"),
    (e.NotLinked("Eve"), ASK, "not_linked", "No active connection with Eve. Create an invite first."),
    (e.NotLinked("Eve"), ANSWER, "not_linked", "No active connection with Eve"),
    (e.NoFriends(), ASK, "no_friends", "No active connection. Please connect first."),
    (e.NoFriends(), ANSWER, "no_friends", "No active connection"),
    (e.NotConnected("Bob"), ASK, "not_connected", "Bob is not connected"),
    (e.NotConnected("Bob"), Redeem(), "not_connected", "Bob is not connected"),
    (e.NotConnected(), ANSWER, "not_connected", "Friend is not connected"),
    (e.BlockedByYou("eve"), Redeem(), "blocked_by_you", "You have blocked eve. Unblock first."),
    (e.FriendUnknown(), Unfriend(), "friend_unknown", "No such friendship"),
    (e.NeverDelivered(), Ack(), "never_delivered", "Nothing with this offset was delivered"),
    (e.AlreadyExpired(), ASK, "already_expired", "Message has already expired"),
    (e.IdReused(), ASK, "id_reused", "Message id was already used for another message"),
    (e.MailboxFull("Bob"), ASK, "mailbox_full", "Bob's mailbox is full. Try again later."),
    (e.MailboxFull(), ASK, "mailbox_full", "Friend's mailbox is full. Try again later."),
    (e.Unconfirmed("Ada"), Redeem(), "unconfirmed", "Ada has to confirm first. Try again in a moment."),
    (e.Unconfirmed(), Redeem(), "unconfirmed", "Friend has to confirm first. Try again in a moment."),
    (e.NotDurable(), ASK, "not_durable", "Service temporarily unavailable. Please try again."),
    (e.TooLarge(), None, "too_large", "Message too large"),
    (e.AskLimit(6000), ASK, "rate_limited", "Rate limit exceeded. Try again in 6 seconds."),
    (e.AskLimit(5001), ASK, "rate_limited", "Rate limit exceeded. Try again in 6 seconds."),
    (e.AskLimit(1), ASK, "rate_limited", "Rate limit exceeded. Try again in 1 seconds."),
    (e.AskLimit(0), ASK, "rate_limited", "Rate limit exceeded. Try again in 1 seconds."),
    (e.TooManyAttempts(), Redeem(), "too_many_attempts", "Too many attempts. Try again later."),
    (e.TooManyInvites(), CreateInvite(), "too_many_invites", "Too many open invitations"),
    (e.Unavailable(), ASK, "unavailable", "Service temporarily unavailable. Please try again."),
    (
        e.StorageUnavailable("redis at 10.0.0.1 said no"),
        ASK,
        "unavailable",
        "Service temporarily unavailable. Please try again.",
    ),
]

ELSEWHERE = {
    *(e.PairingUnusable, e.PairUnknown, e.RoleUnknown, e.RoleForbidden, e.PeerAbsent, e.PeerBusy),
    *(e.RateExceeded, e.DailyQuotaExceeded, e.MonthlyQuotaExceeded),
}
"""What no mAgi client can be refused with."""


def descendants(kind: type) -> set[type]:
    return {kind}.union(*(descendants(child) for child in kind.__subclasses__()))


@pytest.mark.parametrize(("error", "command", "code", "text"), TEXTS)
def test_a_refusal_is_told_in_the_words_of_the_wire(error, command, code, text):
    found, say = lookup(error)
    assert (found, say(error, command)) == (code, text)
    assert code_of(error) == code


def test_every_row_of_the_map_is_proved():
    rows = {next(kind for kind in type(error).__mro__ if kind in MAGI1) for error, *_ in TEXTS}
    assert set(MAGI1) - rows <= {e.ExchangeError}


def test_every_error_the_core_can_raise_is_proved():
    known = {kind for kind in descendants(e.ExchangeError) if kind.__module__ == e.__name__}
    leaves = {kind for kind in known if not known.intersection(kind.__subclasses__())}
    assert leaves - ELSEWHERE <= {type(error) for error, *_ in TEXTS}
    assert {code_of(kind("x") if kind is e.RoleUnknown else kind()) for kind in ELSEWHERE} == {"unavailable"}


def test_a_family_without_a_row_is_told_as_a_transient_fault_and_never_as_a_final_one():
    for family in (e.ExchangeError, e.Missing, e.Conflict, e.Gone, e.Unauthorized, e.Refused):
        if family not in MAGI1:
            assert code_of(family()) == "unavailable"


def test_machine_names_are_short_words_from_a_closed_set():
    assert {code_of(error) for error, *_ in TEXTS} == CODES
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in CODES)


RELAYED: list[tuple[e.ExchangeError, str]] = [
    (e.Malformed(), "malformed"),
    (e.Unparsed(), "malformed"),
    (e.NotIdentified(), "not_identified"),
    (e.PairingUnusable(), "pairing_unusable"),
    (e.PairUnknown(), "pair_unknown"),
    (e.RoleUnknown("x"), "role_unknown"),
    (e.RoleForbidden(), "role_forbidden"),
    (e.TooLarge(), "too_large"),
    (e.RateExceeded(), "rate_limited"),
    (e.DailyQuotaExceeded(), "daily_quota"),
    (e.MonthlyQuotaExceeded(), "monthly_quota"),
    (e.PeerAbsent(), "peer_absent"),
    (e.PeerBusy(), "peer_busy"),
    (e.StorageUnavailable(), "unavailable"),
    (e.NotDurable(), "unavailable"),
    (e.NameTaken(), "refused"),
]


@pytest.mark.parametrize(("error", "code"), RELAYED)
def test_a_refusal_on_the_relay_has_a_machine_name(error, code):
    assert find(CORALMUX, error)[0] == code


def test_machine_names_of_the_relay_are_short_words_from_a_closed_set():
    assert {code for _, code in RELAYED} == CORALMUX_CODES
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in CORALMUX_CODES)


def test_what_is_refused_before_authentication_is_named_like_what_is_refused_after_it():
    assert set(CORALMUX_FIRST) <= set(CORALMUX)
