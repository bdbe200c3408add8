"""A bar chart of the medians as one SVG file, without a plotting library."""

from collections.abc import Mapping
from html import escape

from bench.round import Figures

PANELS = {
    "nodes_us": ("CPU of both nodes, µs per message (less is better)", "{:.1f}"),
    "rate": ("messages per second, saturated (more is better)", "{:,.0f}"),
    "delivery_p99_us": ("p99 until delivered at the fixed rate, µs (less is better)", "{:,.0f}"),
}
WIDTH, LABEL, VALUE, BAR, GAP, HEAD = 760, 240, 80, 20, 8, 34
FIRST, OTHERS = "#1f6f8b", "#b8c4cc"


def svg(found: Mapping[str, Figures], titles: Mapping[str, str], caption: str) -> str:
    """Return the chart: one panel a figure, one bar a stack; the first stack is dark."""
    panel = HEAD + len(found) * (BAR + GAP) + GAP
    height = len(PANELS) * panel + HEAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for number, (figure, (heading, form)) in enumerate(PANELS.items()):
        values = {name: float(getattr(figures, figure)) for name, figures in found.items()}
        parts += _panel(number * panel, heading, form, values, titles)
    parts += [f'<text x="12" y="{height - 12}" fill="#666666" font-size="11">{escape(caption)}</text>', "</svg>"]
    return "\n".join(parts) + "\n"


def _panel(top: int, heading: str, form: str, values: Mapping[str, float], titles: Mapping[str, str]) -> list[str]:
    most = max(values.values(), default=0.0) or 1.0
    parts = [f'<text x="12" y="{top + 22}" font-weight="bold" fill="#222222">{escape(heading)}</text>']
    for row, (name, value) in enumerate(values.items()):
        y = top + HEAD + row * (BAR + GAP)
        length = value / most * (WIDTH - LABEL - VALUE)
        text = f'y="{y + BAR - 5}" fill="#222222"'
        colour = OTHERS if row else FIRST
        parts += [
            f'<text x="{LABEL - 10}" {text} text-anchor="end">{escape(titles.get(name, name))}</text>',
            f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<text x="{LABEL + length + 6:.1f}" {text}>{form.format(value)}</text>',
        ]
    return parts
