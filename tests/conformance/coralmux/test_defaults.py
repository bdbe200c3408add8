"""The numbers of the wire are what a node has without any setting."""

from exchange.settings.relay import Relay
from magi.wire import limits
from tests.conformance.magi.requirements import covers

RELAY = Relay()


@covers("CORAL-5", "CORAL-6", "CORAL-37")
def test_the_times_are_those_of_the_wire():
    assert (RELAY.ping_seconds, RELAY.silence_seconds, RELAY.stall_seconds) == (30, 60, 10)
    assert (RELAY.auth_seconds, RELAY.unproven_seconds) == (60, 15)


@covers("CORAL-20", "CORAL-22", "CORAL-23")
def test_the_sizes_are_those_of_the_wire():
    assert (limits.RELAY_MESSAGE_BYTES, limits.RELAY_OUTER_BYTES) == (5 * 1024 * 1024, 8 * 1024 * 1024)
    assert (RELAY.daily_quota_bytes, RELAY.monthly_quota_bytes) == (500 * 1024**2, 10 * 1024**3)
    assert (RELAY.queue_frames_count, RELAY.queue_bytes) == (256, 32 * 1024 * 1024)


@covers("CORAL-21", "CORAL-30")
def test_the_rates_are_those_of_the_wire():
    assert (RELAY.phone_per_minute_count, RELAY.phone_burst_count) == (30, 30)
    assert (RELAY.agent_per_minute_count, RELAY.agent_burst_count) == (120, 120)
    assert RELAY.registrations_per_hour_count == 5


@covers("CORAL-1", "CORAL-29", "CORAL-31")
def test_the_relay_is_on_its_listener_off_and_nobody_has_a_key_or_a_token_that_ends():
    assert (RELAY.enabled, RELAY.listener, RELAY.listener_port) == (True, False, 8443)
    assert RELAY.admin_key.get_secret_value() == ""
    assert RELAY.token_ttl_seconds == 0
