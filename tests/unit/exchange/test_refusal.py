from exchange.process import SECOND_SIGNAL_STATUS
from exchange.refusal import REFUSED_STATUS


def test_a_refusal_has_an_exit_status_of_its_own():
    # 0 is an end in order, 1 a crash, 2 a wrong command line.
    assert REFUSED_STATUS not in {0, 1, 2, SECOND_SIGNAL_STATUS}
