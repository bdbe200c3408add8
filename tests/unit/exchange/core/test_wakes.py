from exchange.core.model import Link
from exchange.core.wakes import Linked


def test_a_wake_brings_the_whole_link():
    link = Link("u1", "c1", "ann", "Ann", 7, True, True, frozenset({"ids"}), "working", ("search",), 99)
    wake = Linked(8, 7, True, "u1", "c1", "ann", "Ann", 7, True, True, ("ids",), "working", ("search",), 99)
    assert wake.link() == link
