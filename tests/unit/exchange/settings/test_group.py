import pytest
from pydantic import Field, ValidationError

from exchange.settings.group import Group


class Wheels(Group):
    count: int = Field(default=4, ge=1)


def test_a_group_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Wheels().count = 3


def test_a_group_refuses_a_name_it_does_not_know():
    with pytest.raises(ValidationError, match="cuont"):
        Wheels(cuont=3)


def test_a_default_has_to_keep_the_rules_too():
    class Broken(Group):
        count: int = Field(default=0, ge=1)

    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Broken()
