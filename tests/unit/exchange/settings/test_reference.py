from pathlib import Path

from exchange.settings import load
from exchange.settings.reference import markdown, text
from exchange.settings.sources import SETTINGS

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "settings.md"


def test_the_reference_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == markdown()


def test_the_reference_page_is_the_same_on_every_machine(monkeypatch):
    before = markdown()
    monkeypatch.setenv("XDG_DATA_HOME", "/elsewhere")
    assert markdown() == before


def test_every_setting_is_on_the_page_and_in_the_list():
    page, lines = markdown(), text(load({})).splitlines()
    assert len(lines) == len(SETTINGS)
    for variable, line in zip(SETTINGS, lines, strict=True):
        assert f"`{variable}`" in page
        assert variable in line


def test_the_list_marks_what_was_changed():
    lines = text(load({"PORT": "9000"})).splitlines()
    assert [line.split() for line in lines if line.startswith("*")] == [["*", "EXCHANGE_LISTEN__PORT", "9000"]]


def test_the_list_shows_no_secret():
    shown = text(load({"EXCHANGE_REDIS__URL": "redis://u:hidden@h", "EXCHANGE_SECRETS__INDEX_KEY": "hidden" * 4}))
    assert "hidden" not in shown
    assert "redis://h:6379/0" in shown
