"""The lane against a real server that is slow, frozen, killed, or changes its mind."""

import asyncio
import contextlib
import hashlib
import os
import signal

import pytest
import redis
import uvloop

from exchange.core.errors import StorageUnavailable
from exchange.storage.redis import room, supervisor
from exchange.storage.redis.connection import INFLIGHT_COUNT
from exchange.storage.redis.endpoint import Endpoint
from exchange.storage.redis.lane import Lane
from exchange.storage.redis.resp import ReplyError
from exchange.storage.redis.room import PLACES_COUNT
from exchange.storage.redis.scripts import SCRIPTS, Script
from tests.harness.waiting import WAIT_SECONDS, eventually


def script(name, source):
    return Script(name, source, hashlib.sha1(source.encode()).hexdigest(), (), ())


ECHO = script("echo", "return {KEYS[1], ARGV[1], ARGV[2]}")
COUNT = script("count", "return redis.call('INCRBY', KEYS[1], ARGV[1])")


class Ear:
    """What a lane said to its user."""

    def __init__(self, lane):
        self.heard, self.gaps = [], 0
        lane.on_message = self.hear
        lane.on_gap = self.gap

    def hear(self, channel, payload):
        self.heard.append((channel, payload))
        if payload == b"bad":
            raise ValueError("a listener that fails")

    def gap(self):
        self.gaps += 1


@contextlib.asynccontextmanager
async def lane_to(server, **options):
    """A lane that is patient unless the test says otherwise, so that a slow machine fails no test."""
    patient = {"timeout_seconds": WAIT_SECONDS, "connect_timeout_seconds": WAIT_SECONDS, "scripts": (ECHO, COUNT)}
    lane = Lane(Endpoint.parse(server.url), probe_channel="probe", **(patient | options))
    try:
        await lane.start()
        yield lane
    finally:
        await lane.stop()


@pytest.fixture
async def lane(valkey):
    async with lane_to(valkey) as lane:
        yield lane


@pytest.fixture
def patience(monkeypatch):
    """Let callers wait as long as a test may."""
    monkeypatch.setattr(room, "PATIENCE_SECONDS", WAIT_SECONDS)


def admin(server):
    return redis.Redis(unix_socket_path=str(server.socket))


def cut(server, kind):
    with admin(server) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", kind)


@contextlib.contextmanager
def frozen(server):
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.process.pid, signal.SIGCONT)


def outcome(reply):
    return ("lost" if reply.sent else "not sent") if isinstance(reply, StorageUnavailable) else reply


# --- commands


async def test_ten_thousand_replies_come_in_order(lane):
    replies = []
    for number in range(0, 10_000, 2000):
        for offset in range(2000):
            lane.call(("ECHO", number + offset), replies.append)
        await eventually(lambda: len(replies) == number + 2000)
    assert replies == [b"%d" % number for number in range(10_000)]
    assert lane.counters.batches < 200
    assert lane.inflight == 0


async def test_an_error_reply_is_handed_over_by_call_and_raised_by_ask(lane):
    replies = []
    lane.call(("INCR",), replies.append)
    with pytest.raises(RuntimeError, match="redis: ERR wrong number of arguments"):
        await lane.ask("INCR")
    assert isinstance(replies[0], ReplyError)
    assert lane.counters.errors["ERR"] == 2


async def test_a_full_store_is_a_refusal_that_did_not_happen(own_valkey):
    async with lane_to(own_valkey) as lane:
        with admin(own_valkey) as client:
            client.config_set("maxmemory", "1")
        with pytest.raises(StorageUnavailable) as caught:
            await lane.ask("SET", "key", "value")
        assert not caught.value.sent
        assert lane.counters.errors["OOM"] == 1
        assert lane.up


async def test_a_callback_that_raises_costs_nobody_else_a_reply(lane):
    lane.call(("PING",), lambda _: 1 / 0)
    assert await lane.ask("ECHO", "after") == b"after"
    assert lane.counters.rebuilds == {}


async def test_cancelling_an_ask_disturbs_nobody(lane):
    tasks = [asyncio.create_task(lane.ask("ECHO", number)) for number in range(100)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    assert await asyncio.gather(*tasks[1::2]) == [b"%d" % number for number in range(1, 100, 2)]


async def test_a_word_that_cannot_be_packed_raises_at_once_and_is_not_called_back(lane):
    replies = []
    with pytest.raises(TypeError):
        lane.call(("SET", "key", None), replies.append)
    assert await lane.ask("PING") == b"PONG"
    assert replies == []


async def test_beyond_the_bound_a_few_wait_in_order_and_the_rest_is_refused(lane, patience):
    replies, refused = [], []
    await eventually(lambda: lane.last_probe)  # it has a place in flight too
    for number in range(INFLIGHT_COUNT + PLACES_COUNT):
        lane.call(("ECHO", number), replies.append)
    for _ in range(10):
        lane.call(("ECHO", "late"), refused.append)
    assert (replies, refused) == ([], [])
    assert lane.inflight == INFLIGHT_COUNT
    await eventually(lambda: len(replies) == INFLIGHT_COUNT + PLACES_COUNT)
    assert replies == [b"%d" % number for number in range(INFLIGHT_COUNT + PLACES_COUNT)]
    assert [outcome(reply) for reply in refused] == ["not sent"] * 10


async def test_whoever_finds_no_room_in_time_is_refused_as_not_sent(own_valkey):
    async with lane_to(own_valkey) as lane:
        replies = []
        with frozen(own_valkey):
            for _ in range(INFLIGHT_COUNT):
                lane.call(("PING",), lambda _: None)
            lane.call(("PING",), replies.append)
            await eventually(lambda: replies)
        assert outcome(replies[0]) == "not sent"


# --- scripts


async def test_a_script_gets_its_keys_and_arguments(lane):
    assert await lane.ask_script(ECHO, ["key"], [b"\x00", 7]) == [b"key", b"\x00", b"7"]


async def test_scripts_that_the_server_lost_are_loaded_once_and_each_call_runs_once(lane, valkey):
    with admin(valkey) as client:
        client.script_flush()
        client.config_resetstat()
    assert sorted(await asyncio.gather(*(lane.ask_script(COUNT, ["n"], [1]) for _ in range(50)))) == list(range(1, 51))
    with admin(valkey) as client:
        assert client.script_exists(ECHO.sha, COUNT.sha) == [True, True]
        assert client.info("commandstats")["cmdstat_script|load"]["calls"] == 2
    assert lane.counters.errors == {"NOSCRIPT": 50}
    assert lane.counters.commands < 120


async def test_a_lost_script_that_must_keep_its_turn_is_refused_and_loaded_for_the_next(lane, valkey):
    with redis.Redis(unix_socket_path=str(valkey.socket)) as client:
        client.script_flush()
    replies = []
    for number in range(3):
        lane.run(ECHO, ("k",), (number, ""), replies.append, again=False)
    await eventually(lambda: len(replies) == 3)
    assert {type(reply) for reply in replies} == {ReplyError}
    lane.run(ECHO, ("k",), ("next", ""), replies.append, again=False)
    await eventually(lambda: len(replies) == 4)
    assert replies[3] == [b"k", b"next", b""]


async def test_a_script_that_nobody_can_load_is_refused(lane):
    with pytest.raises(StorageUnavailable) as caught:
        await lane.ask_script(script("unknown", "return 1"), [], [])
    assert not caught.value.sent


async def test_scripts_are_loaded_again_after_a_restart(own_valkey, patience):
    async with lane_to(own_valkey) as lane:
        own_valkey.stop()
        await eventually(lambda: not lane.up)
        await asyncio.to_thread(own_valkey.start)
        await eventually(lambda: lane.up)
        assert await lane.ask_script(COUNT, ["n"], [1]) == 1
        assert lane.counters.errors == {}


async def test_all_scripts_of_this_release_load(valkey):
    async with lane_to(valkey, scripts=SCRIPTS):
        with admin(valkey) as client:
            assert all(client.script_exists(*(one.sha for one in SCRIPTS)))


# --- channels


async def test_messages_arrive_in_order_once_the_subscription_is_confirmed(lane):
    ear = Ear(lane)
    await lane.subscribe("a")
    assert await lane.ask("PUBLISH", "a", "0") == 1
    for number in range(1, 1000):
        lane.call(("PUBLISH", "a", number), lambda _: None)
    await eventually(lambda: len(ear.heard) == 1000)
    assert ear.heard == [(b"a", b"%d" % number) for number in range(1000)]
    assert ear.gaps == 0
    assert lane.channels == 1


async def test_a_listener_that_raises_costs_no_later_message(lane):
    ear = Ear(lane)
    await lane.subscribe("a")
    lane.call(("PUBLISH", "a", "bad"), lambda _: None)
    lane.call(("PUBLISH", "a", "good"), lambda _: None)
    await eventually(lambda: len(ear.heard) == 2)
    assert lane.counters.rebuilds == {}


async def test_after_an_unsubscribe_nobody_is_counted(lane):
    await lane.subscribe("a")
    lane.unsubscribe("a")

    async def nobody():
        return await lane.ask("PUBLISH", "a", "x") == 0

    await eventually(nobody)
    # The server counts first and confirms on the other connection.
    await eventually(lambda: lane.channels == 0)


async def test_unsubscribe_and_subscribe_again_keep_their_order(lane):
    await lane.subscribe("a")
    for _ in range(100):
        lane.unsubscribe("a")
        await lane.subscribe("a")
        assert await lane.ask("PUBLISH", "a", "x") == 1


async def test_a_channel_that_the_acl_forbids_is_refused_and_the_lane_stays_up(own_valkey):
    with admin(own_valkey) as client:
        client.execute_command("ACL", "SETUSER", "default", "resetchannels", "&probe")
    async with lane_to(own_valkey) as lane:
        with pytest.raises(RuntimeError, match="NOPERM"):
            await lane.subscribe("secret")
        assert lane.up
        assert lane.channels == 0


# --- breaks


@pytest.mark.parametrize("kind", ["normal", "pubsub"])
async def test_the_loss_of_either_connection_is_a_gap_and_what_waits_meanwhile_is_served(valkey, patience, kind):
    async with lane_to(valkey) as lane:
        ear, since = Ear(lane), lane.up_since
        for number in range(600):
            await lane.subscribe(f"channel-{number}")
        cut(valkey, kind)
        await eventually(lambda: not lane.up)
        assert await lane.ask("ECHO", "waited") == b"waited"
        await lane.subscribe("another")
        await eventually(lambda: ear.gaps == 1)
        assert lane.up_since > since
        for channel in ("channel-0", "channel-599", "another"):
            assert await lane.ask("PUBLISH", channel, "x") == 1
        await eventually(lambda: len(ear.heard) == 3)
        assert lane.counters.rebuilds == {"lost": 1}
        assert ear.gaps == 1


async def test_a_killed_server_leaves_unknown_and_not_sent_commands_and_comes_back(own_valkey):
    async with lane_to(own_valkey) as lane:
        ear = Ear(lane)
        await lane.subscribe("a")
        replies = []
        with frozen(own_valkey):
            lane.call(("SET", "key", 1), replies.append)
            await asyncio.sleep(0)
            assert lane.inflight
            own_valkey.process.kill()
        await eventually(lambda: replies)
        assert outcome(replies[0]) == "lost"
        assert lane.counters.unknown >= 1
        with pytest.raises(StorageUnavailable) as caught:
            await lane.ask("PING")
        assert not caught.value.sent
        own_valkey.stop()
        await asyncio.to_thread(own_valkey.start)
        await eventually(lambda: ear.gaps == 1)
        assert await lane.ask("PUBLISH", "a", "x") == 1
        await eventually(lambda: ear.heard == [(b"a", b"x")])


async def test_a_frozen_server_is_noticed_by_the_first_command(own_valkey):
    async with lane_to(own_valkey, timeout_seconds=0.2, probe_seconds=3600) as lane:
        ear = Ear(lane)
        await eventually(lambda: lane.last_probe)
        with frozen(own_valkey):
            with pytest.raises(StorageUnavailable) as caught:
                await lane.ask("PING")
            assert caught.value.sent
            assert lane.counters.rebuilds == {"timeout": 1}
        await eventually(lambda: ear.gaps)
        assert await lane.ask("PING") == b"PONG"


async def test_a_frozen_server_is_noticed_without_traffic(own_valkey):
    async with lane_to(own_valkey, timeout_seconds=0.2, probe_seconds=0.05) as lane:
        ear = Ear(lane)
        with frozen(own_valkey):
            await eventually(lambda: not lane.up)
        await eventually(lambda: ear.gaps)


async def test_a_failed_subscribe_is_not_resubscribed(own_valkey):
    async with lane_to(own_valkey, timeout_seconds=0.2, probe_seconds=3600) as lane:
        ear = Ear(lane)
        await eventually(lambda: lane.last_probe)
        with frozen(own_valkey), pytest.raises(StorageUnavailable):
            await lane.subscribe("a")
        await eventually(lambda: ear.gaps)
        assert lane.channels == 0
        assert await lane.ask("PUBLISH", "a", "x") == 0


async def test_a_demoted_server_is_left_and_used_again_when_it_is_primary(own_valkey, monkeypatch):
    monkeypatch.setattr(supervisor, "PAUSE_MOST_SECONDS", 0.1)
    async with lane_to(own_valkey) as lane:
        ear = Ear(lane)
        with admin(own_valkey) as client:
            client.replicaof("127.0.0.1", "1")
            with pytest.raises(StorageUnavailable) as caught:
                await lane.ask("SET", "key", 1)
            assert not caught.value.sent
            await eventually(lambda: not lane.up)
            assert lane.counters.rebuilds == {"demoted": 1}
            client.replicaof("NO", "ONE")
        await eventually(lambda: ear.gaps == 1)
        assert await lane.ask("SET", "key", 1) == b"OK"


# --- the probe


async def test_probes_pass_while_all_is_well(valkey):
    async with lane_to(valkey, probe_seconds=0.01) as lane:
        await eventually(lambda: lane.last_probe > 0)
        first = lane.last_probe
        await eventually(lambda: lane.last_probe > first)
        assert lane.counters.rebuilds == {}


async def test_a_subscription_that_died_silently_is_found_by_the_probe(valkey):
    async with lane_to(valkey, timeout_seconds=1.0, probe_seconds=0.01) as lane:
        ear = Ear(lane)
        await eventually(lambda: lane.last_probe > 0)
        # The server forgets the channel and this side does not hear of it.
        lane._channels._messages.send(b"*2\r\n$11\r\nUNSUBSCRIBE\r\n$5\r\nprobe\r\n", lambda _: None)
        await eventually(lambda: ear.gaps == 1)
        assert lane.counters.rebuilds == {"probe": 1}


# --- the beginning and the end


async def test_a_start_without_a_server_says_so(tmp_path):
    lane = Lane(Endpoint(path=str(tmp_path / "absent.sock")), probe_channel="probe", scripts=())
    with pytest.raises(StorageUnavailable, match="no connection: No such file"):
        await lane.start()
    assert not lane.up
    await lane.stop()


async def test_a_start_that_is_cancelled_leaves_nothing(own_valkey):
    lane = Lane(Endpoint.parse(own_valkey.url), probe_channel="probe", timeout_seconds=WAIT_SECONDS, scripts=())
    with frozen(own_valkey):
        task = asyncio.create_task(lane.start())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not lane.up
    await lane.stop()


async def test_stopping_fails_what_waits_and_is_no_break(own_valkey):
    async with lane_to(own_valkey) as lane:
        replies = []
        with frozen(own_valkey):
            lane.call(("PING",), replies.append)
            await lane.stop()
        assert [type(reply) for reply in replies] == [StorageUnavailable]
        assert lane.counters.rebuilds == {}
        assert not lane.up
        await lane.stop()


def test_it_lives_and_recovers_on_the_loop_of_production_too(valkey, monkeypatch):
    monkeypatch.setattr(room, "PATIENCE_SECONDS", WAIT_SECONDS)

    async def scenario():
        async with lane_to(valkey) as lane:
            ear = Ear(lane)
            await lane.subscribe("a")
            for kind in ("normal", "pubsub"):
                cut(valkey, kind)
                await eventually(lambda: not lane.up)
                replies = []
                lane.call(("PUBLISH", "a", kind), replies.append)
                await eventually(lambda: replies)
                assert replies == [1]
            await eventually(lambda: ear.heard == [(b"a", b"normal"), (b"a", b"pubsub")])
            assert ear.gaps == 2
            # Written to after it was closed underneath: uvloop raises there.
            lane._commands._transport.abort()
            lane.call(("PING",), replies.append)
            await eventually(lambda: ear.gaps == 3)
            assert outcome(replies[-1]) == "not sent"

    uvloop.run(scenario())
