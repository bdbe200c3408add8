import pytest

from exchange.core import errors


def test_the_first_line_of_the_docstring_is_the_message():
    assert str(errors.NameTaken()) == "Somebody else holds this username now."
    assert str(errors.StorageUnavailable()) == "The store cannot be reached right now; please try again."


def test_a_message_can_be_given():
    assert str(errors.Malformed("No.")) == "No."


def test_names_stand_in_the_message_and_beside_it():
    unknown = errors.UserUnknown("ann")
    assert (unknown.name, str(unknown)) == ("ann", "There is no user ann here now.")
    assert str(errors.NotConnected()) == "Your friend is not connected."
    assert str(errors.NotConnected("Ann")) == "Ann is not connected."
    assert "Ann" in str(errors.NotLinked("Ann"))
    assert "dance" in str(errors.UnknownRequest("dance"))
    assert (errors.RoleUnknown("watch").role, "watch" in str(errors.RoleUnknown("watch"))) == ("watch", True)


@pytest.mark.parametrize(
    "kind",
    [
        *(errors.Limited, errors.AskLimit, errors.Unavailable, errors.StorageUnavailable),
        *(errors.RateExceeded, errors.DailyQuotaExceeded, errors.MonthlyQuotaExceeded, errors.PeerBusy),
    ],
)
def test_what_may_pass_can_be_tried_again(kind):
    assert kind.retryable


@pytest.mark.parametrize(
    "kind",
    [
        *(errors.Malformed, errors.NotLinked, errors.InviteUnknown, errors.NameTaken),
        *(errors.PairingUnusable, errors.PairUnknown, errors.RoleUnknown, errors.RoleForbidden, errors.PeerAbsent),
    ],
)
def test_what_will_not_pass_is_final(kind):
    assert not kind.retryable


def test_a_limit_says_how_long_to_wait():
    assert errors.AskLimit(1500).retry_after_ms == 1500


def test_a_store_that_did_not_answer_may_have_done_it():
    assert errors.StorageUnavailable().sent
    assert not errors.StorageUnavailable(sent=False).sent
