from exchange.restarts import MOST_COUNT, PAUSES_SECONDS, PERIOD_SECONDS, Restarts


def test_pauses_grow_and_the_fifth_end_within_a_minute_is_the_last():
    restarts = Restarts()
    assert [restarts.pause(float(now)) for now in range(MOST_COUNT)] == [*PAUSES_SECONDS[: MOST_COUNT - 1], None]


def test_a_program_that_ends_every_20_seconds_is_started_again_with_the_longest_pause():
    restarts = Restarts()
    pauses = [restarts.pause(now * 20.0) for now in range(20)]
    assert None not in pauses
    assert pauses[-1] == PAUSES_SECONDS[-1]


def test_a_program_that_ran_long_enough_starts_over():
    restarts = Restarts()
    restarts.pause(0.0)
    assert restarts.pause(1.0) == PAUSES_SECONDS[1]
    assert restarts.pause(2.0 + PERIOD_SECONDS) == PAUSES_SECONDS[0]
