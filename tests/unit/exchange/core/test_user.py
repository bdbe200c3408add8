from exchange.core.user import LocalUser


def test_a_user_begins_free_without_friends_and_with_nothing_waiting():
    one, other = LocalUser("u1", "ann", "Ann"), LocalUser("u2", "bob", "Bob")
    assert (one.held, len(one.links), len(one.backlog), one.backlog_bytes) == (0, 0, 0, 0)
    one.held += 1
    one.backlog.append("wake")
    assert not other.held
    assert not other.backlog
