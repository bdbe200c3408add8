"""The generated pages are what the programs print now (``make docs`` writes them again)."""

import pytest

from exchange import reference
from exchange.settings import reference as settings_reference
from tests.house.tree import ROOT

PAGES = {"metrics": reference.markdown, "settings": settings_reference.markdown}


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_up_to_date(page):
    assert (ROOT / f"docs/reference/{page}.md").read_text(encoding="utf-8") == PAGES[page]()


def test_every_generated_page_is_checked():
    assert {path.stem for path in (ROOT / "docs/reference").glob("*.md")} == set(PAGES)
