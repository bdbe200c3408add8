"""The desk of the relay, over a store in memory."""

import pytest

from exchange.core.errors import StorageUnavailable
from exchange.core.pairs import Role
from exchange.handlers.pairing import HOUR_MS, TOKEN_CHARACTERS_MOST, Desk
from exchange.ports import Store
from exchange.storage.memory.state import Memory
from exchange.storage.memory.store import memory_store
from tests.harness.world import Time

ADDRESS = "203.0.113.7"


class Rig:
    def __init__(self, ttl_ms: int = 0, registrations_per_hour: int = 5) -> None:
        self.time = Time()
        self.memory = Memory(self.time)
        self.store: Store = memory_store(self.memory)
        self.desk = Desk(
            self.store.pairs, self.store.limits, ttl_ms=ttl_ms, registrations_per_hour=registrations_per_hour
        )

    async def exists(self, token: str) -> bool:
        return await self.store.pairs.exists(self.store.pairs.pair_of(token))

    async def enter(self, token: str, role: Role) -> None:
        assert await self.store.pairs.enter(self.store.pairs.pair_of(token), role, f"sid-{role}", "node1")


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_a_pair_is_made_with_a_token_of_its_own(rig):
    tokens = {await rig.desk.create() for _ in range(10)}
    assert len(tokens) == 10
    assert all([await rig.exists(token) for token in tokens])


async def test_a_pair_lasts_for_ever_or_as_long_as_was_said(rig):
    brief = Rig(ttl_ms=1000)
    for one in (rig, brief):
        token = await one.desk.create()
        one.time.ms += 10 * 365 * 24 * HOUR_MS
        assert await one.exists(token) is (one is rig)


async def test_an_address_registers_five_times_in_any_hour(rig):
    # CORAL-30
    for _ in range(5):
        assert await rig.exists(await rig.desk.register(ADDRESS))
        rig.time.ms += 1000
    assert await rig.desk.register(ADDRESS) == HOUR_MS - 5000
    assert isinstance(await rig.desk.register("203.0.113.8"), str)
    rig.time.ms += HOUR_MS - 5000
    assert isinstance(await rig.desk.register(ADDRESS), str)
    assert await rig.desk.register(ADDRESS) == 1000


async def test_registrations_can_be_switched_off():
    rig = Rig(registrations_per_hour=0)
    assert await rig.desk.register(ADDRESS) == HOUR_MS


async def test_an_ended_pair_is_nobodys_and_ending_it_again_is_fine(rig):
    token = await rig.desk.create()
    await rig.enter(token, Role.PHONE)
    for _ in range(2):
        await rig.desk.delete(token)
        assert not await rig.exists(token)
        assert await rig.desk.connected(token) == frozenset()
        assert await rig.desk.usage(token) is None


async def test_who_is_connected_is_told_by_the_exact_token(rig):
    token = await rig.desk.create()
    assert await rig.desk.connected(token) == frozenset()
    await rig.enter(token, Role.AGENT)
    assert await rig.desk.connected(token) == {Role.AGENT}
    await rig.enter(token, Role.PHONE)
    assert await rig.desk.connected(token) == frozenset(Role)
    for other in (token.upper(), token[:-1], token + "0", f" {token}"):
        assert await rig.desk.connected(other) == frozenset()


async def test_usage_is_known_of_pairs_that_are_there(rig):
    token = await rig.desk.create()
    usage = await rig.desk.usage(token)
    assert usage is not None
    assert (usage.daily_used_bytes, usage.monthly_used_bytes) == (0, 0)
    assert await rig.desk.usage("unknown") is None


async def test_the_store_is_not_asked_about_absurd_tokens(rig):
    token = "x" * TOKEN_CHARACTERS_MOST
    await rig.store.pairs.create(token)
    assert await rig.desk.usage(token) is not None
    rig.memory.down = True
    with pytest.raises(StorageUnavailable):
        await rig.desk.connected(token)
    await rig.desk.delete(token + "x")
    assert await rig.desk.connected(token + "x") == frozenset()
    assert await rig.desk.usage(token + "x") is None
