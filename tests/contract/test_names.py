"""What ``Names`` promises."""

import asyncio

from exchange.core.model import Presence
from exchange.ports import Claim, ClaimWord, Store

HOME = "198.51.100.7"
LONG_MS = 60_000


def session(sid: str, uid: str, *, node: str = "n1", dialect: str = "magi", address: str = HOME) -> Presence:
    return Presence(sid, uid, "ada", node, dialect, address)


async def test_a_free_name_goes_to_the_offered_uid(store: Store) -> None:
    assert await store.names.claim("ada", session("s1", "u1")) == Claim(ClaimWord.FRESH, "u1")
    assert await store.names.find("ada", "magi") == "u1"


async def test_a_repeated_claim_is_the_same_and_keeps_its_uid(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"))
    assert await store.names.claim("ada", session("s1", "u2")) == Claim(ClaimWord.SAME, "u1")
    assert await store.names.find("ada", "magi") == "u1"


async def test_a_held_name_is_taken_and_says_by_whom(stores: tuple[Store, Store]) -> None:
    await stores[0].names.claim("ada", session("s1", "u1", node="n1"))
    taken = await stores[1].names.claim("ada", session("s2", "u2", node="n2"))
    assert taken == Claim(ClaimWord.TAKEN, "u1", holder="s1", node="n1")
    assert await stores[1].names.find("ada", "magi") == "u1"


async def test_of_fifty_simultaneous_claims_exactly_one_is_fresh(stores: tuple[Store, Store]) -> None:
    claims = await asyncio.gather(
        *(stores[i % 2].names.claim("ada", session(f"s{i}", f"u{i}")) for i in range(50)),
    )
    (winner,) = [claim for claim in claims if claim.word is ClaimWord.FRESH]
    assert {claim.uid for claim in claims} == {winner.uid}
    assert sum(claim.word is ClaimWord.TAKEN for claim in claims) == 49


async def test_names_compare_exactly_and_each_dialect_has_its_own(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"))
    for name, dialect in (("Ada", "magi"), ("ada ", "magi"), ("ada", "aim")):
        claim = await store.names.claim(name, session("s2", f"u-{name}-{dialect}", dialect=dialect))
        assert claim.word is ClaimWord.FRESH
    assert await store.names.find("ada", "magi") == "u1"
    assert await store.names.find("ada", "aim") == "u-ada-aim"


async def test_the_same_address_gets_its_uid_back_in_grace(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"))
    assert await store.names.release("ada", "magi", "s1", grace_ms=LONG_MS)
    assert await store.names.find("ada", "magi") is None
    assert await store.names.claim("ada", session("s2", "u2")) == Claim(ClaimWord.GRACE, "u1")
    assert await store.names.find("ada", "magi") == "u1"


async def test_another_address_gets_the_name_in_grace_but_not_the_uid(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"))
    await store.names.release("ada", "magi", "s1", grace_ms=LONG_MS)
    claim = await store.names.claim("ada", session("s2", "u2", address="198.51.100.8"))
    assert claim == Claim(ClaimWord.FRESH, "u2")


async def test_a_session_that_has_its_uid_never_gets_the_one_in_grace(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"))
    await store.names.release("ada", "magi", "s1", grace_ms=LONG_MS)
    assert await store.names.claim("ada", session("s2", "u2"), keep_uid=True) == Claim(ClaimWord.FRESH, "u2")


async def test_the_grace_runs_out(store: Store, pass_time) -> None:
    await store.names.claim("ada", session("s1", "u1"))
    await store.names.release("ada", "magi", "s1", grace_ms=50)
    await pass_time(60)
    assert await store.names.claim("ada", session("s2", "u2")) == Claim(ClaimWord.FRESH, "u2")


async def test_a_name_taken_out_of_grace_does_not_run_out(store: Store, pass_time) -> None:
    await store.names.claim("ada", session("s1", "u1"))
    await store.names.release("ada", "magi", "s1", grace_ms=200)
    await store.names.claim("ada", session("s2", "u2"))
    await pass_time(250)
    assert (await store.names.claim("ada", session("s3", "u3"))).word is ClaimWord.TAKEN


async def test_without_grace_a_name_is_forgotten_at_once(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"))
    await store.names.release("ada", "magi", "s1", grace_ms=0)
    assert await store.names.claim("ada", session("s2", "u2")) == Claim(ClaimWord.FRESH, "u2")


async def test_only_the_holder_can_let_go(store: Store) -> None:
    assert not await store.names.release("ada", "magi", "s1", grace_ms=0)
    await store.names.claim("ada", session("s1", "u1"))
    assert not await store.names.release("ada", "magi", "s2", grace_ms=0)
    assert not await store.names.release("ada", "magi", "", grace_ms=0)
    assert await store.names.find("ada", "magi") == "u1"


async def test_a_late_release_does_not_touch_the_next_holder(stores: tuple[Store, Store]) -> None:
    await stores[0].names.claim("ada", session("s1", "u1"))
    assert await stores[0].names.release("ada", "magi", "s1", grace_ms=LONG_MS)
    assert not await stores[0].names.release("ada", "magi", "s1", grace_ms=LONG_MS)
    await stores[1].names.claim("ada", session("s2", "u2"))
    assert not await stores[0].names.release("ada", "magi", "s1", grace_ms=0)
    assert await stores[0].names.find("ada", "magi") == "u1"


async def test_a_dead_holder_can_be_evicted(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"))
    assert (await store.names.claim("ada", session("s2", "u2"), evict="s0")).word is ClaimWord.TAKEN
    assert await store.names.claim("ada", session("s2", "u2"), evict="s1") == Claim(ClaimWord.FRESH, "u2")
    assert not await store.names.release("ada", "magi", "s1", grace_ms=0)


async def test_an_evict_that_comes_late_does_not_touch_the_next_holder(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"))
    await store.names.claim("ada", session("s2", "u2"), evict="s1")
    assert (await store.names.claim("ada", session("s3", "u3"), evict="s1")).word is ClaimWord.TAKEN


async def test_a_holder_that_goes_on_at_another_node_is_named_with_it(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1", node="n1"))
    await store.names.claim("ada", session("s1", "u1", node="n2"))
    assert (await store.names.claim("ada", session("s2", "u2"))).node == "n2"


async def test_nobody_is_found_under_an_unknown_name(store: Store) -> None:
    assert await store.names.find("nobody", "magi") is None
