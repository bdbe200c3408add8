import resource

from exchange.transports.memory import STATM, memory_bytes


def test_what_is_present_is_a_part_of_what_was_asked_for():
    present_bytes, asked_bytes = memory_bytes()
    assert 1 << 20 < present_bytes <= asked_bytes


def test_pages_become_bytes(tmp_path):
    statm = tmp_path / STATM.name
    statm.write_text("300 200 100 1 0 50 0\n", encoding="ascii")
    page_bytes = resource.getpagesize()
    assert memory_bytes(statm) == (200 * page_bytes, 300 * page_bytes)


def test_without_the_systems_word_it_is_the_most_there_ever_was(tmp_path):
    present_bytes, asked_bytes = memory_bytes(tmp_path / "nothing")
    assert present_bytes == asked_bytes > 1 << 20
