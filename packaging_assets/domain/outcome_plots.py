"""Plots of live quality. The same numbers give the same bytes, as in `evaluation_plots`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from packaging_assets.domain.average_precision import FloatArray, Labels
from packaging_assets.domain.evaluation_plots import CALIBRATION_BINS, COLOURS, save_plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INTERVAL = 1.645
"""Standard errors on either side of a point: 90% lie within."""

LINE_COLOURS = (*COLOURS, "#3f7d3a", "#7a4f9a", "#8c8c1a", "#555555")
"""One per model; more than six models in a week share them."""

ROWS_PER_BIN = 20
"""Rows of each calibration point at the least: fewer and it is noise."""


class LivePoint(NamedTuple):
    """One model's live figures beside validation's, at the same share of the rarer label.

    Labels (n,) and scores (n,) are as seen from the rarer label.
    """

    name: str
    pr_auc: float
    pr_auc_standard_error: float
    validation_pr_auc: float
    validation_standard_error: float
    labels: Labels
    scores: FloatArray


def plot_live_pr_auc(path: Path, points: Sequence[LivePoint]) -> None:
    """Draw live and validation PR-AUC of each model, with 90% intervals, to the PNG file `path`."""
    figure, axes = _new_plot(height=1.2 + 0.45 * len(points))
    places = np.arange(len(points), dtype=np.float64)
    for offset, label, colour, values, errors in (
        (0.12, "live", COLOURS[0], [p.pr_auc for p in points], [p.pr_auc_standard_error for p in points]),
        (
            -0.12,
            "validation",
            "0.5",
            [p.validation_pr_auc for p in points],
            [p.validation_standard_error for p in points],
        ),
    ):
        spread = INTERVAL * np.asarray(errors)
        axes.errorbar(values, places + offset, xerr=spread, fmt="o", color=colour, markersize=4, label=label)
    axes.set(xlabel="PR-AUC of the rarer label", xlim=(0, 1), ylim=(-0.6, len(points) - 0.4))
    axes.set_yticks(places, [point.name for point in points])
    save_plot(figure, axes, path)


def plot_live_calibration(path: Path, points: Sequence[LivePoint]) -> None:
    """Draw observed rate over mean score of each model, in bins of equally many rows, to the PNG file `path`."""
    figure, axes = _new_plot(height=3.6)
    axes.plot([0, 1], [0, 1], color="0.6", linestyle=":", label="perfectly calibrated")
    for number, point in enumerate(points):
        count = int(np.clip(len(point.scores) // ROWS_PER_BIN, 1, CALIBRATION_BINS))
        bins = np.array_split(np.argsort(point.scores, kind="stable"), count)
        axes.plot(
            [float(point.scores[rows].mean()) for rows in bins],
            [float(point.labels[rows].mean()) for rows in bins],
            color=LINE_COLOURS[number % len(LINE_COLOURS)],
            marker="o",
            markersize=4,
            label=point.name,
        )
    axes.set(xlabel="mean score", ylabel="observed rate", xlim=(0, 1), ylim=(0, 1.02))
    save_plot(figure, axes, path)


def _new_plot(*, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, height), dpi=85, layout="constrained")
    axes = figure.subplots()
    axes.grid(color="0.9")
    return figure, axes
