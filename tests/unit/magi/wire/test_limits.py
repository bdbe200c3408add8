"""Twin of ``magi/wire/limits.py``: the numbers are the wire's, so a change here breaks clients."""

import string

from exchange.core import ids
from magi.wire import limits


def test_the_sizes_are_those_of_the_wire():
    assert (limits.USERNAME_CHARACTERS, limits.NICKNAME_CHARACTERS, limits.ECHO_CHARACTERS) == (254, 200, 200)
    assert (limits.MESSAGE_ID_CHARACTERS, limits.TRACE_HOPS, limits.CODE_CHARACTERS) == (64, 16, 6)
    assert (limits.CODE_CHARACTERS_MOST, limits.TOKEN_CHARACTERS, limits.HISTORY_COUNT) == (16, 200, 100)
    assert (limits.CAPABILITIES_COUNT, limits.CAPABILITY_CHARACTERS) == (32, 64)
    assert (limits.MESSAGE_BYTES, limits.OVERSIZE_FACTOR) == (1_048_576, 4)


def test_the_sizes_of_the_relay_are_those_of_its_wire():
    # CORAL-20: exactly five times 1024 * 1024 pass, up to eight are read.
    assert (limits.RELAY_MESSAGE_BYTES, limits.RELAY_OUTER_BYTES) == (5_242_880, 8_388_608)
    assert (limits.RELAY_FIRST_BYTES, limits.RELAY_KEYS_COUNT, limits.RELAY_ECHO_CHARACTERS) == (65_536, 256, 64)


def test_codes_are_made_of_capitals_and_digits():
    assert sorted(limits.CODE_ALPHABET) == sorted(string.ascii_uppercase + string.digits)


def test_wire_and_core_agree_on_what_codes_are_made_of():
    assert limits.CODE_ALPHABET == ids.CODE_ALPHABET
