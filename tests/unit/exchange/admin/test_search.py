import pytest

from exchange.admin.outcome import Declined
from exchange.admin.search import find, select
from exchange.core.pairs import PairInfo, Usage

USAGE = Usage(1, 0, 1, 0)


class Known:
    """Pairs by token; ``pair_of`` is the token backwards."""

    def __init__(self, *tokens: str, twice: bool = False) -> None:
        infos = [
            PairInfo(token[::-1], token[:16], -number, 0, frozenset(), USAGE) for number, token in enumerate(tokens)
        ]
        self._infos = infos * 2 if twice else infos

    def pair_of(self, token):
        return token[::-1]

    async def all(self):
        for info in self._infos:
            yield info


ONE, TWO, TWIN = (f"oc_pair_{start}{'0' * 24}" for start in ("11112222", "11113333", "11112222"))
TWIN = TWIN[:-1] + "1"


@pytest.mark.parametrize("words", [TWO, TWO[:16], TWO[:13]])
async def test_a_pairing_is_found_by_its_token_or_its_beginning(words):
    assert (await find(Known(ONE, TWO), words)).pair == TWO[::-1]


async def test_a_whole_token_tells_two_apart_that_begin_alike():
    assert (await find(Known(ONE, TWIN), TWIN)).pair == TWIN[::-1]
    with pytest.raises(Declined, match="2 pairings begin with oc_pair_11112222"):
        await find(Known(ONE, TWIN), TWIN[:16])


async def test_an_ambiguous_beginning_names_all_it_may_mean():
    with pytest.raises(Declined) as declined:
        await find(Known(ONE, TWO), "oc_pair_1111")
    assert "2 pairings begin with oc_pair_1111: oc_pair_11113333, oc_pair_11112222; give" in str(declined.value)


async def test_very_many_are_not_all_named():
    with pytest.raises(Declined, match=r"and 5 more; give"):
        await find(Known(*(f"oc_pair_1111{number:04}{'0' * 24}" for number in range(15))), "oc_pair_1111")


@pytest.mark.parametrize("words", ["", "oc_pair_111", "-"])
async def test_what_is_too_short_means_nothing(words):
    with pytest.raises(Declined, match="too short: give the whole token, or 12 to 16 characters"):
        await find(Known(ONE), words)


@pytest.mark.parametrize("words", [ONE[:-1], ONE + "0", ONE.upper(), "oc_pair_9999", "x" * 12])
async def test_what_is_not_there_is_not_guessed(words):
    """CORAL-31: compared exactly. What is longer than a beginning may be is not taken for one."""
    with pytest.raises(Declined, match="There is no pairing") as declined:
        await find(Known(ONE), words)
    assert words[:16] in str(declined.value)
    assert words == words[:16] or words not in str(declined.value), "a token is not repeated in full"


async def test_each_pairing_is_there_once_the_oldest_first():
    infos = await select(Known(ONE, TWO, twice=True))
    assert [info.pair for info in infos] == [TWO[::-1], ONE[::-1]]
