"""Figures as tables: for the terminal and for docs/benchmarks.md."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from benchmarks.results_file import Figure

COLUMNS = ("what", "ratio", "goal", "reached", "floor", "ours", "unit", "CPU s: floor, ours", "peak MB: ours")
LEFT = (0, 3, 6)
SHORT = 7
"""Of the columns, so many fit on a terminal."""


def result_table(figures: Sequence[Figure]) -> Table:
    """For the terminal, without CPU and memory."""
    table = Table(title="Cost over floor: smaller is better", title_justify="left", show_edge=False)
    for number, column in enumerate(COLUMNS[:SHORT]):
        table.add_column(column, justify="left" if number in LEFT else "right", no_wrap=number > 0)
    for figure in figures:
        what, ratio, goal, is_reached, *rest = row_of(figure)[:SHORT]
        style = {"yes": "green", "no": "red"}.get(is_reached, "")
        table.add_row(what, ratio, goal, Text(is_reached, style=style), *rest)
    return table


def markdown_table(figures: Sequence[Figure]) -> str:
    """For the documentation."""
    return markdown(COLUMNS, [row_of(figure) for figure in figures], left=LEFT)


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[int] = (0,)) -> str:
    """A table in Markdown, the columns of `left` aligned to the left and the others to the right."""
    rule = "|" + "".join("---|" if number in left else "---:|" for number in range(len(columns)))
    return "\n".join([_line(columns), rule, *map(_line, rows)]) + "\n"


def row_of(figure: Figure) -> tuple[str, ...]:
    """One figure in the order of `COLUMNS`."""
    limit = figure.get("kind") == "limit"
    return (
        figure["name"],
        f"{significant(figure['ratio'])} ± {significant(figure['spread'], digits=2)}",
        "-" if figure["goal"] is None else f"<= {significant(figure['goal'])}",
        reached(figure),
        "-" if limit else significant(figure["floor"]),
        significant(figure["ours"]),
        figure["unit"],
        _cpu(figure),
        _peak(figure),
    )


def reached(figure: Figure) -> str:
    """Whether the ratio is within the goal; "close" if only the spread is in the way; nothing without a goal."""
    goal = figure["goal"]
    if goal is None:
        return ""
    if figure["ratio"] <= goal:
        return "yes"
    return "close" if figure["ratio"] - figure["spread"] <= goal else "no"


def significant(value: float, digits: int = 3) -> str:
    """The value with so many significant digits and no exponent."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 10 ** (digits - 1) else f"{rounded:.{digits}g}"


def _cpu(figure: Figure) -> str:
    beside = figure.get("beside", {})
    values = [beside.get(f"{whose}_cpu_seconds") for whose in ("floor", "ours")]
    return ", ".join(significant(value) for value in values if value is not None) or "-"


def _peak(figure: Figure) -> str:
    peak = figure.get("beside", {}).get("ours_peak_rss_mb")
    return "-" if peak is None else f"{peak:,.0f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
