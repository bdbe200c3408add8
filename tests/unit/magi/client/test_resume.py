"""Twin of ``magi/client/resume.py``: the table of CLI-4."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magi.client import errors as e
from magi.client.resume import (
    CLOSED,
    DISPLACED_RETRY_SECONDS,
    HELD_SECONDS,
    LIVED_SECONDS,
    RETRY_AFTER_MOST_SECONDS,
    SKIP_SECONDS,
    STATUSES,
    Course,
    Ended,
    Verdict,
    bound,
)

A, B, C = "wss://a/", "wss://b/", "wss://c/"
BROKEN = Ended(1006)
DISPLACED = Ended(1000, "Session continues elsewhere")


class Chance(random.Random):
    """Chance of which the test says how it falls: 0.0 is the least, 1.0 the most."""

    def __init__(self, share: float = 0.0, place: int = 0) -> None:
        super().__init__(0)
        self.share, self.place = share, place

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self.share

    def randrange(self, *_: int) -> int:
        return self.place


def course(*addresses: str, share: float = 0.0) -> Course:
    """Return a course whose first attempt was made, at the first address."""
    made = Course(addresses or (A, B, C), random=Chance(share))
    assert made.next_attempt(0.0) == (addresses[0] if addresses else A, 0.0)
    return made


def held(*addresses: str, share: float = 0.0, until: float = LIVED_SECONDS) -> Course:
    """Return a course of a client that was connected until then."""
    made = course(*addresses, share=share)
    made.opened(0.0)
    assert made.ended(BROKEN, until) is Verdict.COME_BACK
    return made


# --- where -----------------------------------------------------------------------------------------------------------


def test_the_list_starts_at_a_random_place_and_goes_round():
    made = Course([A, B, C], random=Chance(place=1))
    assert [made.next_attempt(0.0)[0] for _ in range(4)] == [B, C, A, B]


def test_all_places_are_started_at():
    assert {Course([A, B, C], random=random.Random(seed)).next_attempt(0.0)[0] for seed in range(50)} == {A, B, C}


def test_after_an_end_the_next_node_is_tried():
    made = held(A, B)
    assert made.next_attempt(60.0)[0] == B


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_address_that_shuts_us_out_is_skipped_for_ten_minutes(status):
    made = course(A, B)
    assert made.ended(e.NotConnected(status=status), 0.0) is Verdict.COME_BACK
    assert [made.next_attempt(1.0)[0] for _ in range(3)] == [B, B, B]
    assert {made.next_attempt(SKIP_SECONDS)[0] for _ in range(2)} == {A, B}


def test_when_no_address_is_left_it_is_given_up_and_who_stays_waits_for_the_first():
    made = course(A, B)
    assert made.ended(e.NotConnected(status=404), 0.0) is Verdict.COME_BACK
    assert made.next_attempt(5.0)[0] == B
    assert made.ended(e.NotConnected(status=403), 5.0) is Verdict.GIVE_UP
    assert made.next_attempt(10.0) == (A, SKIP_SECONDS - 10.0)


def test_an_address_whose_time_is_over_counts_as_left():
    made = course(A, B)
    made.ended(e.NotConnected(status=404), 0.0)
    made.next_attempt(1.0)
    assert made.ended(e.NotConnected(status=404), SKIP_SECONDS) is Verdict.COME_BACK
    assert made.next_attempt(SKIP_SECONDS)[0] == A


def test_an_address_that_only_rests_counts_as_left():
    made = course(A, B)
    assert made.ended(e.NotConnected(status=503, retry_after_seconds=300.0), 0.0) is Verdict.COME_BACK
    assert made.next_attempt(1.0)[0] == B
    assert made.ended(e.NotConnected(status=404), 1.0) is Verdict.COME_BACK
    assert made.next_attempt(1.0) == (A, 299.0)


# --- how soon --------------------------------------------------------------------------------------------------------


def test_the_first_attempt_of_all_waits_for_nothing():
    assert Course([A], random=Chance(share=1.0)).next_attempt(1e6) == (A, 0.0)


def test_delays_double_up_to_thirty_seconds():
    made = course(A, share=1.0)
    seen = []
    for _ in range(9):
        assert made.ended(e.NotConnected("Nobody listens."), 0.0) is Verdict.COME_BACK
        seen.append(made.next_attempt(0.0)[1])
    assert seen == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_connection_that_lived_a_minute_begins_the_delays_anew_and_a_shorter_one_does_not():
    made = course(A, share=1.0)
    for _ in range(4):
        made.ended(BROKEN, 0.0)
        made.next_attempt(0.0)
    made.opened(100.0)
    made.ended(BROKEN, 100.0 + LIVED_SECONDS - 1)
    assert made.next_attempt(200.0)[1] == 8.0
    made.opened(300.0)
    made.ended(BROKEN, 300.0 + LIVED_SECONDS)
    assert made.next_attempt(400.0)[1] == 0.5


@pytest.mark.parametrize(
    "what", [Ended(1013), e.Unavailable(), e.NotConnected(status=429), e.NotConnected(status=503), e.RateLimited()]
)
def test_an_exchange_that_cannot_serve_now_is_left_alone_for_a_second(what):
    made = course(A, B, share=0.0)
    assert made.ended(what, 0.0) is Verdict.COME_BACK
    assert made.next_attempt(0.0) == (B, 1.0)


@pytest.mark.parametrize(
    "what", [e.NotConnected(status=503, retry_after_seconds=20.0), Ended(1013, "", 20.0), e.Unavailable("", 20_000)]
)
def test_retry_after_is_honoured_at_that_address(what):
    alone, beside = course(A), course(A, B)
    for made in (alone, beside):
        assert made.ended(what, 0.0) is Verdict.COME_BACK
    assert alone.next_attempt(0.0) == (A, 20.0)
    assert [beside.next_attempt(5.0)[0] for _ in range(2)] == [B, B]


def test_nobody_is_believed_who_wants_us_away_for_years():
    made = course(A)
    made.ended(e.NotConnected(status=503, retry_after_seconds=1e9), 0.0)
    assert made.next_attempt(0.0) == (A, RETRY_AFTER_MOST_SECONDS)


# --- draining --------------------------------------------------------------------------------------------------------


def test_a_draining_node_is_left_at_a_random_moment_of_the_window_for_another_address():
    made = course(A, B, share=0.25)
    made.opened(0.0)
    assert made.draining(2_000, 10_000, 100.0) == 4.0
    assert made.ended(Ended(1000, asked=True), 103.0) is Verdict.COME_BACK
    assert made.next_attempt(103.0) == (B, 1.0)


def test_who_waited_for_the_moment_goes_at_once():
    made = course(A, B, share=0.25)
    made.opened(0.0)
    made.draining(2_000, 10_000, 100.0)
    assert made.next_attempt(104.0) == (B, 0.0)


def test_a_node_that_ends_before_its_time_is_like_any_other_end():
    made = course(A, B, share=1.0)
    made.opened(0.0)
    made.draining(2_000, 10_000, 100.0)
    assert made.ended(Ended(1001), 101.0) is Verdict.COME_BACK
    assert made.next_attempt(101.0) == (B, 0.5)


@given(st.integers(-5, 100_000), st.integers(-5, 100_000), st.integers())
def test_the_moment_is_in_the_window_whatever_is_announced(after_ms, until_ms, seed):
    made = Course([A], random=random.Random(seed))
    seconds = made.draining(after_ms, until_ms, 7.0)
    assert max(0, after_ms) / 1000 <= seconds <= max(0, after_ms, until_ms) / 1000


# --- whether ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1001, 1002, 1005, 1006, 1007, 1009, 1011, 1012, 1013, 4000, 4999])
def test_it_comes_back_after_every_close_but_an_unasked_1000(code):
    assert course().ended(Ended(code), 0.0) is Verdict.COME_BACK


def test_who_is_displaced_comes_back_once_after_thirty_seconds_and_then_never():
    made = course(A, B, share=1.0)
    made.opened(0.0)
    assert made.ended(DISPLACED, 100.0) is Verdict.COME_BACK
    assert made.next_attempt(100.0) == (B, DISPLACED_RETRY_SECONDS)
    made.opened(130.0)
    assert made.ended(DISPLACED, 399.0) is Verdict.DISPLACED


def test_a_displacement_after_five_minutes_is_a_first_one_again():
    made = course(A)
    assert made.ended(DISPLACED, 100.0) is Verdict.COME_BACK
    assert made.ended(DISPLACED, 400.0) is Verdict.COME_BACK
    assert made.ended(DISPLACED, 500.0) is Verdict.DISPLACED


def test_a_1000_of_our_own_displaces_nobody():
    made = course(A)
    for now in range(5):
        assert made.ended(Ended(1000, asked=True), now) is Verdict.COME_BACK


def test_a_name_that_we_held_a_moment_ago_is_claimed_for_a_minute():
    made = held(A, until=100.0)
    assert made.ended(e.NameTaken(), 100.0 + HELD_SECONDS - 1) is Verdict.COME_BACK
    assert made.ended(e.NameTaken(), 100.0 + HELD_SECONDS) is Verdict.GIVE_UP


def test_a_name_that_we_never_held_is_taken_for_good():
    assert course(A).ended(e.NameTaken(), 1.0) is Verdict.GIVE_UP


@pytest.mark.parametrize("error", [e.TokenRefused(), e.Refused("Username is required", "name_unusable")])
def test_a_refusal_is_final(error):
    assert held(A).ended(error, 61.0) is Verdict.GIVE_UP


@pytest.mark.parametrize("error", [e.NotConnected(), e.NotConnected(status=200), e.BadFrame(), e.MagiError()])
def test_what_may_be_over_soon_is_tried_again(error):
    assert course(A).ended(error, 0.0) is Verdict.COME_BACK


# --- always ----------------------------------------------------------------------------------------------------------

WHAT = st.one_of(
    st.sampled_from([*CLOSED, 1000, 1002, 4999]).map(Ended),
    st.builds(Ended, st.just(1013), st.just(""), st.floats(0, 100)),
    st.builds(e.NotConnected, status=st.sampled_from([0, 200, *STATUSES]), retry_after_seconds=st.floats(0, 100)),
    st.sampled_from([e.NameTaken(), e.TokenRefused(), e.Unavailable("", 3000), e.Refused(), e.BadFrame()]),
)
STEP = st.tuples(st.booleans(), st.floats(0, 400), WHAT)


@given(st.integers(1, 3), st.integers(), st.lists(STEP, max_size=30))
def test_whatever_happens_the_next_attempt_is_at_an_address_of_ours_and_within_bounds(count, seed, steps):
    addresses = [A, B, C][:count]
    made = Course(addresses, random=random.Random(seed))
    now, failures, asked_seconds = 0.0, 0, 0.0
    for opens, lives, what in steps:
        address, delay_seconds = made.next_attempt(now)
        assert address in addresses
        longest = max(asked_seconds, DISPLACED_RETRY_SECONDS, 1.0) + bound(failures)
        assert 0.0 <= delay_seconds <= longest
        failures += 1
        now += delay_seconds
        if opens:
            made.opened(now)
            now += lives
            failures = 0 if lives >= LIVED_SECONDS else failures
        verdict = made.ended(what, now)
        skipped = isinstance(what, e.NotConnected) and what.status in {401, 403, 404}
        asked_seconds = max(asked_seconds, SKIP_SECONDS if skipped else 100.0)
        displaced = isinstance(what, Ended) and what.code == 1000
        assert verdict is not Verdict.DISPLACED or displaced


@given(st.integers(0, 10**6))
def test_the_bound_grows_and_never_exceeds_thirty_seconds(failures):
    assert bound(0) == 0.5
    assert bound(failures) <= bound(failures + 1) <= 30.0


@given(st.integers())
def test_the_same_chance_leads_the_same_way(seed):
    one, other = (Course([A, B, C], random=random.Random(seed)) for _ in range(2))
    for now in range(5):
        assert one.next_attempt(now) == other.next_attempt(now)
        assert one.ended(BROKEN, now) is other.ended(BROKEN, now)
