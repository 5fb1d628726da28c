"""The charts of model cards and comparisons, from scores, profiles and labels."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from packaging_assets.domain.average_precision import FloatArray, Labels, average_precision, precision_recall_curve
from packaging_assets.domain.svg_charts import (
    Axis,
    Line,
    Tick,
    column_chart,
    in_full,
    line_chart,
    nice_axis,
    unit_axis,
)

MAX_POINTS = 300
"""Points drawn per curve: about as many as the chart has pixels across."""

CALIBRATION_BINS = 10
WEEKS_SHOWN = 26
NORMAL_95 = 1.96

REFERENCE = 2
"""Style of lines that are not a series."""


class Chart(NamedTuple):
    """A figure of the page; `legend` pairs a style with what it stands for."""

    title: str
    svg: Markup
    legend: tuple[tuple[int, str], ...]
    note: str = ""


class WeekRate(NamedTuple):
    """How many labels of one week there are, and the share of them that is `suitable`."""

    week: dt.date
    rows: int
    rate: float


def precision_recall_chart(y: Labels, scores: Mapping[str, FloatArray]) -> Chart:
    """Precision over recall of y = 1 for one or two models by name, shapes (rows,)."""
    baseline = float(y.mean())
    lines: list[Line] = []
    legend: list[tuple[int, str]] = []
    for style, (name, values) in enumerate(scores.items()):
        curve = precision_recall_curve(y, values)
        shown = np.unique(np.linspace(0, len(curve.recall) - 1, MAX_POINTS).astype(np.intp))
        points = list(zip(curve.recall[shown].tolist(), curve.precision[shown].tolist(), strict=True))
        lines.append(Line(points, style))
        legend.append((style, f"{name} ({average_precision(y, values):.3f})"))
    lines.append(Line([(0.0, baseline), (1.0, baseline)], REFERENCE))
    legend.append((REFERENCE, f"constant score ({baseline:.3f})"))
    title = "Precision over recall of the rarer label"
    svg = line_chart(title, unit_axis("recall"), unit_axis("precision"), lines)
    return Chart(title, Markup(svg), tuple(legend), "In brackets: PR-AUC (average precision).")  # noqa: S704


def calibration_chart(y: Labels, scores: Mapping[str, FloatArray]) -> Chart:
    """Observed rate over mean score in ten bins of equally many rows, for one or two models by name."""
    lines = [Line(_calibration_points(y, values), style, has_dots=True) for style, values in enumerate(scores.values())]
    lines.append(Line([(0.0, 0.0), (1.0, 1.0)], REFERENCE))
    title = "Calibration"
    svg = line_chart(title, unit_axis("mean score"), unit_axis("observed rate"), lines)
    legend = (*enumerate(scores), (REFERENCE, "perfectly calibrated"))
    return Chart(title, Markup(svg), legend, "Ten bins of equally many rows.")  # noqa: S704


def _calibration_points(y: Labels, scores: FloatArray) -> list[tuple[float, float]]:
    bins = np.array_split(np.argsort(scores, kind="stable"), min(CALIBRATION_BINS, len(y)))
    return [(float(scores[rows].mean()), float(y[rows].mean())) for rows in bins]


def histogram_chart(title: str, edges: Sequence[float], reference: Sequence[float], now: Sequence[float]) -> Chart:
    """Shares of rows per bin, now beside the reference's; one edge fewer than bins."""
    highest = max(*reference, *now) or 1.0
    names = [f"{edge:.3g}" if number % 2 == 0 else "" for number, edge in enumerate(edges)]
    svg = column_chart(title, "bins of the champion's training rows", names, _percent_axis(highest), [now, reference])
    return Chart(title, Markup(svg), ((0, "this week's products"), (1, "champion's training rows")))  # noqa: S704


def label_rate_chart(weeks: Sequence[WeekRate], champion_rate: float | None) -> Chart:
    """Share of suitable products among those first tested in each week, with 95% intervals (Wilson 1927).

    Args:
        weeks: at least one, oldest first; those in which nothing was tested are not among them, and leave a gap.
        champion_rate: share of suitable products in the champion's training rows; None without a champion.
    """
    shown = list(weeks)[-WEEKS_SHOWN:]
    whiskers = [_wilson(week.rate, week.rows) for week in shown]
    places = [(week.week - shown[0].week) / dt.timedelta(weeks=1) for week in shown]
    points = [(place, week.rate) for place, week in zip(places, shown, strict=True)]
    lines = [Line(points, 0, has_dots=True, whiskers=whiskers)]
    legend: list[tuple[int, str]] = [(0, "labels from package tests, by week of first evidence, with 95% interval")]
    last = max(places[-1], 1.0)
    if champion_rate is not None:
        lines.append(Line([(0.0, champion_rate), (last, champion_rate)], REFERENCE))
        legend.append((REFERENCE, f"champion's training rows ({champion_rate:.1%})"))
    weeks_between = range(0, round(places[-1]) + 1, math.ceil((places[-1] + 1) / 5))
    ticks = tuple(Tick(at, f"{shown[0].week + dt.timedelta(weeks=at):%d %b %y}") for at in weeks_between)
    title = "Share of suitable products over the weeks"
    x = Axis("week", -0.5, last + 0.5, ticks)
    svg = line_chart(title, x, _percent_axis(1.0, "suitable"), lines)
    return Chart(title, Markup(svg), tuple(legend))  # noqa: S704


def volume_chart(weeks: Sequence[tuple[dt.date, int]]) -> Chart:
    """New evidence per week."""
    title = "New evidence per week"
    y = nice_axis("rows", max((rows for _, rows in weeks), default=1) or 1)
    ticks = tuple(Tick(number, f"{week:%d %b}") for number, (week, _) in enumerate(weeks))
    points = [(float(number), float(rows)) for number, (_, rows) in enumerate(weeks)]
    x = Axis("week", -0.5, max(len(weeks) - 1, 1) + 0.5, ticks)
    svg = line_chart(title, x, y, [Line(points, 0, has_dots=True)])
    return Chart(title, Markup(svg), ((0, "rows of evidence that counted from that week on"),))  # noqa: S704


def _percent_axis(highest: float, label: str = "share of rows") -> Axis:
    axis = nice_axis(label, highest)
    return Axis(label, axis.low, axis.high, tuple(Tick(tick.at, f"{in_full(100 * tick.at)}%") for tick in axis.ticks))


def _wilson(rate: float, rows: int) -> tuple[float, float]:
    square = NORMAL_95**2
    middle = (rate + square / (2 * rows)) / (1 + square / rows)
    half = NORMAL_95 / (1 + square / rows) * math.sqrt(rate * (1 - rate) / rows + square / (4 * rows**2))
    return middle - half, middle + half


def bar_rows(
    values: Mapping[str, float], *, limits: Mapping[str, float] | None = None, form: str = "{:.3f}"
) -> list[dict[str, Any]]:
    """Rows of a bar list, in the order given: widths in percent of the largest value or limit.

    `limits` has one for each of `values`, or there are none.
    """
    longest = max([*values.values(), *(limits or {}).values()], default=0.0) or 1.0
    return [
        {
            "name": name,
            "share": f"{100 * max(value, 0.0) / longest:.1f}",
            "limit_share": None if limits is None else f"{100 * limits[name] / longest:.1f}",
            "is_over": limits is not None and value > limits[name],
            "text": form.format(value),
        }
        for name, value in values.items()
    ]
