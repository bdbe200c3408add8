import re

import pytest

from exchange.core.ids import CODE_ALPHABET, ID_BYTES, NOWHERE, order, short, spell


@pytest.mark.parametrize("raw", [bytes(ID_BYTES), b"\xff" * ID_BYTES, bytes(range(ID_BYTES))])
def test_an_id_is_26_characters_of_lower_case_base32(raw):
    assert re.fullmatch("[a-z2-7]{26}", spell(raw))


def test_different_bytes_are_spelled_differently():
    assert len({spell(bytes([number]) + bytes(ID_BYTES - 1)) for number in range(256)}) == 256


def test_logs_and_pages_show_eight_characters():
    assert short(spell(bytes(ID_BYTES))) == "a" * 8
    assert short("abc") == "abc"


def test_codes_are_made_of_capital_letters_and_digits():
    assert re.fullmatch("[A-Z0-9]{36}", CODE_ALPHABET)
    assert len(set(CODE_ALPHABET)) == 36


def test_offsets_are_ordered_as_numbers():
    offsets = ["10-0", "9-10", "9-9", NOWHERE, "9-0"]
    assert sorted(offsets, key=order) == [NOWHERE, "9-0", "9-9", "9-10", "10-0"]


@pytest.mark.parametrize("text", ["", "soon", "5", "5-", "-5", "5-x"])
def test_what_is_no_offset_has_no_order(text):
    with pytest.raises(ValueError):
        order(text)
