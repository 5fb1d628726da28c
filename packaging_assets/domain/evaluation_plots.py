"""Plots of evaluations as PNG. The same numbers give the same bytes: no dates, no versions, no state of pyplot.

matplotlib takes half a second to import, so it is imported when a plot is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from packaging_assets.domain.average_precision import PrecisionRecallCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0b5fa5", "#c4561a")
"""Blue and orange, told apart by colour-blind readers and in print."""

MAX_POINTS = 500
"""Points drawn per curve: more than the plot has pixels across."""

CALIBRATION_BINS = 10


def plot_precision_recall(path: Path, curves: Mapping[str, PrecisionRecallCurve], *, baseline: float) -> None:
    """Draw precision over recall to the PNG file `path`, at most 40 KB.

    Args:
        path: the file to write.
        curves: by the name that the legend gives them; the first is drawn last, on top.
        baseline: precision of a constant score.
    """
    figure, axes = _new_plot("recall of the rarer label", "precision")
    axes.axhline(baseline, color="0.6", linestyle=":", label=f"constant score ({baseline:.3f})")
    for (name, curve), colour in reversed(list(zip(curves.items(), COLOURS, strict=False))):
        shown = np.unique(np.linspace(0, len(curve.recall) - 1, MAX_POINTS).astype(np.intp))
        axes.plot(curve.recall[shown], curve.precision[shown], color=colour, label=name)
    save_plot(figure, axes, path)


def _new_plot(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.6), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x_label, ylabel=y_label, xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(color="0.9")
    return figure, axes


def save_plot(figure: Figure, axes: Axes, path: Path) -> None:
    """Write a plot with a legend to the PNG file `path`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    axes.legend(loc="best", fontsize="small", frameon=False)
    FigureCanvasAgg(figure)
    figure.savefig(path, format="png", metadata={"Software": None})
