from magi.daemon.port import DaemonAway, DeskError


def test_a_refusal_has_words_and_an_exit_status():
    """CLI-31."""
    assert (str(DeskError("No such friend.")), DeskError("No such friend.").exit_status) == ("No such friend.", 1)
    assert DeskError("Held.", 10).exit_status == 10


def test_without_a_daemon_is_a_refusal_with_words_of_its_own():
    assert isinstance(DaemonAway(), DeskError)
    assert str(DaemonAway()) == "The magi daemon is not running."
    assert str(DaemonAway("It ended.")) == "It ended."
