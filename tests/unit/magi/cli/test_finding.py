from magi.cli.finding import Finding
from magi.cli.statuses import Status


def test_a_link_is_broken_if_the_program_is_to_end_with_it():
    assert Finding("tcp", "Nobody listens.", Status.AWAY).broken
    assert not Finding("tcp", "fine").broken
    assert not Finding("tls", "there is none", tested=False).broken
