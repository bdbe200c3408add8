from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from exchange.settings.groups import Group, Redis, Settings, data_home

UNITS = ("_seconds", "_ms", "_bytes", "_count", "_percent")


def fields():
    for group, outer in Settings.model_fields.items():
        for name, field in outer.annotation.model_fields.items():
            yield pytest.param(name, field, id=f"{group}.{name}")


@pytest.mark.parametrize(("name", "field"), list(fields()))
def test_every_setting_is_described_and_every_number_has_a_unit_and_bounds(name, field):
    assert field.description.endswith(".")
    if field.annotation in (int, float) and name.rpartition("_")[2] not in {"port", "count", "bytes"}:
        assert name.endswith(UNITS)
    if field.annotation in (int, float):
        assert {type(rule).__name__ for rule in field.metadata} >= {"Ge", "Le"}


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        Settings().listen.port = 1


def test_every_group_is_frozen_and_refuses_names_it_does_not_know():
    for field in Settings.model_fields.values():
        assert issubclass(field.annotation, Group)
        assert issubclass(field.annotation, BaseModel)
    with pytest.raises(ValidationError):
        Redis(ulr="redis://h")


@pytest.mark.parametrize(
    "groups",
    [
        {"lease": {"ttl_seconds": 5, "renew_seconds": 3}},
        {"session": {"ping_seconds": 20, "silence_seconds": 20}},
        {"live": {"deadline_ms": 8000}},
        {"ops": {"port": 65535}, "nodes": {"count": 2}},
        {"drain": {"total_seconds": 30}},
        {"session": {"low_bytes": 300_000}},
        {"store": {"durability": "replicated"}},
    ],
)
def test_settings_that_contradict_each_other_are_refused(groups):
    with pytest.raises(ValidationError, match="EXCHANGE_"):
        Settings.model_validate(groups)


def test_a_store_with_replicas_has_an_address():
    groups = {"store": {"durability": "replicated"}, "redis": {"url": "redis://h"}}
    assert Settings.model_validate(groups).store.durability == "replicated"


def test_silence_may_be_off():
    assert Settings.model_validate({"session": {"silence_seconds": 0}}).session.silence_seconds == 0


@pytest.mark.parametrize(
    ("groups", "runs"),
    [
        ({}, True),
        ({"redis": {"url": "redis://h"}}, False),
        ({"redis": {"url": "redis://h"}, "worker": {"embedded": True}}, True),
        ({"worker": {"embedded": False}}, False),
    ],
)
def test_a_worker_runs_beside_the_nodes_with_the_embedded_valkey_or_on_request(groups, runs):
    assert Settings.model_validate(groups).runs_worker is runs


def test_a_child_gets_the_same_settings_with_their_secrets():
    settings = Settings.model_validate(
        {
            "redis": {"url": "redis://u:hidden@h"},
            "listen": {"trusted_proxies": "10.0.0.0/8", "origins": "https://a.example"},
            "store": {"data_dir": "/srv/data"},
        }
    )
    line = settings.to_child()
    assert line.count(b"\n") == 1
    assert Settings.from_parent(line) == settings


def test_a_changed_copy_leaves_the_rest_alone():
    changed = Settings().changed(listen={"port": 1}, redis={"url": SecretStr("redis://h")})
    assert (changed.listen.port, changed.listen.host) == (1, "127.0.0.1")
    assert Settings().listen.port == 8082


def test_a_shown_store_address_has_neither_user_nor_password():
    shown = Redis.model_validate({"url": "redis://someone:hidden@h:1/2"}).shown
    assert shown == "redis://h:1/2"
    assert Redis().shown == ""


def test_data_goes_where_the_xdg_specification_says(monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg")
    assert data_home() == Path("/xdg/magi-exchange")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/ann")
    assert data_home() == Path("/home/ann/.local/share/magi-exchange")
