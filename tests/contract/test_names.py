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


# --- tokens ----------------------------------------------------------------------------------------------------------


async def guarded(store: Store, name: str = "ada") -> None:
    """Let a user with a token leave its name."""
    await store.names.claim(name, session("s1", "u1"), token="t1")
    assert await store.names.release(name, "magi", "s1", grace_ms=LONG_MS, keep_ms=LONG_MS)


async def works(store: Store, proof: str) -> bool:
    """Tell whether a proof is right, without changing anything: with a holder and no takeover nothing is given away."""
    claim = await store.names.claim("ada", session("probe", "probe"), proof=proof, takeover=False)
    assert claim.word in {ClaimWord.TAKEN, ClaimWord.WRONG}
    return claim.word is ClaimWord.TAKEN


async def test_a_guarded_name_is_given_to_nobody_without_its_token(store: Store) -> None:
    await guarded(store)
    for address in (HOME, "198.51.100.8"):
        for keep_uid in (False, True):
            claim = await store.names.claim("ada", session("s2", "u2", address=address), keep_uid=keep_uid)
            assert claim == Claim(ClaimWord.GUARDED, "u1")
    assert await store.names.find("ada", "magi") is None


async def test_the_token_brings_a_left_name_back_from_anywhere(stores: tuple[Store, Store]) -> None:
    await guarded(stores[0])
    claim = await stores[1].names.claim("ada", session("s2", "u2", address="198.51.100.8"), proof="t1", token="t2")
    assert claim == Claim(ClaimWord.RESUMED, "u1")
    assert await stores[0].names.find("ada", "magi") == "u1"


async def test_the_token_takes_a_held_name_over_and_says_from_whom(stores: tuple[Store, Store]) -> None:
    await stores[0].names.claim("ada", session("s1", "u1", node="n1"), token="t1")
    claim = await stores[1].names.claim("ada", session("s2", "u2", node="n2"), proof="t1")
    assert claim == Claim(ClaimWord.RESUMED, "u1", holder="s1", node="n1")
    assert not await stores[0].names.release("ada", "magi", "s1", grace_ms=0)
    taken = await stores[0].names.claim("ada", session("s3", "u3"))
    assert taken == Claim(ClaimWord.TAKEN, "u1", holder="s2", node="n2")


async def test_without_takeover_a_held_name_is_taken_in_spite_of_the_token(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"), token="t1")
    claim = await store.names.claim("ada", session("s2", "u2"), proof="t1", takeover=False)
    assert claim == Claim(ClaimWord.TAKEN, "u1", holder="s1", node="n1")
    await store.names.release("ada", "magi", "s1", grace_ms=0)
    claim = await store.names.claim("ada", session("s2", "u2"), proof="t1", takeover=False)
    assert claim == Claim(ClaimWord.RESUMED, "u1")


async def test_without_takeover_the_token_brings_the_name_of_a_dead_holder_back(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"), token="t1")
    claim = await store.names.claim("ada", session("s2", "u2"), proof="t1", takeover=False, evict="s1")
    assert claim == Claim(ClaimWord.RESUMED, "u1", holder="s1", node="n1")


async def test_a_holder_of_a_guarded_name_can_be_evicted_with_its_token_only(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"), token="t1")
    claim = await store.names.claim("ada", session("s2", "u2"), evict="s1")
    assert claim == Claim(ClaimWord.GUARDED, "u1", holder="s1", node="n1")
    assert await store.names.find("ada", "magi") == "u1"


async def test_a_held_name_is_taken_for_whoever_has_no_token(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"), token="t1")
    assert (await store.names.claim("ada", session("s2", "u2"))).word is ClaimWord.TAKEN


async def test_a_wrong_token_is_wrong_whoever_holds_the_name(store: Store) -> None:
    assert await store.names.claim("ada", session("s1", "u1"), proof="t1") == Claim(ClaimWord.WRONG, "")
    assert await store.names.find("ada", "magi") is None
    await store.names.claim("ada", session("s1", "u1"))
    assert (await store.names.claim("ada", session("s2", "u2"), proof="t1")).word is ClaimWord.WRONG
    assert (await store.names.claim("ada", session("s1", "u1"), proof="t1")).word is ClaimWord.WRONG
    assert (await store.names.claim("ada", session("s2", "u2"), proof="t1", evict="s1")).word is ClaimWord.WRONG
    await store.names.release("ada", "magi", "s1", grace_ms=LONG_MS)
    assert (await store.names.claim("ada", session("s2", "u2"), proof="t1")).word is ClaimWord.WRONG
    assert (await store.names.claim("ada", session("s2", "u2"))).word is ClaimWord.GRACE


async def test_a_token_of_another_name_is_wrong(store: Store) -> None:
    await guarded(store)
    await store.names.claim("bob", session("s2", "u2"), token="t2")
    assert (await store.names.claim("ada", session("s3", "u3"), proof="t2")).word is ClaimWord.WRONG
    aim = await store.names.claim("ada", session("s3", "u3", dialect="aim"), proof="t1")
    assert aim.word is ClaimWord.WRONG


async def test_a_refused_claim_issues_no_token(store: Store) -> None:
    await guarded(store)
    await store.names.claim("ada", session("s2", "u2"), token="t2")
    await store.names.claim("ada", session("s2", "u2"), proof="t9", token="t3")
    assert (await store.names.claim("ada", session("s2", "u2"), proof="t1")).word is ClaimWord.RESUMED
    await store.names.claim("ada", session("s3", "u3"), token="t4")
    assert [await works(store, token) for token in ("t1", "t2", "t3", "t4")] == [True, False, False, False]


async def test_the_token_before_is_good_until_the_newest_was_used(store: Store) -> None:
    await guarded(store)
    await store.names.claim("ada", session("s2", "u2"), proof="t1", token="t2")
    assert [await works(store, token) for token in ("t1", "t2")] == [True, True]
    # The reply with t2 never arrived: the owner comes once more with t1, and whoever got t2 has it for nothing.
    await store.names.claim("ada", session("s3", "u3"), proof="t1", token="t3")
    assert [await works(store, token) for token in ("t1", "t2", "t3")] == [True, False, True]
    await store.names.claim("ada", session("s4", "u4"), proof="t3", token="t4")
    assert [await works(store, token) for token in ("t1", "t2", "t3", "t4")] == [False, False, True, True]


async def test_using_the_newest_token_ends_the_one_before_even_if_no_other_is_issued(store: Store) -> None:
    await guarded(store)
    await store.names.claim("ada", session("s2", "u2"), proof="t1", token="t2")
    await store.names.claim("ada", session("s3", "u3"), proof="t1")
    assert [await works(store, token) for token in ("t1", "t2")] == [True, True]
    await store.names.claim("ada", session("s4", "u4"), proof="t2")
    assert [await works(store, token) for token in ("t1", "t2")] == [False, True]


async def test_a_repeated_claim_with_a_token_changes_nothing_more(store: Store) -> None:
    await guarded(store)
    await store.names.claim("ada", session("s2", "u2"), proof="t1", token="t2")
    again = await store.names.claim("ada", session("s2", "u2"), proof="t1", token="t2")
    assert again == Claim(ClaimWord.SAME, "u1")
    assert [await works(store, token) for token in ("t1", "t2")] == [True, True]


async def test_a_holder_can_have_a_token_issued_at_any_time(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"))
    assert await store.names.claim("ada", session("s1", "u1"), token="t1") == Claim(ClaimWord.SAME, "u1")
    await store.names.claim("ada", session("s1", "u1"), token="t2")
    assert [await works(store, token) for token in ("t1", "t2")] == [False, True]
    await store.names.claim("ada", session("s1", "u1"))
    assert await works(store, "t2")


async def test_a_token_issued_out_of_grace_guards_the_name(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"))
    await store.names.release("ada", "magi", "s1", grace_ms=LONG_MS)
    assert (await store.names.claim("ada", session("s2", "u2"), token="t1")).word is ClaimWord.GRACE
    await store.names.release("ada", "magi", "s2", grace_ms=LONG_MS)
    assert await store.names.claim("ada", session("s3", "u3")) == Claim(ClaimWord.GUARDED, "u1")


async def test_a_guarded_name_whose_owner_has_nothing_to_lose_is_free_and_guarded_no_more(store: Store) -> None:
    await guarded(store)
    assert (await store.names.claim("ada", session("s2", "u2"), forfeit="u9")).word is ClaimWord.GUARDED
    assert await store.names.claim("ada", session("s2", "u2"), forfeit="u1") == Claim(ClaimWord.FRESH, "u2")
    assert not await works(store, "t1")
    await store.names.release("ada", "magi", "s2", grace_ms=0)
    assert await store.names.claim("ada", session("s3", "u3")) == Claim(ClaimWord.FRESH, "u3")


async def test_forfeit_takes_no_name_from_a_holder(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"), token="t1")
    assert (await store.names.claim("ada", session("s2", "u2"), forfeit="u1")).word is ClaimWord.TAKEN


async def test_a_guarded_name_outlasts_the_grace_and_is_kept_for_its_time(store: Store, pass_time) -> None:
    await store.names.claim("ada", session("s1", "u1"), token="t1")
    await store.names.release("ada", "magi", "s1", grace_ms=1, keep_ms=150)
    await pass_time(10)
    assert (await store.names.claim("ada", session("s2", "u2"))).word is ClaimWord.GUARDED
    await pass_time(150)
    assert (await store.names.claim("ada", session("s2", "u2"), proof="t1")).word is ClaimWord.WRONG
    assert await store.names.claim("ada", session("s2", "u2")) == Claim(ClaimWord.FRESH, "u2")


async def test_a_guarded_name_is_kept_without_end_if_no_time_is_given(store: Store, pass_time) -> None:
    await store.names.claim("ada", session("s1", "u1"), token="t1")
    await store.names.release("ada", "magi", "s1", grace_ms=1)
    await pass_time(20)
    assert await store.names.claim("ada", session("s2", "u2"), proof="t1") == Claim(ClaimWord.RESUMED, "u1")


async def test_a_resumed_name_does_not_run_out(store: Store, pass_time) -> None:
    await store.names.claim("ada", session("s1", "u1"), token="t1")
    await store.names.release("ada", "magi", "s1", grace_ms=0, keep_ms=200)
    await store.names.claim("ada", session("s2", "u2"), proof="t1")
    await pass_time(250)
    assert (await store.names.claim("ada", session("s3", "u3"))).word is ClaimWord.TAKEN


async def test_a_forgotten_name_is_free_at_once_and_its_token_wrong(store: Store) -> None:
    await store.names.claim("ada", session("s1", "u1"), token="t1")
    assert not await store.names.forget("ada", "magi", "s2")
    assert not await store.names.forget("ada", "aim", "s1")
    assert [await store.names.forget("ada", "magi", "s1") for _ in range(2)] == [True, False]
    assert (await store.names.claim("ada", session("s2", "u2"), proof="t1")).word is ClaimWord.WRONG
    assert await store.names.claim("ada", session("s2", "u2")) == Claim(ClaimWord.FRESH, "u2")


async def test_a_name_that_was_left_is_not_forgotten_by_its_last_holder(store: Store) -> None:
    await guarded(store)
    assert not await store.names.forget("ada", "magi", "s1")
    assert (await store.names.claim("ada", session("s2", "u2"))).word is ClaimWord.GUARDED


async def test_of_fifty_simultaneous_resumes_each_takes_over_from_the_one_before(stores: tuple[Store, Store]) -> None:
    await guarded(stores[0])
    claims = await asyncio.gather(
        *(stores[i % 2].names.claim("ada", session(f"r{i}", f"u{i}"), proof="t1") for i in range(50)),
    )
    assert {(claim.word, claim.uid) for claim in claims} == {(ClaimWord.RESUMED, "u1")}
    assert len({claim.holder for claim in claims}) == 50


async def test_of_fifty_simultaneous_resumes_with_one_token_for_fifty_new_ones_one_new_one_is_good(
    stores: tuple[Store, Store],
) -> None:
    await guarded(stores[0])
    await asyncio.gather(
        *(stores[i % 2].names.claim("ada", session(f"r{i}", f"u{i}"), proof="t1", token=f"new{i}") for i in range(50)),
    )
    good = [await works(stores[0], f"new{i}") for i in range(50)]
    assert good.count(True) == 1
    assert await works(stores[0], "t1")


async def test_a_name_that_waits_for_its_token_can_be_kept_for_its_owner(
    stores: tuple[Store, Store], pass_time
) -> None:
    await stores[0].names.claim("ada", session("s1", "u1"), token="t1")
    await stores[0].names.release("ada", "magi", "s1", grace_ms=0, keep_ms=300)
    for _ in range(2):
        assert await stores[1].names.keep("ada", "magi", "u1")
    await pass_time(310)
    assert (await stores[0].names.claim("ada", session("s2", "u2"))).word is ClaimWord.GUARDED
    assert (await stores[0].names.claim("ada", session("s2", "u2"), proof="t1")).uid == "u1"


async def test_no_other_name_is_kept(store: Store, pass_time) -> None:
    assert not await store.names.keep("ada", "magi", "u1")
    await store.names.claim("ada", session("s1", "u1"), token="t1")
    assert not await store.names.keep("ada", "magi", "u1"), "it is held"
    await store.names.release("ada", "magi", "s1", grace_ms=0, keep_ms=200)
    assert not await store.names.keep("ada", "magi", "u2")
    assert not await store.names.keep("ada", "aim", "u1")
    await pass_time(210)
    assert not await store.names.keep("ada", "magi", "u1")
    assert (await store.names.claim("ada", session("s3", "u3"))).word is ClaimWord.FRESH
    await store.names.release("ada", "magi", "s3", grace_ms=300)
    assert not await store.names.keep("ada", "magi", "u3"), "in grace it waits for an address, not for a token"
