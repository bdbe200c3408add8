"""What ``Invites`` promises."""

import asyncio

import pytest

from exchange.ports import InviteWord, Store

LIFE_MS = 60_000


async def opened(store: Store, code: str = "ABC123", uid: str = "u1", *, life_ms: int = LIFE_MS, most: int = 3) -> None:
    assert await store.invites.open(code, uid, life_ms=life_ms, most=most) is InviteWord.OPEN


async def word_of(store: Store, code: str = "ABC123") -> InviteWord:
    return (await store.invites.peek(code))[0]


async def test_an_opened_invitation_is_open_and_says_whose_it_is(stores: tuple[Store, Store]) -> None:
    await opened(stores[0])
    assert await stores[1].invites.peek("ABC123") == (InviteWord.OPEN, "u1")


async def test_a_code_that_was_never_made_is_unknown(store: Store) -> None:
    assert await store.invites.peek("ABC123") == (InviteWord.UNKNOWN, "")
    assert await store.invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS) is InviteWord.UNKNOWN


async def test_an_open_code_cannot_be_opened_by_another_user(store: Store) -> None:
    await opened(store)
    assert await store.invites.open("ABC123", "u2", life_ms=LIFE_MS, most=3) is InviteWord.COLLISION
    assert await store.invites.peek("ABC123") == (InviteWord.OPEN, "u1")


async def test_opening_again_is_a_repeat_and_changes_nothing(store: Store, pass_time) -> None:
    await opened(store, life_ms=LIFE_MS, most=1)
    await opened(store, life_ms=1, most=1)
    await pass_time(10)
    assert await word_of(store) is InviteWord.OPEN


async def test_a_repeat_counts_once(store: Store) -> None:
    for _ in range(3):
        await opened(store, most=2)
    await opened(store, "DEF456", most=2)
    assert await store.invites.open("GHI789", "u1", life_ms=LIFE_MS, most=2) is InviteWord.FULL


async def test_a_code_that_is_being_redeemed_collides_for_everybody_and_still_counts(store: Store) -> None:
    await opened(store, most=1)
    await store.invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS)
    for uid in ("u1", "u3"):
        assert await store.invites.open("ABC123", uid, life_ms=LIFE_MS, most=1) is InviteWord.COLLISION
    assert await store.invites.open("DEF456", "u1", life_ms=LIFE_MS, most=1) is InviteWord.FULL
    assert await word_of(store) is InviteWord.BUSY


async def test_a_collision_does_not_count_as_open(store: Store) -> None:
    await opened(store, uid="u1")
    await opened(store, "U2CODE", "u2", most=2)
    assert await store.invites.open("ABC123", "u2", life_ms=LIFE_MS, most=2) is InviteWord.COLLISION
    await opened(store, "U2MORE", "u2", most=2)


async def test_of_fifty_simultaneous_opens_of_one_code_one_succeeds(stores: tuple[Store, Store]) -> None:
    words = await asyncio.gather(
        *(stores[i % 2].invites.open("ABC123", f"u{i}", life_ms=LIFE_MS, most=3) for i in range(50))
    )
    assert words.count(InviteWord.OPEN) == 1
    assert words.count(InviteWord.COLLISION) == 49
    assert (await stores[0].invites.peek("ABC123"))[1] == f"u{words.index(InviteWord.OPEN)}"


async def test_a_user_has_at_most_so_many_open(stores: tuple[Store, Store]) -> None:
    words = await asyncio.gather(
        *(stores[i % 2].invites.open(f"CODE{i:02}", "u1", life_ms=LIFE_MS, most=3) for i in range(10))
    )
    assert words.count(InviteWord.OPEN) == 3
    assert words.count(InviteWord.FULL) == 7
    full = words.index(InviteWord.FULL)
    assert await word_of(stores[0], f"CODE{full:02}") is InviteWord.UNKNOWN
    await opened(stores[0], "OTHERS", "u2")


async def test_expired_ones_do_not_count_as_open(store: Store, pass_time) -> None:
    await opened(store, life_ms=40, most=2)
    await opened(store, "DEF456", most=2)
    await pass_time(50)
    await opened(store, "GHI789", most=2)
    assert await store.invites.open("JKL012", "u1", life_ms=LIFE_MS, most=2) is InviteWord.FULL


async def test_used_ones_do_not_count_as_open(store: Store) -> None:
    await opened(store, most=1)
    await store.invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS)
    assert await store.invites.open("DEF456", "u1", life_ms=LIFE_MS, most=1) is InviteWord.FULL
    await store.invites.settle("ABC123", "u1", "n1", commit=True)
    await opened(store, "DEF456", most=1)


async def test_an_invitation_expires_and_its_code_stays_blocked_for_a_while(store: Store, pass_time) -> None:
    await opened(store, life_ms=40)
    await pass_time(50)
    assert await store.invites.peek("ABC123") == (InviteWord.EXPIRED, "u1")
    assert await store.invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS) is InviteWord.EXPIRED
    for uid in ("u1", "u3"):
        assert await store.invites.open("ABC123", uid, life_ms=LIFE_MS, most=1) is InviteWord.COLLISION
    await opened(store, "DEF456", most=1)


async def test_of_fifty_simultaneous_claims_exactly_one_succeeds(stores: tuple[Store, Store]) -> None:
    await opened(stores[0])
    words = await asyncio.gather(
        *(stores[i % 2].invites.claim("ABC123", f"r{i}", f"n{i}", claim_ms=LIFE_MS) for i in range(50))
    )
    assert words.count(InviteWord.CLAIMED) == 1
    assert words.count(InviteWord.BUSY) == 49
    assert await stores[0].invites.peek("ABC123") == (InviteWord.BUSY, "u1")


async def test_the_same_nonce_of_the_same_redeemer_gets_its_claim_again(store: Store) -> None:
    await opened(store)
    words = [await store.invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS) for _ in range(2)]
    assert words == [InviteWord.CLAIMED, InviteWord.CLAIMED]
    assert await store.invites.claim("ABC123", "u3", "n1", claim_ms=LIFE_MS) is InviteWord.BUSY


async def test_a_claim_that_was_not_settled_lapses(store: Store, pass_time) -> None:
    await opened(store)
    await store.invites.claim("ABC123", "u2", "n1", claim_ms=40)
    await pass_time(50)
    assert await word_of(store) is InviteWord.OPEN
    assert await store.invites.claim("ABC123", "u3", "n2", claim_ms=LIFE_MS) is InviteWord.CLAIMED
    await store.invites.settle("ABC123", "u1", "n1", commit=True)
    assert await word_of(store) is InviteWord.BUSY


async def test_a_repeat_does_not_change_when_a_claim_lapses(store: Store, pass_time) -> None:
    await opened(store)
    await store.invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS)
    await store.invites.claim("ABC123", "u2", "n1", claim_ms=1)
    await pass_time(10)
    assert await word_of(store) is InviteWord.BUSY


async def test_a_claim_of_an_invitation_that_expires_meanwhile_can_be_committed(store: Store, pass_time) -> None:
    await opened(store, life_ms=1000)
    await store.invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS)
    await pass_time(1010)
    assert await store.invites.claim("ABC123", "u3", "n2", claim_ms=LIFE_MS) is InviteWord.EXPIRED
    assert await store.invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS) is InviteWord.CLAIMED
    await store.invites.settle("ABC123", "u1", "n1", commit=True)
    assert await word_of(store) is InviteWord.UNKNOWN


async def test_a_committed_code_is_used_up_for_everybody(stores: tuple[Store, Store]) -> None:
    await opened(stores[0])
    await stores[0].invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS)
    for _ in range(2):  # a repeat changes nothing
        await stores[1].invites.settle("ABC123", "u1", "n1", commit=True)
        assert await word_of(stores[0]) is InviteWord.UNKNOWN
    assert await stores[0].invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS) is InviteWord.UNKNOWN


async def test_a_reverted_code_is_open_again(store: Store) -> None:
    await opened(store)
    await store.invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS)
    await store.invites.settle("ABC123", "u1", "n1", commit=False)
    assert await word_of(store) is InviteWord.OPEN
    assert await store.invites.claim("ABC123", "u3", "n2", claim_ms=LIFE_MS) is InviteWord.CLAIMED


@pytest.mark.parametrize("commit", [True, False])
@pytest.mark.parametrize(("uid", "nonce"), [("u1", "n2"), ("u1", ""), ("u9", "n1")])
async def test_another_nonce_or_inviter_settles_nothing(store: Store, uid: str, nonce: str, commit: bool) -> None:
    await opened(store)
    await store.invites.settle("ABC123", "u1", nonce, commit=commit)
    assert await word_of(store) is InviteWord.OPEN
    await store.invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS)
    await store.invites.settle("ABC123", uid, nonce, commit=commit)
    assert await word_of(store) is InviteWord.BUSY


async def test_reopening_after_use_is_a_new_invitation(store: Store) -> None:
    for round_ in range(3):
        await opened(store, uid=f"u{round_}", most=1)
        await store.invites.claim("ABC123", "r", f"n{round_}", claim_ms=LIFE_MS)
        await store.invites.settle("ABC123", f"u{round_}", f"n{round_}", commit=True)
    assert await word_of(store) is InviteWord.UNKNOWN
