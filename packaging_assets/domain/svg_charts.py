"""Charts as SVG text to stand inside an HTML page: sharp at every size, selectable, and the same bytes each time.

Colours and type come from the page's style sheet through the classes `s0`, `s1` (first and second series), `s2`
(reference lines), `axis`, `grid`, `bar` and `whisker`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 440, 290
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 10, 44
BAR_SHARE = 0.8
"""Of a group's width that its columns fill."""

LEGEND_LINE = 20
STANDALONE_STYLE = (
    "text{font:12px sans-serif;fill:#4b5563}path{fill:none}.axis{stroke:#4b5563}.grid{stroke:#e5e7eb}"
    ".s0{stroke:#0b5fa5;stroke-width:2}.s1{stroke:#c4561a;stroke-width:2}"
    ".s2{stroke:#8b95a1;stroke-width:1.5;stroke-dasharray:3 3}"
    ".s0 circle{fill:#0b5fa5;stroke:none}.s1 circle{fill:#c4561a;stroke:none}"
)
"""Blue and orange, told apart by colour-blind readers and in print."""


class Tick(NamedTuple):
    """A mark on an axis and what is written at it."""

    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """One axis from `low` to `high`."""

    label: str
    low: float
    high: float
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class Line:
    """One series: points in order, drawn in style `s<style>`; `whiskers` are (low, high) at each point."""

    points: Sequence[tuple[float, float]]
    style: int
    has_dots: bool = False
    whiskers: Sequence[tuple[float, float]] = ()


UNIT_TICKS = tuple(Tick(number / 5, f"{number / 5:.1f}") for number in range(6))


def unit_axis(label: str) -> Axis:
    """An axis from 0 to 1."""
    return Axis(label, 0.0, 1.0, UNIT_TICKS)


def line_chart(title: str, x: Axis, y: Axis, lines: Sequence[Line]) -> str:
    """Draw series over a common x axis; the first is drawn last, on top.

    Args:
        title: read out to those who do not see the chart.
        x: the horizontal axis.
        y: the vertical axis.
        lines: at least one; points outside the axes are drawn outside the frame.
    """
    drawn = [_line(line, x, y) for line in reversed(lines)]
    return _svg(title, [*_frame(x, y), *drawn])


def column_chart(title: str, x_label: str, names: Sequence[str], y: Axis, groups: Sequence[Sequence[float]]) -> str:
    """Draw groups of columns side by side.

    Args:
        title: read out to those who do not see the chart.
        x_label: what the groups are.
        names: what is written at the boundary before each group but the first; one fewer than groups.
        y: the vertical axis.
        groups: the series' heights, one sequence per series, each of one height per group.
    """
    count = len(groups[0])
    x = Axis(x_label, 0, count, tuple(Tick(number + 1, name) for number, name in enumerate(names)))
    width = BAR_SHARE / len(groups)
    columns = [
        _column(x, y, group + (1 - BAR_SHARE) / 2 + width * series, width, heights[group], series)
        for series, heights in enumerate(groups)
        for group in range(count)
    ]
    return _svg(title, [*_frame(x, y), *columns])


def standalone_svg(chart: str, legend: Sequence[tuple[int, str]]) -> str:
    """A chart made by `line_chart` as the text of a file of its own, with its style and its legend below it.

    Args:
        chart: the chart.
        legend: for each series its style and its name.
    """
    height = HEIGHT + LEGEND_LINE * len(legend) + 8
    lines = [
        f'<g class="s{style}"><path d="M{LEFT} {at}h24"/></g>{_text(LEFT + 32, at + 4, name, "start")}'
        for at, (style, name) in ((HEIGHT + LEGEND_LINE * (number + 0.5), entry) for number, entry in enumerate(legend))
    ]
    drawn = chart.removeprefix("<svg")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">'
        f'<style>{STANDALONE_STYLE}</style><rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        f'<svg width="{WIDTH}" height="{HEIGHT}"{drawn}{"".join(lines)}</svg>\n'
    )


def nice_axis(label: str, highest: float) -> Axis:
    """An axis from 0 to a round number at or above `highest`, with five or six ticks."""
    step = next(step for step in _round_steps() if step * 5 >= highest)
    count = 5 if step * 4 < highest else 4
    ticks = tuple(Tick(step * number, in_full(step * number)) for number in range(count + 1))
    return Axis(label, 0.0, step * count, ticks)


def in_full(value: float) -> str:
    """A number of a round step with all its digits: 2.5 is no 2, and 1,250,000 no 1.2e+06."""
    return f"{value:,.10g}"


def _round_steps() -> Sequence[float]:
    return [factor * 10.0**exponent for exponent in range(-6, 13) for factor in (1, 2, 2.5, 5)]


def _svg(title: str, parts: Sequence[str]) -> str:
    body = "".join(parts)
    name = escape(title, quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">{body}</svg>'


def _frame(x: Axis, y: Axis) -> list[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts: list[str] = []
    for tick in y.ticks:
        at = _across(y, tick.at)
        parts.append(f'<path class="grid" d="M{LEFT} {at}H{right}"/>')
        parts.append(_text(LEFT - 6, f"{float(at) + 4:.1f}", tick.label, "end"))
    for tick in x.ticks:
        at = _along(x, tick.at)
        parts.append(f'<path class="axis" d="M{at} {bottom}v4"/>')
        parts.append(_text(at, bottom + 17, tick.label, "middle"))
    middle = (TOP + bottom) / 2
    parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>')
    parts.append(_text((LEFT + right) / 2, HEIGHT - 6, x.label, "middle"))
    parts.append(
        f'<text transform="translate(13 {middle:.1f}) rotate(-90)" text-anchor="middle">{escape(y.label)}</text>'
    )
    return parts


def _text(x: float | str, y: float | str, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(line: Line, x: Axis, y: Axis) -> str:
    places = [(_along(x, a), _across(y, b)) for a, b in line.points]
    whiskers = "".join(
        f'<path class="whisker" d="M{place[0]} {_across(y, low)}V{_across(y, high)}"/>'
        for place, (low, high) in zip(places, line.whiskers, strict=False)
    )
    path = "L".join(f"{a} {b}" for a, b in places)
    dots = "".join(f'<circle cx="{a}" cy="{b}" r="3"/>' for a, b in places) if line.has_dots else ""
    return f'<g class="s{line.style}">{whiskers}<path d="M{path}"/>{dots}</g>'


def _column(x: Axis, y: Axis, start: float, width: float, height: float, style: int) -> str:
    left, right, top = float(_along(x, start)), float(_along(x, start + width)), float(_across(y, height))
    return (
        f'<rect class="bar s{style}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
        f'height="{max(HEIGHT - BOTTOM - top, 0):.1f}"/>'
    )


def _along(axis: Axis, value: float) -> str:
    share = (value - axis.low) / (axis.high - axis.low)
    return f"{LEFT + share * (WIDTH - RIGHT - LEFT):.1f}"


def _across(axis: Axis, value: float) -> str:
    share = (value - axis.low) / (axis.high - axis.low)
    return f"{HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP):.1f}"
