"""Figures as people read them."""

import pytest

from benchmarks.tables import COLUMNS, markdown, markdown_table, reached, result_table, row_of, significant

FIGURE = {
    "name": "weekly training: wall",
    "ratio": 1.0423,
    "goal": 1.05,
    "floor": 31.24,
    "ours": 32.56,
    "unit": "s",
    "spread": 0.0123,
    "kind": "floor",
    "beside": {"floor_cpu_seconds": 60.1, "ours_cpu_seconds": 61.98, "ours_peak_rss_mb": 1234.5},
}
LIMIT = {
    **FIGURE,
    "name": "cached",
    "ratio": 4.5,
    "goal": 4.0,
    "floor": 1.0,
    "ours": 4.5,
    "kind": "limit",
    "beside": {},
}


def test_a_figure_is_a_row():
    cells = ("weekly training: wall", "1.04 ± 0.012", "<= 1.05", "yes", "31.2", "32.6", "s", "60.1, 62", "1,234")
    assert row_of(FIGURE) == cells


def test_a_limit_has_no_floor():
    assert row_of(LIMIT) == ("cached", "4.5 ± 0.012", "<= 4", "no", "-", "4.5", "s", "-", "-")


@pytest.mark.parametrize(
    ("ratio", "spread", "goal", "expected"),
    [(1.05, 0.2, 1.05, "yes"), (1.06, 0.01, 1.05, "close"), (1.06, 0.009, 1.05, "no"), (1.06, 0.2, None, "")],
)
def test_a_goal_is_reached_by_the_ratio_and_not_by_its_spread(ratio: float, spread: float, goal: float, expected: str):
    assert reached({"ratio": ratio, "spread": spread, "goal": goal}) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (0.01234, "0.0123"), (1.005, "1"), (99.96, "100"), (99.4, "99.4"), (123456, "123,000"), (4.0, "4")],
)
def test_three_significant_digits_and_no_exponent(value: float, expected: str):
    assert significant(value) == expected


def test_markdown_aligns_numbers_to_the_right():
    assert markdown(("a", "b"), [("x", "1")]) == "| a | b |\n|---|---:|\n| x | 1 |\n"
    assert (
        markdown_table([FIGURE]).splitlines()[2].startswith("| weekly training: wall | 1.04 ± 0.012 | <= 1.05 | yes |")
    )


def test_the_terminal_has_the_same_without_cpu_and_memory():
    table = result_table([FIGURE, LIMIT])
    assert [column.header for column in table.columns] == list(COLUMNS[:7])
    assert [str(cell) for cell in table.columns[3].cells] == ["yes", "no"]
