"""What operators are told of settings that make large frames risky."""

import asyncio

import pytest
from structlog.testing import capture_logs

from exchange.core.errors import StorageUnavailable
from exchange.storage.redis.advice import BUFFER, SHARING, give_advice
from exchange.storage.redis.resp import ReplyError

CLIENTS = "normal 0 0 0 slave 268435456 67108864 60 pubsub "


class Server:
    """A lane to a server with these settings; ``None``: we may not ask."""

    def __init__(self, settings):
        self.settings = settings

    def call(self, command, done):
        assert command[:2] == ("CONFIG", "GET")
        if self.settings is None:
            reply = ReplyError("NOPERM this user has no permissions to run the 'config|get' command")
        else:
            value = self.settings.get(command[2])
            reply = [] if value is None else [command[2].encode(), value.encode()]
        asyncio.get_running_loop().call_soon(done, reply)


async def told(settings):
    with capture_logs() as logs:
        await give_advice(Server(settings))
    assert all(line["event"] == "store.unsuited" and line["log_level"] == "warning" for line in logs)
    return [(line["setting"], line["value"], line["advised"]) for line in logs]


@pytest.mark.parametrize("limit", ["33554432 8388608 60", "268435456 8388608 60", "33554432 0 0"])
async def test_a_subscriber_that_may_not_be_behind_is_told_of(limit):
    assert await told({BUFFER: CLIENTS + limit}) == [(BUFFER, CLIENTS + limit, "pubsub 256mb 64mb 60")]


@pytest.mark.parametrize("limit", ["268435456 67108864 60", "0 0 0", "0 67108864 60"])
async def test_enough_room_is_no_matter(limit):
    assert await told({BUFFER: CLIENTS + limit}) == []


async def test_shared_replies_are_told_of():
    assert await told({BUFFER: CLIENTS + "0 0 0", SHARING: "16384"}) == [(SHARING, "16384", "0")]
    assert await told({BUFFER: CLIENTS + "0 0 0", SHARING: "0"}) == []


async def test_a_server_that_keeps_its_settings_to_itself_is_left_alone():
    assert await told(None) == []


async def test_a_server_that_is_away_is_somebody_elses_matter():
    class Away(Server):
        def call(self, command, done):
            asyncio.get_running_loop().call_soon(done, StorageUnavailable())

    with capture_logs() as logs:
        await give_advice(Away({}))
    assert logs == []
