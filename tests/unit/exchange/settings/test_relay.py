import pytest
from pydantic import ValidationError

from exchange.refusal import StartRefused
from exchange.settings import Settings, load
from exchange.settings.relay import Relay


def test_the_defaults_are_those_of_the_wire():
    relay = Relay()
    assert (relay.enabled, relay.listener, relay.listener_port) == (True, False, 8443)  # CORAL-1
    assert (relay.daily_quota_bytes, relay.monthly_quota_bytes) == (500 << 20, 10 << 30)  # CORAL-22
    assert (relay.phone_per_minute_count, relay.phone_burst_count) == (0.5 * 60, 30)  # CORAL-21
    assert (relay.agent_per_minute_count, relay.agent_burst_count) == (2 * 60, 120)
    assert (relay.queue_frames_count, relay.queue_bytes) == (256, 32 << 20)  # CORAL-23
    assert (relay.ping_seconds, relay.silence_seconds, relay.stall_seconds) == (30, 60, 10)  # CORAL-5
    assert (relay.auth_seconds, relay.unproven_seconds) == (60, 15)  # CORAL-6, CORAL-37
    assert (relay.registrations_per_hour_count, relay.token_ttl_seconds) == (5, 0)  # CORAL-30, CORAL-31


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"tls_certificate_file": "/c.pem"}, "TLS_CERTIFICATE_FILE and EXCHANGE_RELAY__TLS_KEY_FILE belong together"),
        ({"tls_key_file": "/k.pem"}, "belong together"),
        ({"ping_seconds": 30, "silence_seconds": 30.5}, "should be longer than EXCHANGE_RELAY__PING_SECONDS"),
        ({"listener": True, "enabled": False}, "EXCHANGE_RELAY__LISTENER needs EXCHANGE_RELAY__ENABLED"),
        ({"public_url": "https://relay.example"}, "ws:// or wss://"),
        ({"queue_bytes": 5 << 20}, "greater than or equal"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(fields, sentence):
    with pytest.raises(ValidationError, match=sentence):
        Relay.model_validate(fields)


def test_silence_may_be_off():
    assert Relay.model_validate({"silence_seconds": 0}).silence_seconds == 0


def test_a_certificate_with_its_key_is_accepted():
    relay = Relay.model_validate({"tls_certificate_file": "/c.pem", "tls_key_file": "/k.pem"})
    assert str(relay.tls_key_file) == "/k.pem"


@pytest.mark.parametrize(
    ("relay", "place"),
    [
        ({}, None),
        ({"listener": True}, ("192.0.2.1", 8443)),
        ({"listener": True, "listener_host": "::1", "listener_port": 0}, ("::1", 0)),
    ],
)
def test_the_listener_is_where_the_clients_port_is_unless_it_is_told(relay, place):
    assert Settings.model_validate({"listen": {"host": "192.0.2.1"}, "relay": relay}).relay_place == place


def test_the_admin_key_is_known_by_its_old_name_and_is_never_shown():
    settings = load({"RELAY_ADMIN_KEY": "hidden"})
    assert settings.relay.admin_key.get_secret_value() == "hidden"
    assert "hidden" not in repr(settings)
    assert Settings.from_parent(settings.to_child()) == settings


def test_the_admin_key_can_be_in_a_file(tmp_path):
    (tmp_path / "key").write_text("hidden\n")
    settings = load({"EXCHANGE_RELAY__ADMIN_KEY_FILE": str(tmp_path / "key")})
    assert settings.relay.admin_key.get_secret_value() == "hidden"


def test_two_different_admin_keys_are_one_too_many():
    with pytest.raises(StartRefused, match="RELAY_ADMIN_KEY and EXCHANGE_RELAY__ADMIN_KEY are both set and differ"):
        load({"RELAY_ADMIN_KEY": "a", "EXCHANGE_RELAY__ADMIN_KEY": "b"})
