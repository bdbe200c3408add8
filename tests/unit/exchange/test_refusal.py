import errno

import pytest

from exchange.process import SECOND_SIGNAL_STATUS
from exchange.refusal import REFUSED_STATUS, port_refused


def test_a_refusal_has_an_exit_status_of_its_own():
    # 0 is an end in order, 1 a crash, 2 a wrong command line.
    assert REFUSED_STATUS not in {0, 1, 2, SECOND_SIGNAL_STATUS}


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EADDRINUSE, "Port 7 on host is in use by another program; choose another with --port."),
        (errno.EACCES, "Port 7 on host is reserved for the system; choose one above 1023 with --port."),
        (errno.EADDRNOTAVAIL, "This machine has no address host to listen on."),
        (errno.EAFNOSUPPORT, "Port 7 on host cannot be used: no such family."),
    ],
)
def test_a_port_is_refused_in_one_sentence_with_what_to_do(number, sentence):
    assert port_refused(OSError(number, "no such family"), "host", 7, "--port") == sentence
