"""A picture of delays over time, with the faults marked: one panel a scenario, as one SVG file without a plotting library."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.plot import FIRST, OTHERS, WIDTH
from tests.chaos.history import Fault

LEFT, RIGHT, PANEL, HEAD, FOOT = 60, 16, 110, 26, 34
LOW_SECONDS, HIGH_SECONDS = 0.001, 100.0
"""The delays that the scale of a panel reaches over; it is logarithmic."""
COLUMNS_COUNT = 340
FAULT = "#c0392b"


@dataclass(frozen=True, slots=True)
class Track:
    """A scenario: when messages were sent and how long they took, in seconds, and what was done meanwhile."""

    name: str
    points: tuple[tuple[float, float], ...]
    faults: tuple[Fault, ...]

    @property
    def end(self) -> float:
        times = [at + delay for at, delay in self.points] + [fault.until for fault in self.faults]
        return max(times, default=0.0) or 1.0


def svg(tracks: Sequence[Track], caption: str) -> str:
    """Return the picture. Of all messages of one moment the slowest and the median one are drawn."""
    height = max(1, len(tracks)) * (HEAD + PANEL + FOOT) + HEAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for number, track in enumerate(tracks):
        parts += _panel(number * (HEAD + PANEL + FOOT) + HEAD, track)
    parts += [f'<text x="12" y="{height - 10}" fill="#666666">{escape(caption)}</text>', "</svg>"]
    return "\n".join(parts) + "\n"


def _panel(top: int, track: Track) -> list[str]:
    end = track.end  # it looks at every message: once is enough
    title = f"{track.name}: seconds from send to receive, worst (dark) and median; faults in red"
    parts = [
        f'<text x="12" y="{top - 8}" font-weight="bold" fill="#222222">{escape(title)}</text>',
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{PANEL}" fill="none" stroke="#dddddd"/>',
    ]
    for fault in track.faults:
        left, right = _x(fault.at, end), _x(fault.until, end)
        parts.append(
            f'<rect x="{left:.1f}" y="{top}" width="{max(1.0, right - left):.1f}" height="{PANEL}" fill="{FAULT}" '
            f'fill-opacity="0.15"><title>{escape(fault.what)}</title></rect>'
        )
    for exponent in range(int(math.log10(LOW_SECONDS)), int(math.log10(HIGH_SECONDS)) + 1):
        y = _y(10.0**exponent, top)
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#666666">{10.0**exponent:g}</text>')
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#eeeeee"/>')
    for at, delays in sorted(_columns(track, end).items()):
        ordered = sorted(delays)
        for value, colour in ((ordered[len(ordered) // 2], OTHERS), (ordered[-1], FIRST)):
            parts.append(f'<circle cx="{_x(at, end):.1f}" cy="{_y(value, top):.1f}" r="1.4" fill="{colour}"/>')
    parts.append(
        f'<text x="{WIDTH - RIGHT}" y="{top + PANEL + 14}" text-anchor="end" fill="#666666">{end:.0f} s</text>'
    )
    return parts


def _columns(track: Track, end: float) -> dict[float, list[float]]:
    """Return the delays of the messages that were sent in each of some equal parts of the time."""
    found: dict[float, list[float]] = {}
    for at, delay in track.points:
        column = int(at / end * COLUMNS_COUNT) / COLUMNS_COUNT * end
        found.setdefault(column, []).append(delay)
    return found


def _x(at: float, end: float) -> float:
    return LEFT + at / end * (WIDTH - LEFT - RIGHT)


def _y(seconds: float, top: int) -> float:
    low, high = math.log10(LOW_SECONDS), math.log10(HIGH_SECONDS)
    part = (math.log10(min(max(seconds, LOW_SECONDS), HIGH_SECONDS)) - low) / (high - low)
    return top + PANEL * (1 - part)
