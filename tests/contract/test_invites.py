"""What ``Invites`` promises."""

import asyncio

import pytest

from exchange.ports import InviteWord, Peeked, Store, Terms

LIFE_MS = 60_000


async def opened(store: Store, code: str = "ABC123", uid: str = "u1", *, life_ms: int = LIFE_MS, most: int = 3) -> None:
    assert await store.invites.open(code, uid, life_ms=life_ms, most=most) is InviteWord.OPEN


async def word_of(store: Store, code: str = "ABC123") -> InviteWord:
    return (await store.invites.peek(code, "bob")).word


async def test_an_opened_invitation_is_open_and_says_whose_it_is(stores: tuple[Store, Store]) -> None:
    await opened(stores[0])
    assert await stores[1].invites.peek("ABC123", "bob") == Peeked(InviteWord.OPEN, "u1")


async def test_a_code_that_was_never_made_is_unknown(store: Store) -> None:
    assert await store.invites.peek("ABC123", "bob") == Peeked(InviteWord.UNKNOWN)
    assert await store.invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS) is InviteWord.UNKNOWN


async def test_an_open_code_cannot_be_opened_by_another_user(store: Store) -> None:
    await opened(store)
    assert await store.invites.open("ABC123", "u2", life_ms=LIFE_MS, most=3) is InviteWord.COLLISION
    assert await store.invites.peek("ABC123", "bob") == Peeked(InviteWord.OPEN, "u1")


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
    assert (await stores[0].invites.peek("ABC123", "bob")).uid == f"u{words.index(InviteWord.OPEN)}"


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
    assert await store.invites.peek("ABC123", "bob") == Peeked(InviteWord.EXPIRED, "u1")
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
    assert await stores[0].invites.peek("ABC123", "bob") == Peeked(InviteWord.BUSY, "u1")


async def test_the_same_nonce_of_the_same_redeemer_gets_its_claim_again(store: Store) -> None:
    await opened(store)
    words = [await store.invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS) for _ in range(2)]
    assert words == [InviteWord.CLAIMED, InviteWord.CLAIMED]
    assert await store.invites.claim("ABC123", "u3", "n1", claim_ms=LIFE_MS) is InviteWord.BUSY


async def test_a_claim_that_was_not_settled_lapses_and_burns_the_code_for_everybody_else(
    store: Store, pass_time
) -> None:
    await opened(store)
    await store.invites.claim("ABC123", "u2", "n1", claim_ms=40)
    await pass_time(50)
    assert await word_of(store) is InviteWord.BUSY
    assert await store.invites.claim("ABC123", "u3", "n2", claim_ms=LIFE_MS) is InviteWord.UNKNOWN
    assert await store.invites.claim("ABC123", "u2", "n3", claim_ms=LIFE_MS) is InviteWord.CLAIMED
    await store.invites.settle("ABC123", "u1", "n1", commit=True)
    assert await word_of(store) is InviteWord.BUSY


@pytest.mark.parametrize(("commit", "word"), [(True, InviteWord.UNKNOWN), (False, InviteWord.CLAIMED)])
async def test_a_claim_that_lapsed_can_still_be_settled(
    store: Store, pass_time, commit: bool, word: InviteWord
) -> None:
    await opened(store)
    await store.invites.claim("ABC123", "u2", "n1", claim_ms=40)
    await pass_time(50)
    await store.invites.settle("ABC123", "u1", "n1", commit=commit)
    assert await store.invites.claim("ABC123", "u3", "n2", claim_ms=LIFE_MS) is word


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


# --- terms -----------------------------------------------------------------------------------------------------------

FOR_BOB = Terms(for_name="bob")
ASKED = Terms(confirm=True)


async def opened_on(store: Store, terms: Terms, *, life_ms: int = LIFE_MS) -> InviteWord:
    return await store.invites.open("ABC123", "u1", life_ms=life_ms, most=3, terms=terms)


async def test_an_invitation_for_a_name_fits_exactly_that_name(stores: tuple[Store, Store]) -> None:
    await opened_on(stores[0], FOR_BOB)
    assert await stores[1].invites.peek("ABC123", "bob") == Peeked(InviteWord.OPEN, "u1")
    for name in ("Bob", "bob ", "eve", ""):
        assert await stores[1].invites.peek("ABC123", name) == Peeked(InviteWord.OPEN, "u1", fits=False)


async def test_an_invitation_to_be_confirmed_is_so_for_whom_its_inviter_agreed_to(stores: tuple[Store, Store]) -> None:
    await opened_on(stores[0], ASKED)
    for name in ("bob", "eve"):
        assert await stores[1].invites.peek("ABC123", name) == Peeked(InviteWord.OPEN, "u1", unconfirmed=True)
    assert await stores[1].invites.confirm("ABC123", "u1", "bob")
    assert await stores[0].invites.peek("ABC123", "bob") == Peeked(InviteWord.OPEN, "u1")
    assert await stores[0].invites.peek("ABC123", "eve") == Peeked(InviteWord.OPEN, "u1", unconfirmed=True)


async def test_an_inviter_agrees_to_one_at_a_time(store: Store) -> None:
    await opened_on(store, ASKED)
    for name in ("bob", "eve", "eve"):
        assert await store.invites.confirm("ABC123", "u1", name)
    unconfirmed = [(await store.invites.peek("ABC123", name)).unconfirmed for name in ("bob", "eve")]
    assert unconfirmed == [True, False]


async def test_terms_are_told_of_a_busy_and_of_an_expired_invitation_too(store: Store, pass_time) -> None:
    terms = Terms("bob", confirm=True)
    await opened_on(store, terms, life_ms=1000)
    await store.invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS)
    assert await store.invites.peek("ABC123", "eve") == Peeked(InviteWord.BUSY, "u1", fits=False, unconfirmed=True)
    await pass_time(1010)
    assert await store.invites.peek("ABC123", "bob") == Peeked(InviteWord.EXPIRED, "u1", unconfirmed=True)


async def test_only_the_inviter_agrees_and_only_while_it_is_open(store: Store, pass_time) -> None:
    assert not await store.invites.confirm("ABC123", "u1", "bob")
    await opened_on(store, ASKED, life_ms=300)
    assert not await store.invites.confirm("ABC123", "u2", "bob")
    assert (await store.invites.peek("ABC123", "bob")).unconfirmed
    await pass_time(310)
    assert not await store.invites.confirm("ABC123", "u1", "bob")
    assert (await store.invites.peek("ABC123", "bob")).unconfirmed


async def test_an_agreement_survives_a_claim_that_was_given_up(store: Store) -> None:
    await opened_on(store, ASKED)
    await store.invites.confirm("ABC123", "u1", "bob")
    await store.invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS)
    await store.invites.settle("ABC123", "u1", "n1", commit=False)
    assert await store.invites.peek("ABC123", "bob") == Peeked(InviteWord.OPEN, "u1")


async def test_an_agreement_ends_with_its_invitation(store: Store) -> None:
    await opened_on(store, ASKED)
    await store.invites.confirm("ABC123", "u1", "bob")
    await store.invites.claim("ABC123", "u2", "n1", claim_ms=LIFE_MS)
    await store.invites.settle("ABC123", "u1", "n1", commit=True)
    assert not await store.invites.confirm("ABC123", "u1", "bob")
    await opened_on(store, ASKED)
    assert (await store.invites.peek("ABC123", "bob")).unconfirmed


@pytest.mark.parametrize("terms", [Terms(), FOR_BOB, ASKED, Terms("bob", confirm=True)])
async def test_opening_again_on_other_terms_is_no_repeat(store: Store, terms: Terms) -> None:
    others = {Terms(), FOR_BOB, ASKED, Terms("eve"), Terms("bob", confirm=True)} - {terms}
    assert [await opened_on(store, terms) for _ in range(2)] == [InviteWord.OPEN] * 2
    for other in others:
        assert await opened_on(store, other) is InviteWord.COLLISION
    await store.invites.confirm("ABC123", "u1", "bob")
    assert await opened_on(store, terms) is InviteWord.OPEN
    assert await store.invites.peek("ABC123", "bob") == Peeked(InviteWord.OPEN, "u1")
