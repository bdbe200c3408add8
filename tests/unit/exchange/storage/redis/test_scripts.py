"""The Lua files as the server takes them."""

from importlib import resources

import msgspec
import pytest
import redis

from exchange.core.model import Link, Profile
from exchange.storage.redis import records
from exchange.storage.redis.keyspace import Keyspace
from exchange.storage.redis.scripts import (
    CLAIM_INVITE,
    CLAIM_NAME,
    CLOSE_SESSION,
    CONFIRM_INVITE,
    DESCRIBE_USER,
    DROP_REPLY,
    ENLIST_INVITE,
    FORGET_NAME,
    KEEP_REPLY,
    LINK,
    MARK_AWAY,
    OPEN_INVITE,
    OPEN_SESSION,
    RELEASE_NAME,
    RESERVE,
    SCRIPTS,
    SET_ASIDE,
    SETTLE_INVITE,
    UNLINK,
    Script,
)
from tests.harness.valkey import Valkey

KEYS = Keyspace("magi", b"an index key for tests")
ADA = [
    *(KEYS.user("ada"), KEYS.meta("ada"), KEYS.sessions("ada")),
    *(KEYS.links("ada"), KEYS.ended("ada"), KEYS.mailbox("ada")),
]
ADA_AND_WAKE = [*ADA, KEYS.wake("ada")]
LASTING = [KEYS.user("ada"), KEYS.meta("ada"), KEYS.links("ada"), KEYS.mailbox("ada")]
NAME = [KEYS.name("magi", "ada")]
INVITE = [KEYS.invite("ABC123")]
DONE = [KEYS.done("ada", "m1")]
DIGEST = "0123456789abcdef"
BOB = records.pack_link(Link("bob", "c1", "bob", "Bob"))
FRIEND = records.pack_link(Link("bob", "c1", "bob", "Bob", persist=True))
PROFILE = records.pack_profile(Profile("ada", "Ada"))
CLAIMANT = records.pack_array("ada", "s1", "n1", "address")
RULES = records.pack_array(False, True, "", "")
NEWER = msgspec.msgpack.encode((2, "c1", "bob@example.com", "Bob", 1, False))
HOUR = 3600


@pytest.fixture
def client(own_valkey: Valkey):
    with redis.Redis(unix_socket_path=str(own_valkey.socket)) as client:
        yield client


def run(client: redis.Redis, script: Script, keys: list[str], *args: str | bytes | int) -> object:
    return client.eval(script.source, len(keys), *keys, *args)


def open_ada(client: redis.Redis) -> object:
    return run(client, OPEN_SESSION, ADA_AND_WAKE, "s1", "n1", "magi", PROFILE, 0)


def close_ada(client: redis.Redis, grace_ms: int = 0) -> object:
    return run(client, CLOSE_SESSION, ADA, "s1", grace_ms)


def link_bob(client: redis.Redis, record: bytes = BOB, condition: str = "") -> object:
    return run(client, LINK, ADA_AND_WAKE, "bob", record, "announce", condition)


def unlink_bob(client: redis.Redis, keep_ms: int = 0) -> object:
    return run(client, UNLINK, ADA_AND_WAKE, "bob", "c1", keep_ms)


def leave_mail(client: redis.Redis) -> bytes:
    """Leave what an append leaves, as far as these scripts look."""
    fields = {"f": "bob", "i": "m1", "k": 1, "x": 5000, "p": "0-0", "b": b"envelope"}
    return client.xadd(KEYS.mailbox("ada"), fields)


def lifetimes(client: redis.Redis) -> set[bool]:
    """Tell of what is kept of a user whether it runs out."""
    return {client.ttl(key) > 0 for key in LASTING if client.exists(key)}


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
    assert 1 <= len(script.keys) <= 8
    assert len(script.args) <= 6


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_server_takes_a_script_under_the_hash_we_computed(valkey: Valkey, script: Script) -> None:
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
        assert client.script_load(script.source) == script.sha


def test_what_cleans_up_runs_on_a_full_server_and_what_takes_is_refused(client: redis.Redis) -> None:
    run(client, CLAIM_NAME, NAME, CLAIMANT, RULES, "", "")
    open_ada(client)
    link_bob(client)
    run(client, OPEN_INVITE, INVITE, "ada", 60_000, 120_000, "", 0)
    run(client, CLAIM_INVITE, INVITE, "bob", "nonce", 60_000)
    run(client, RESERVE, DONE, "s1", DIGEST, 60_000)
    run(client, LINK, ADA_AND_WAKE, "kim", FRIEND, "", "")
    client.config_set("maxmemory", 1)

    refused = [
        (CLAIM_NAME, NAME, (CLAIMANT, RULES, "", "")),
        (OPEN_SESSION, ADA_AND_WAKE, ("s2", "n1", "magi", PROFILE, 0)),
        (SET_ASIDE, [KEYS.meta("ada"), KEYS.ended("ada")], ("bob", BOB, 1000)),
        (ENLIST_INVITE, [KEYS.invites("ada")], ("hash", 1000, 3)),
        (OPEN_INVITE, [KEYS.invite("DEF456")], ("ada", 1000, 2000, "", 0)),
        (CONFIRM_INVITE, INVITE, ("ada", "hash")),
        (CLAIM_INVITE, INVITE, ("bob", "nonce", 1000)),
        (RESERVE, DONE, ("s1", DIGEST, 1000)),
        (KEEP_REPLY, DONE, ("s1", DIGEST, "reply", 1000)),
        (DESCRIBE_USER, [KEYS.user("ada")], (PROFILE,)),
    ]
    for script, keys, args in refused:
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            run(client, script, keys, *args)
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        link_bob(client)

    assert unlink_bob(client, keep_ms=60_000) == b"removed"
    assert run(client, SETTLE_INVITE, INVITE, "ada", "nonce", 0) == b"open"
    away = [KEYS.meta("ada"), KEYS.links("ada"), KEYS.wake("ada")]
    assert run(client, MARK_AWAY, away, "kim", "c1", 1) == b"marked"
    assert close_ada(client, 60_000)[0] == []
    assert run(client, RELEASE_NAME, NAME, "s1", 60_000, 0) == b"released"
    assert run(client, FORGET_NAME, NAME, "s1") == b"not_holder"
    assert run(client, DROP_REPLY, DONE, "s1") == b"dropped"


def test_nothing_of_a_user_outlives_it(client: redis.Redis) -> None:
    open_ada(client)
    link_bob(client)
    held = (KEYS.user("ada"), KEYS.meta("ada"), KEYS.links("ada"), KEYS.sessions("ada"))
    assert [client.ttl(key) for key in held] == [-1, -1, -1, -1]

    close_ada(client, 60_000)
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


@pytest.mark.parametrize("belonging", ["a persistent link", "mail", "a link of a newer release"])
def test_a_user_with_belongings_does_not_run_out(client: redis.Redis, belonging: str) -> None:
    open_ada(client)
    if belonging == "mail":
        leave_mail(client)
    elif belonging == "a persistent link":
        link_bob(client, FRIEND)
    else:
        client.hset(KEYS.links("ada"), "bob", NEWER)
    close_ada(client)
    assert lifetimes(client) == {False}


def test_an_empty_mailbox_runs_out_with_its_user_and_comes_back_with_it(client: redis.Redis) -> None:
    open_ada(client)
    client.xdel(KEYS.mailbox("ada"), leave_mail(client))
    close_ada(client)
    assert client.exists(KEYS.mailbox("ada"))
    assert lifetimes(client) == {True}
    open_ada(client)
    assert lifetimes(client) == {False}


def test_a_persistent_link_for_somebody_away_keeps_all_of_the_user(client: redis.Redis) -> None:
    open_ada(client)
    client.xdel(KEYS.mailbox("ada"), leave_mail(client))
    close_ada(client)
    link_bob(client, FRIEND)
    assert client.exists(*LASTING) == 4
    assert lifetimes(client) == {False}


def test_a_plain_link_for_somebody_away_does_not_let_belongings_run_out(client: redis.Redis) -> None:
    open_ada(client)
    run(client, LINK, ADA_AND_WAKE, "kim", FRIEND, "", "")
    close_ada(client)
    link_bob(client)
    assert lifetimes(client) == {False}


def test_with_its_last_link_somebody_away_runs_out_unless_there_is_mail(client: redis.Redis) -> None:
    open_ada(client)
    offset = leave_mail(client)
    link_bob(client, FRIEND)
    unlink_bob(client)
    link_bob(client, FRIEND)
    assert lifetimes(client) == {False}
    close_ada(client)
    unlink_bob(client)
    assert lifetimes(client) == {False}
    link_bob(client, FRIEND)
    client.xdel(KEYS.mailbox("ada"), offset)
    run(client, LINK, ADA_AND_WAKE, "kim", FRIEND, "", "")
    unlink_bob(client)
    assert lifetimes(client) == {False}
    run(client, UNLINK, ADA_AND_WAKE, "kim", "c1", 0)
    assert client.exists(*LASTING) == 3
    assert lifetimes(client) == {True}


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
    close_ada(client, 1000)
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
    run(client, OPEN_INVITE, INVITE, "ada", 60_000, 120_000, "", 0)
    run(client, CLAIM_INVITE, INVITE, "bob", "nonce", 10)
    run(client, SETTLE_INVITE, INVITE, "ada", "nonce", 0)
    assert 60_000 < client.pttl(INVITE[0]) <= 120_000


def test_a_held_name_never_runs_out_and_one_in_grace_does(client: redis.Redis) -> None:
    run(client, CLAIM_NAME, NAME, CLAIMANT, RULES, "", "")
    assert client.ttl(NAME[0]) == -1
    run(client, RELEASE_NAME, NAME, "s1", 5000, 0)
    assert 0 < client.pttl(NAME[0]) <= 5000


@pytest.mark.parametrize(("keep_ms", "runs_out"), [(0, False), (60_000, True)])
def test_a_guarded_name_is_kept_as_long_as_is_said(client: redis.Redis, keep_ms: int, runs_out: bool) -> None:
    run(client, CLAIM_NAME, NAME, CLAIMANT, RULES, "", "hash of a token")
    run(client, RELEASE_NAME, NAME, "s1", 5000, keep_ms)
    assert (5000 < client.pttl(NAME[0]) <= 60_000) == runs_out
    assert (client.pttl(NAME[0]) == -1) != runs_out


def test_generations_follow_the_clock_of_the_server_and_never_go_back(client: redis.Redis) -> None:
    seconds, micros = client.time()
    generation = open_ada(client)[0]
    assert generation >= seconds * 1_000_000 + micros
    ahead = generation + 10**12
    client.hset(KEYS.meta("ada"), "gen", ahead)
    assert run(client, OPEN_SESSION, ADA_AND_WAKE, "s2", "n1", "magi", PROFILE, 0)[0] == ahead + 1
    assert client.hget(KEYS.meta("ada"), "gen") == b"%d" % (ahead + 1)
    run(client, CLOSE_SESSION, ADA, "s1", 0)
    assert run(client, CLOSE_SESSION, ADA, "s2", 0)[2] == ahead + 2
    left = client.hget(KEYS.user("ada"), "left_stamp"), client.hget(KEYS.meta("ada"), "gen")
    assert left == (b"%d" % (ahead + 2),) * 2
