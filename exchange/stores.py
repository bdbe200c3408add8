"""The configured store, for every program that needs it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from exchange.core.errors import StorageUnavailable
from exchange.ports import Allowances, Caps
from exchange.refusal import StartRefused
from exchange.settings import Settings
from exchange.storage.redis.durability import Durability
from exchange.storage.redis.fitness import Unfit
from exchange.storage.redis.store import RedisStore, Timing, inspect_store, open_store

R = TypeVar("R")


async def connect(settings: Settings, *, relay: bool = False) -> RedisStore:
    """Open the store; with ``relay`` also the way for what passes between the ends of pairs, unless that is switched off.

    Raises:
        StartRefused: It cannot be reached, or must not be used.
    """
    redis = settings.redis
    index_key = settings.secrets.index_key.get_secret_value().encode()
    return await _or_refuse(
        lambda: open_store(
            redis.url.get_secret_value(),
            prefix=redis.prefix,
            index_key=index_key,
            timing=_timing(settings),
            durability=_durability(settings),
            caps=_caps(settings),
            allowances=_allowances(settings),
            bulk=relay and settings.relay.enabled,
        )
    )


async def inspect(settings: Settings) -> None:
    """Look once, before anything uses it, whether the store is there and fit (OPS-4).

    Raises:
        StartRefused: It cannot be reached, or must not be used.
    """
    redis = settings.redis
    await _or_refuse(
        lambda: inspect_store(
            redis.url.get_secret_value(),
            prefix=redis.prefix,
            timing=_timing(settings),
            durability=_durability(settings),
        )
    )


def _timing(settings: Settings) -> Timing:
    redis = settings.redis
    return Timing(redis.command_timeout_seconds, redis.connect_timeout_seconds, redis.probe_seconds)


def _durability(settings: Settings) -> Durability:
    store = settings.store
    return Durability(store.durability, store.wait_replicas_count, store.wait_ms)


def _caps(settings: Settings) -> Caps:
    mailbox, store = settings.mailbox, settings.store
    return Caps(
        count=mailbox.envelopes_count,
        bytes=mailbox.bytes,
        share_percent=mailbox.share_percent,
        inline_bytes=store.inline_bytes,
        dedupe_ms=int(store.dedupe_seconds * 1000),
    )


def _allowances(settings: Settings) -> Allowances:
    relay = settings.relay
    return Allowances(
        daily_bytes=relay.daily_quota_bytes,
        monthly_bytes=relay.monthly_quota_bytes,
        phone_per_minute=relay.phone_per_minute_count,
        phone_burst=relay.phone_burst_count,
        agent_per_minute=relay.agent_per_minute_count,
        agent_burst=relay.agent_burst_count,
    )


async def _or_refuse(step: Callable[[], Awaitable[R]]) -> R:
    try:
        return await step()
    except Unfit as error:
        raise StartRefused(str(error)) from None
    except StorageUnavailable as error:
        raise StartRefused(f"{error}.") from None
