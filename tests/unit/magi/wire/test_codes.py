"""Twin of ``magi/wire/codes.py``."""

from magi.wire.codes import INACTIVITY_REASON, REPLACED_BY_NEWER_REASON, REPLACED_REASON, CloseCode


def test_the_close_codes_are_those_of_the_wires_and_of_broken_framing():
    assert {code.value for code in CloseCode} == {1000, 1001, 1008, 1009, 1013, 4000, 4001} | {1002, 1007}


def test_inactivity_is_named_as_the_wire_says():
    assert (CloseCode.INACTIVITY, INACTIVITY_REASON) == (4000, "Inactivity timeout")


def test_a_replaced_end_of_a_pair_is_told_so_as_the_wire_says():
    # CORAL-25
    assert (CloseCode.REPLACED_BY_NEWER, REPLACED_BY_NEWER_REASON) == (4001, "Replaced by a newer connection")


def test_every_reason_fits_into_a_close_frame():
    assert all(len(reason.encode()) <= 123 for reason in (INACTIVITY_REASON, REPLACED_REASON, REPLACED_BY_NEWER_REASON))
