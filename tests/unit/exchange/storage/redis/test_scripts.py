"""The Lua files as the server takes them."""

from importlib import resources

import pytest
import redis

from exchange.core.model import Link
from exchange.storage.redis import records
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.scripts import (
    CLAIM_INVITE,
    CLAIM_NAME,
    CLOSE_SESSION,
    ENLIST_INVITE,
    LINK,
    OPEN_INVITE,
    OPEN_SESSION,
    RELEASE_NAME,
    SCRIPTS,
    SET_ASIDE,
    SETTLE_INVITE,
    UNLINK,
    Script,
)
from tests.harness.valkey import Valkey

KEYS = Keyspace("magi", b"an index key for tests")
ADA = [KEYS.user("ada"), KEYS.meta("ada"), KEYS.sessions("ada"), KEYS.links("ada"), KEYS.ended("ada")]
NAME = [KEYS.name("magi", "ada")]
INVITE = [KEYS.invite("ABC123")]
BOB = records.pack_link(Link("bob", "c1", "bob", "Bob"))
HOUR = 3600


@pytest.fixture
def client(own_valkey: Valkey):
    with redis.Redis(unix_socket_path=str(own_valkey.socket)) as client:
        yield client


def run(client: redis.Redis, script: Script, keys: list[str], *args: str | bytes | int) -> object:
    return client.eval(script.source, len(keys), *keys, *args)


def open_ada(client: redis.Redis) -> object:
    return run(client, OPEN_SESSION, ADA, "s1", "n1", "magi", "ada", "Ada")


def link_bob(client: redis.Redis, condition: str = "") -> object:
    keys = [KEYS.meta("ada"), KEYS.sessions("ada"), KEYS.links("ada"), KEYS.ended("ada"), KEYS.wake("ada")]
    return run(client, LINK, keys, "bob", BOB, "announce", condition)


def unlink_bob(client: redis.Redis, keep_ms: int = 0) -> object:
    keys = [KEYS.meta("ada"), KEYS.links("ada"), KEYS.ended("ada"), KEYS.wake("ada")]
    return run(client, UNLINK, keys, "bob", "c1", keep_ms)


def test_every_file_is_a_script_and_is_loaded_once() -> None:
    files = resources.files("exchange.storage.redis").joinpath("lua").iterdir()
    assert sorted(script.name for script in SCRIPTS) == sorted(file.name.removesuffix(".lua") for file in files)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_says_its_flags_its_inputs_and_what_it_does(script: Script) -> None:
    flags, keys, args, purpose, *_ = script.source.splitlines()
    assert flags.startswith("#!lua flags=")
    assert keys.startswith("-- KEYS: ")
    assert args.startswith("-- ARGV:")
    assert purpose.startswith("-- ")
    assert purpose.count(".") >= 1
    assert 1 <= len(script.keys) <= 6
    assert len(script.args) <= 6


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_server_takes_a_script_under_the_hash_we_computed(valkey: Valkey, script: Script) -> None:
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
        assert client.script_load(script.source) == script.sha


def test_what_cleans_up_runs_on_a_full_server_and_what_takes_is_refused(client: redis.Redis) -> None:
    run(client, CLAIM_NAME, NAME, "ada", "s1", "n1", "address", 0, "")
    open_ada(client)
    link_bob(client)
    run(client, OPEN_INVITE, INVITE, "ada", 60_000, 120_000)
    run(client, CLAIM_INVITE, INVITE, "bob", "nonce", 60_000)
    client.config_set("maxmemory", 1)

    refused = [
        (CLAIM_NAME, NAME, ("ada", "s1", "n1", "address", 0, "")),
        (OPEN_SESSION, ADA, ("s2", "n1", "magi", "ada", "Ada")),
        (SET_ASIDE, [KEYS.meta("ada"), KEYS.ended("ada")], ("bob", BOB, 1000)),
        (ENLIST_INVITE, [KEYS.invites("ada")], ("hash", 1000, 3)),
        (OPEN_INVITE, [KEYS.invite("DEF456")], ("ada", 1000, 2000)),
        (CLAIM_INVITE, INVITE, ("bob", "nonce", 1000)),
    ]
    for script, keys, args in refused:
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            run(client, script, keys, *args)
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        link_bob(client)

    assert unlink_bob(client, keep_ms=60_000) == b"removed"
    assert run(client, SETTLE_INVITE, INVITE, "ada", "nonce", 0) == b"open"
    assert run(client, CLOSE_SESSION, ADA, "s1", 60_000) == []
    assert run(client, RELEASE_NAME, NAME, "s1", 60_000) == b"released"


def test_nothing_of_a_user_outlives_it(client: redis.Redis) -> None:
    open_ada(client)
    link_bob(client)
    held = (KEYS.user("ada"), KEYS.meta("ada"), KEYS.links("ada"), KEYS.sessions("ada"))
    assert [client.ttl(key) for key in held] == [-1, -1, -1, -1]

    run(client, CLOSE_SESSION, ADA, "s1", 60_000)
    assert 60 < client.ttl(KEYS.user("ada")) <= HOUR
    assert 60 < client.ttl(KEYS.meta("ada")) <= HOUR
    assert 0 < client.pttl(KEYS.ended("ada")) <= 60_000
    assert client.exists(KEYS.links("ada"), KEYS.sessions("ada")) == 0

    open_ada(client)
    assert [client.ttl(key) for key in (KEYS.user("ada"), KEYS.meta("ada"), KEYS.links("ada"))] == [-1, -1, -1]
    assert client.exists(KEYS.ended("ada")) == 0


def test_a_link_written_for_somebody_away_runs_out(client: redis.Redis) -> None:
    link_bob(client)
    assert 0 < client.ttl(KEYS.links("ada")) <= HOUR
    assert 0 < client.ttl(KEYS.meta("ada")) <= HOUR
    open_ada(client)
    assert client.ttl(KEYS.links("ada")) == -1


def test_a_short_keep_does_not_shorten_a_long_one(client: redis.Redis) -> None:
    aside = [KEYS.meta("ada"), KEYS.ended("ada")]
    open_ada(client)
    run(client, SET_ASIDE, aside, "eve", BOB, 60_000)
    run(client, SET_ASIDE, aside, "kim", BOB, 1000)
    assert client.pttl(KEYS.ended("ada")) > 1000
    link_bob(client)
    unlink_bob(client, keep_ms=1000)
    assert client.pttl(KEYS.ended("ada")) > 1000
    link_bob(client)
    run(client, CLOSE_SESSION, ADA, "s1", 1000)
    assert client.pttl(KEYS.ended("ada")) > 1000


def test_a_list_of_invitations_drops_expired_entries_and_lists_a_code_anew(client: redis.Redis) -> None:
    listed = KEYS.invites("ada")
    client.zadd(listed, {"old": 1, "again": 1})
    assert run(client, ENLIST_INVITE, [listed], "again", 60_000, 1) == b"enlisted"
    assert client.zrange(listed, 0, -1) == [b"again"]
    assert run(client, ENLIST_INVITE, [listed], "again", 60_000, 1) == b"listed"


def test_what_invitations_leave_runs_out(client: redis.Redis) -> None:
    listed = [KEYS.invites("ada")]
    run(client, ENLIST_INVITE, listed, "hash", 60_000, 3)
    run(client, ENLIST_INVITE, listed, "hash2", 1000, 3)
    assert 1000 < client.pttl(listed[0]) <= 60_000
    run(client, OPEN_INVITE, INVITE, "ada", 60_000, 120_000)
    run(client, CLAIM_INVITE, INVITE, "bob", "nonce", 10)
    run(client, SETTLE_INVITE, INVITE, "ada", "nonce", 0)
    assert 60_000 < client.pttl(INVITE[0]) <= 120_000


def test_a_held_name_never_runs_out_and_one_in_grace_does(client: redis.Redis) -> None:
    run(client, CLAIM_NAME, NAME, "ada", "s1", "n1", "address", 0, "")
    assert client.ttl(NAME[0]) == -1
    run(client, RELEASE_NAME, NAME, "s1", 5000, "address")
    assert 0 < client.pttl(NAME[0]) <= 5000


def test_generations_follow_the_clock_of_the_server_and_never_go_back(client: redis.Redis) -> None:
    seconds, micros = client.time()
    generation = open_ada(client)[0]
    assert generation >= seconds * 1_000_000 + micros
    ahead = generation + 10**12
    client.hset(KEYS.meta("ada"), "gen", ahead)
    assert run(client, OPEN_SESSION, ADA, "s2", "n1", "magi", "ada", "Ada")[0] == ahead + 1
    assert client.hget(KEYS.meta("ada"), "gen") == b"%d" % (ahead + 1)
