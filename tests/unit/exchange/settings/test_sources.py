import pytest

from exchange.refusal import StartRefused
from exchange.settings import Settings, load


def test_nothing_set_gives_the_defaults():
    assert load({}) == Settings()


def test_the_command_line_wins_over_environment_over_file_over_secret_file(tmp_path):
    config, secret = tmp_path / "magi.toml", tmp_path / "url"
    config.write_text('[listen]\nport = 1\nhost = "::1"\n[ops]\nport = 1\n[redis]\nurl = "redis://file"\n')
    secret.write_text("redis://secret")
    environ = {
        "EXCHANGE_LISTEN__PORT": "2",
        "EXCHANGE_OPS__PORT": "2",
        "EXCHANGE_CONFIG_FILE": str(config),
        "EXCHANGE_REDIS__URL_FILE": str(secret),
    }
    settings = load(environ, {"listen": {"port": 3, "host": None}})
    assert (settings.listen.port, settings.ops.port, settings.listen.host) == (3, 2, "::1")
    assert settings.redis.url.get_secret_value() == "redis://file"


def test_a_secret_is_read_from_a_file_without_its_line_end(tmp_path):
    (tmp_path / "key").write_text("0123456789abcdef\n")
    settings = load({"EXCHANGE_SECRETS__INDEX_KEY_FILE": str(tmp_path / "key")})
    assert settings.secrets.index_key.get_secret_value() == "0123456789abcdef"


def test_the_named_settings_file_wins_over_the_variable(tmp_path):
    (tmp_path / "magi.toml").write_text("[listen]\nport = 5\n")
    settings = load({"EXCHANGE_CONFIG_FILE": "/nowhere"}, config=tmp_path / "magi.toml")
    assert settings.listen.port == 5


def test_an_empty_variable_counts_as_not_set():
    assert load({"EXCHANGE_LISTEN__PORT": "", "PORT": ""}) == Settings()


def test_names_of_the_original_programs_are_understood():
    settings = load({"PORT": "9000", "LOG_FORMAT": "json"})
    assert (settings.listen.port, settings.log.format) == (9000, "json")


def test_two_names_may_agree():
    assert load({"PORT": "9000", "EXCHANGE_LISTEN__PORT": "9000"}).listen.port == 9000


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        (
            {"EXCHANGE_LISTEN__PROT": "1"},
            "no setting EXCHANGE_LISTEN__PROT; the nearest name is EXCHANGE_LISTEN__PORT.",
        ),
        ({"EXCHANGE_PORT": "1"}, "no setting EXCHANGE_PORT; the nearest name is EXCHANGE_LISTEN__PORT."),
        ({"EXCHANGE_LISTEN": "{}"}, "no setting EXCHANGE_LISTEN;"),
        ({"EXCHANGE_LISTEN__PORT_FILE": "/x"}, "no setting EXCHANGE_LISTEN__PORT_FILE;"),
        ({"PORT": "1", "EXCHANGE_LISTEN__PORT": "2"}, "PORT and EXCHANGE_LISTEN__PORT are both set and differ"),
        ({"EXCHANGE_LISTEN__PORT": "99999"}, "EXCHANGE_LISTEN__PORT from the environment is unusable: .* 65535"),
        ({"PORT": "web"}, "EXCHANGE_LISTEN__PORT from the environment is unusable"),
        ({"EXCHANGE_LOG__FORMAT": "xml"}, "EXCHANGE_LOG__FORMAT from the environment is unusable: .*'text' or 'json'"),
        ({"EXCHANGE_LEASE__TTL_SECONDS": "3"}, "EXCHANGE_LEASE__TTL_SECONDS should be at least twice"),
        ({"EXCHANGE_REDIS__PROBE_SECONDS": "8"}, "EXCHANGE_RELAY__UNPROVEN_SECONDS should be at least twice"),
        ({"EXCHANGE_REDIS__URL_FILE": "/nowhere"}, "EXCHANGE_REDIS__URL_FILE names cannot be read: No such file"),
        ({"EXCHANGE_CONFIG_FILE": "/nowhere"}, "settings file /nowhere cannot be read: No such file"),
    ],
)
def test_a_start_with_a_wrong_setting_is_refused_in_one_sentence(environ, sentence):
    with pytest.raises(StartRefused, match=sentence) as refusal:
        load(environ)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[listen]\nprot = 1", "no setting listen.prot, which the file .* sets; the nearest name is listen.port"),
        ("[lisen]\nport = 1", "no setting lisen.port"),
        ("port = 1", "no setting port"),
        ("[listen", "cannot be read"),
        ("[listen]\nport = 99999", "from the file .*magi.toml is unusable"),
    ],
)
def test_a_wrong_settings_file_is_refused_in_one_sentence(tmp_path, text, sentence):
    (tmp_path / "magi.toml").write_text(text)
    with pytest.raises(StartRefused, match=sentence):
        load({}, config=tmp_path / "magi.toml")


def test_a_refused_secret_is_not_repeated():
    with pytest.raises(StartRefused) as refusal:
        load({"EXCHANGE_SECRETS__INDEX_KEY": "hidden", "EXCHANGE_REDIS__URL": "http://hidden@h"})
    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize(
    "name",
    [
        "EXCHANGE_SERVICE_HOST",
        "EXCHANGE_SERVICE_PORT",
        "EXCHANGE_SERVICE_PORT_HTTP",
        "EXCHANGE_PORT_8082_TCP",
        "EXCHANGE_PORT_8082_TCP_ADDR",
        "EXCHANGE_REDIS_SERVICE_HOST",
    ],
)
def test_what_kubernetes_says_of_a_service_called_exchange_is_not_a_setting(name):
    assert load({name: "10.0.0.1", "EXCHANGE_PORT": "tcp://10.0.0.1:8082"}) == Settings()
