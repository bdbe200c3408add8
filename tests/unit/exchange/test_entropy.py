import re

import pytest

from exchange.core.ids import CODE_ALPHABET
from exchange.entropy import derived_code, new_code, new_id, new_pairing_token, new_token


def test_ids_are_fresh_and_of_one_shape():
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch("[a-z2-7]{26}", one) for one in ids)


@pytest.mark.parametrize("characters", [6, 16])
def test_codes_have_the_length_that_was_asked_for(characters):
    for code in (new_code(characters), derived_code("uid", "m1", characters)):
        assert len(code) == characters
        assert set(code) <= set(CODE_ALPHABET)


@pytest.mark.parametrize("make", [lambda number: new_code(6), lambda number: derived_code("uid", f"m{number}", 6)])
def test_every_character_occurs_at_every_place(make):
    codes = [make(number) for number in range(3000)]
    for place in range(6):
        counts = [sum(code[place] == character for code in codes) for character in CODE_ALPHABET]
        # 83 are expected; the bounds are more than six standard deviations away.
        assert all(25 < count < 160 for count in counts)


def test_a_derived_code_belongs_to_one_request_of_one_user():
    code = derived_code("uid", "m1", 8)
    assert derived_code("uid", "m1", 8) == code
    assert derived_code("uid", "m2", 8) != code
    assert derived_code("other", "m1", 8) != code


def test_user_and_message_id_do_not_run_into_each_other():
    assert derived_code("ab", "c", 16) != derived_code("a", "bc", 16)


def test_another_turn_gives_another_code_of_the_same_request():
    codes = {derived_code("uid", "m1", 8, turn) for turn in range(8)}
    assert len(codes) == 8
    assert derived_code("uid", "m1", 8) in codes


def test_tokens_are_fresh_and_of_one_shape():
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(re.fullmatch("[a-z2-7]{52}", one) for one in tokens)


def test_pairing_tokens_are_fresh_and_of_one_shape():
    # CORAL-31
    tokens = {new_pairing_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(re.fullmatch("oc_pair_[0-9a-f]{32}", one) for one in tokens)
