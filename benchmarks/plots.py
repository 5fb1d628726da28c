"""The plots of docs/benchmarks.md. The same figures give the same bytes: no dates, no versions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results_file import Figure
from benchmarks.scaling import INSTANCES, PRODUCTS, Rates, scenarios, simulate
from benchmarks.tables import reached, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Plot

COLOURS = ("#0b5fa5", "#c4561a", "#3b7d4f", "#7a4b94")
"""Told apart by colour-blind readers, and in print by their markers."""

MARKERS = ("o", "s", "^", "D")
WITHIN, BEYOND = "#0b5fa5", "#c4561a"
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.9}
"""Behind a figure that stands on a line or bar."""

ROW_INCHES = 0.3
FURTHEST = 3.0
"""Times the goal: bars further out are cut there, and carry their figure."""


def plot_ratios(figures: Sequence[Figure], path: Path) -> None:
    """A bar per figure: its ratio as a share of its goal, which is the line at 1."""
    shown = [figure for figure in figures if figure["goal"] is not None]
    plot, axes = _new_plot(len(shown), "ratio as a share of the goal: left of the line is reached")
    shares = [figure["ratio"] / figure["goal"] for figure in shown]
    spreads = [figure["spread"] / figure["goal"] for figure in shown]
    colours = [WITHIN if reached(figure) == "yes" else BEYOND for figure in shown]
    axes.barh(range(len(shown)), [min(share, FURTHEST) for share in shares], xerr=spreads, color=colours, height=0.6)
    axes.axvline(1, color="0.2", linewidth=1)
    axes.set_xlim(0, min(FURTHEST, max([1.5, *(share * 1.3 for share in shares)])))
    _name_rows(axes, [figure["name"] for figure in shown])
    for row, (figure, share, spread) in enumerate(zip(shown, shares, spreads, strict=True)):
        text = f" {significant(figure['ratio'])} of {significant(figure['goal'])}"
        axes.text(min(share + spread, FURTHEST * 0.88), row, text, va="center", fontsize=7, bbox=PAPER)
    _save(plot, path)


def plot_peers(peers: Sequence[Figure], path: Path) -> None:
    """Two bars per orchestrator: wall and CPU over the floor of the same run, which is the line at 1."""
    plot, axes = _new_plot(2 * len(peers), "over the floor of the same run")
    rows = range(len(peers))
    for offset, key, spread, colour in (
        (-0.2, "ratio", "spread", COLOURS[0]),
        (0.2, "cpu_ratio", "cpu_spread", COLOURS[1]),
    ):
        values = [peer[key] for peer in peers]
        label = "wall" if key == "ratio" else "CPU"
        errors = [peer[spread] for peer in peers]
        axes.barh([row + offset for row in rows], values, xerr=errors, color=colour, height=0.36, label=label)
        for row, value, error in zip(rows, values, errors, strict=True):
            axes.text(value + error, row + offset, f" {significant(value)}", va="center", fontsize=7)
    axes.axvline(1, color="0.2", linewidth=1)
    axes.set_xlim(0, max(peer[key] for peer in peers for key in ("ratio", "cpu_ratio")) * 1.25)
    _name_rows(axes, [peer["name"] for peer in peers])
    axes.legend(frameon=False, loc="lower right")
    _save(plot, path)


def plot_scaling(rates: Rates, path: Path) -> None:
    """Minutes over instances, both on logarithmic axes; a line per warehouse."""
    plot, axes = _new_plot(11, "instances")
    counts = [2**power for power in range(int(math.log2(INSTANCES[-1])) + 1)]
    for (name, scenario), colour, marker in zip(scenarios(rates).items(), COLOURS, MARKERS, strict=True):
        minutes = [simulate(PRODUCTS, count, scenario).seconds / 60 for count in counts]
        axes.plot(counts, minutes, color=colour, marker=marker, markersize=4, label=name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_yticks([10, 30, 100, 300], ["10", "30", "100", "300"])
    axes.set_ylabel("minutes for 300 million products")
    axes.legend(frameon=False, fontsize=8)
    _save(plot, path)


def _new_plot(rows: int, x_label: str) -> tuple[Plot, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as NewPlot

    plot = NewPlot(figsize=(8, max(1.6, 0.9 + ROW_INCHES * rows)), layout="constrained")
    FigureCanvasAgg(plot)
    axes = plot.add_subplot()
    axes.set_xlabel(x_label)
    axes.spines[["top", "right"]].set_visible(False)
    return plot, axes


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()


def _save(plot: Plot, path: Path) -> None:
    plot.savefig(path, dpi=110, metadata={"Software": None})
