"""The table of states (CLI-12)."""

import itertools

import pytest

from magi.client.states import FINAL, RANKS, SAID, State, follows


def test_every_state_has_a_rank_and_words():
    assert set(RANKS) == set(SAID) == set(State)
    assert all(SAID.values())


@pytest.mark.parametrize("state", State)
def test_no_state_follows_itself(state):
    assert not follows(state, state)


@pytest.mark.parametrize(("old", "new"), list(itertools.permutations(State, 2)))
def test_a_message_goes_forwards_or_not_at_all(old, new):
    watched = {State.HELD, State.SEEN, State.STALLED}
    if {old, new} <= watched:
        assert follows(old, new), "what becomes of it at its reader's may change"
    else:
        assert follows(old, new) == (RANKS[new] > RANKS[old])
        assert not (follows(old, new) and follows(new, old))


@pytest.mark.parametrize("state", State)
def test_nothing_follows_a_final_state(state):
    assert state.final == (state in FINAL)
    assert state.final == (not any(follows(state, other) for other in State))


def test_the_final_ones_are_these():
    assert {state.value for state in FINAL} == {"answered", "declined", "expired", "withdrawn", "failed"}


@pytest.mark.parametrize("state", State)
def test_the_words_name_the_friend_or_nobody(state):
    said = SAID[state].format(who="bob")
    assert "{" not in said
    assert ("bob" in said) == ("{who}" in SAID[state])
