"""Twin of ``bench/plot.py``."""

from xml.etree import ElementTree as ET

from bench.plot import FIRST, OTHERS, PANELS, svg
from bench.round import Figures

SVG = "{http://www.w3.org/2000/svg}"
FOUND = {"ours": Figures(*[10.0] * 7), "theirs": Figures(*[40.0] * 7)}


def bars(text: str) -> list[ET.Element]:
    return [rect for rect in ET.fromstring(text).iter(f"{SVG}rect") if rect.get("fill") in {FIRST, OTHERS}]


def test_each_panel_has_a_bar_a_stack_in_proportion():
    drawn = bars(svg(FOUND, {}, ""))
    assert len(drawn) == len(PANELS) * 2
    for first, second in zip(drawn[::2], drawn[1::2], strict=True):
        assert first.get("fill") == FIRST
        assert float(second.get("width")) == 4 * float(first.get("width"))


def test_titles_and_caption_are_escaped():
    text = svg(FOUND, {"ours": "a < b"}, "x & y")
    said = [element.text for element in ET.fromstring(text).iter(f"{SVG}text")]
    assert "a < b" in said
    assert said[-1] == "x & y"


def test_figures_of_zero_still_draw():
    assert [bar.get("width") for bar in bars(svg({"ours": Figures(*[0.0] * 7)}, {}, ""))] == ["0.0"] * len(PANELS)
