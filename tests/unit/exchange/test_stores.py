"""The configured store: what its settings become, and how a start is refused."""

import pytest

from exchange import stores
from exchange.core.errors import StorageUnavailable
from exchange.ports import Allowances, Caps
from exchange.refusal import StartRefused
from exchange.settings import load
from exchange.storage.redis.durability import Durability
from exchange.storage.redis.fitness import Unfit
from exchange.stores import connect, inspect

SETTINGS = load(
    {
        "EXCHANGE_REDIS__URL": "redis://user:hidden@redis.example:1/2",
        "EXCHANGE_REDIS__PREFIX": "other",
        "EXCHANGE_REDIS__COMMAND_TIMEOUT_SECONDS": "2.5",
        "EXCHANGE_SECRETS__INDEX_KEY": "a key of the hashes",
        "EXCHANGE_STORE__DURABILITY": "replicated",
        "EXCHANGE_STORE__WAIT_REPLICAS_COUNT": "2",
        "EXCHANGE_STORE__INLINE_BYTES": "100",
        "EXCHANGE_STORE__DEDUPE_SECONDS": "600",
        "EXCHANGE_MAILBOX__ENVELOPES_COUNT": "7",
        "EXCHANGE_MAILBOX__BYTES": "2000000",
        "EXCHANGE_MAILBOX__SHARE_PERCENT": "25",
        "EXCHANGE_RELAY__DAILY_QUOTA_BYTES": "11",
        "EXCHANGE_RELAY__MONTHLY_QUOTA_BYTES": "12",
        "EXCHANGE_RELAY__PHONE_PER_MINUTE_COUNT": "13",
        "EXCHANGE_RELAY__PHONE_BURST_COUNT": "14",
        "EXCHANGE_RELAY__AGENT_PER_MINUTE_COUNT": "15",
        "EXCHANGE_RELAY__AGENT_BURST_COUNT": "16",
    }
)


@pytest.fixture
def opened(monkeypatch):
    """What the store was opened with; ``fails`` makes opening fail."""

    class Opened(dict):
        fails: Exception | None = None

    opened = Opened()

    async def open_store(url, **options):
        opened.update(options, url=url)
        if opened.fails is not None:
            raise opened.fails
        return "the store"

    monkeypatch.setattr(stores, "open_store", open_store)
    monkeypatch.setattr(stores, "inspect_store", open_store)
    return opened


async def test_the_store_is_opened_as_configured(opened):
    assert await connect(SETTINGS) == "the store"
    assert opened["url"] == "redis://user:hidden@redis.example:1/2"
    assert (opened["prefix"], opened["index_key"]) == ("other", b"a key of the hashes")
    assert opened["timing"].timeout_seconds == 2.5
    assert opened["durability"] == Durability("replicated", 2, 150)
    assert opened["caps"] == Caps(7, 2_000_000, 25, 100, 600_000)
    assert opened["allowances"] == Allowances(11, 12, 13, 14, 15, 16)


async def test_only_a_node_that_relays_opens_a_lane_for_it(opened):
    off = load({"EXCHANGE_REDIS__URL": "redis://redis.example", "EXCHANGE_RELAY__ENABLED": "false"})
    for settings, relay, bulk in ((SETTINGS, True, True), (SETTINGS, False, False), (off, True, False)):
        await connect(settings, relay=relay)
        assert opened["bulk"] is bulk


async def test_a_look_before_the_start_needs_no_key(opened):
    await inspect(SETTINGS)
    assert opened["prefix"] == "other"
    assert opened["durability"].level == "replicated"
    assert "index_key" not in opened


@pytest.mark.parametrize("step", [connect, inspect])
@pytest.mark.parametrize("error", [Unfit("The store is too old."), StorageUnavailable("The store does not answer")])
async def test_a_store_that_cannot_be_used_refuses_the_start_in_one_sentence(opened, step, error):
    opened.fails = error
    with pytest.raises(StartRefused) as refusal:
        await step(SETTINGS)
    assert str(refusal.value) == str(error).rstrip(".") + "."
    assert refusal.value.__cause__ is None, "a traceback would show the address"


async def test_a_real_store_can_be_opened_twice_and_is_one(valkey):
    settings = load({"EXCHANGE_REDIS__URL": valkey.url, "EXCHANGE_STORE__DURABILITY": "memory"})
    await inspect(settings)
    one, other = await connect(settings), await connect(settings)
    try:
        assert await one.ports.jobs.hold("job", "one", ttl_ms=60_000)
        assert not await other.ports.jobs.hold("job", "other", ttl_ms=60_000)
    finally:
        await one.close()
        await other.close()
