import pytest
import typer

from exchange.admin.outcome import DECLINED_STATUS, Declined, one_sentence
from exchange.refusal import REFUSED_STATUS, StartRefused


@pytest.mark.parametrize(
    ("error", "status"),
    [(Declined("There is none."), DECLINED_STATUS), (StartRefused("The store is away."), REFUSED_STATUS)],
)
def test_what_is_in_the_way_is_one_sentence_on_standard_error_and_a_status(capsys, error, status):
    with pytest.raises(typer.Exit) as end, one_sentence():
        raise error
    assert end.value.exit_code == status
    assert capsys.readouterr() == ("", f"{error}\n")


def test_a_fault_of_our_own_is_not_hidden():
    with pytest.raises(ZeroDivisionError), one_sentence():
        _ = 1 / 0
