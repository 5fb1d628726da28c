import datetime as dt
import itertools
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packaging_assets.domain.model_card_charts import (
    WeekRate,
    bar_rows,
    histogram_chart,
    label_rate_chart,
    volume_chart,
)
from packaging_assets.domain.svg_charts import (
    Axis,
    Line,
    column_chart,
    line_chart,
    nice_axis,
    standalone_svg,
    unit_axis,
)


def test_a_line_runs_from_corner_to_corner_of_its_frame():
    svg = line_chart("A & B", unit_axis("x"), unit_axis("y <1>"), [Line([(0, 0), (1, 1)], 0, has_dots=True)])
    root = ET.fromstring(svg)  # noqa: S314 - our own text
    assert root.get("aria-label") == "A & B"
    assert root.find("./g[@class='s0']/path").get("d") == "M58.0 246.0L428.0 10.0"
    assert len(root.findall("./g[@class='s0']/circle")) == 2
    assert [text.text for text in root.iter("text")][-1] == "y <1>"


def test_a_chart_of_its_own_has_its_style_and_its_legend():
    lines = [Line([(0, 0), (1, 1)], 0), Line([(0, 1), (1, 1)], 2)]
    svg = standalone_svg(line_chart("A & B", unit_axis("x"), unit_axis("y"), lines), [(0, "new <1>"), (2, "reference")])
    root = ET.fromstring(svg)  # noqa: S314 - our own text
    namespace = "{http://www.w3.org/2000/svg}"
    assert (root.tag, root.get("height")) == (f"{namespace}svg", "338")
    assert ".s2{" in root.find(f"{namespace}style").text
    assert root.find(f"{namespace}svg").get("aria-label") == "A & B"
    assert [text.text for text in root.findall(f"{namespace}text")] == ["new <1>", "reference"]
    assert [group.get("class") for group in root.findall(f"{namespace}g")] == ["s0", "s2"]


def test_columns_stand_on_the_axis_beside_each_other():
    svg = column_chart("columns", "bins", ["5"], Axis("share", 0, 1, ()), [[0.5, 1.0], [0.25, 0.0]])
    rectangles = re.findall(r'class="bar s(\d)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', svg)
    assert [(style, y, height) for style, _, y, _, height in rectangles] == [
        ("0", "128.0", "118.0"),
        ("0", "10.0", "236.0"),
        ("1", "187.0", "59.0"),
        ("1", "246.0", "0.0"),
    ]
    ends = sorted((float(x), float(x) + float(width)) for _, x, _, width, _ in rectangles)
    assert all(end <= start + 0.11 for (_, end), (start, _) in itertools.pairwise(ends))


@given(st.floats(1e-6, 1e12))
def test_a_nice_axis_reaches_over_the_highest_value_but_not_far(highest):
    axis = nice_axis("rows", highest)
    assert highest <= axis.high * (1 + 1e-9)
    assert axis.high <= 2.5 * highest or axis.high <= 5e-6
    assert len(axis.ticks) in {5, 6}


def test_a_week_without_tests_leaves_a_gap():
    monday = dt.date(2025, 1, 6)
    weeks = [WeekRate(monday + dt.timedelta(weeks=week), 4, 0.5) for week in (0, 1, 8)]
    svg = label_rate_chart(weeks, 0.4).svg
    first, second, last = (float(x) for x in re.findall(r'circle cx="([\d.]+)"', svg))
    assert (last - second) / (second - first) == pytest.approx(7, abs=0.02)
    assert re.findall(r'text-anchor="middle">(\d\d \w+ \d\d)<', svg) == [
        "06 Jan 25",
        "20 Jan 25",
        "03 Feb 25",
        "17 Feb 25",
        "03 Mar 25",
    ]


def labels_up(svg: str) -> list[str]:
    """What stands at the ticks of the vertical axis, from its foot."""
    return re.findall(r'text-anchor="end">([^<]+)<', svg)


def test_ticks_say_the_very_numbers_at_which_they_stand():
    bins = [0.09, 0.11, *[0.1] * 8]
    edges = [float(edge) for edge in range(1, 10)]
    shares = labels_up(histogram_chart("bins", edges, bins, bins).svg)
    assert shares == ["0%", "2.5%", "5%", "7.5%", "10%", "12.5%"]
    assert labels_up(histogram_chart("no values", [], [0.0], [0.0]).svg)[-1] == "100%"
    assert labels_up(volume_chart([(dt.date(2025, 1, 6), 11)]).svg) == ["0", "2.5", "5", "7.5", "10", "12.5"]
    assert labels_up(volume_chart([(dt.date(2025, 1, 6), 1_100_000)]).svg)[-2:] == ["1,000,000", "1,250,000"]
    assert labels_up(label_rate_chart([WeekRate(dt.date(2025, 1, 6), 4, 0.5)], None).svg)[1:3] == ["20%", "40%"]


def test_bars_are_shares_of_the_longest_or_of_the_limit():
    rows = bar_rows({"a": 0.5, "b": 0.1}, limits={"a": 0.25, "b": 0.3})
    assert [(row["share"], row["limit_share"], row["is_over"]) for row in rows] == [
        ("100.0", "50.0", True),
        ("20.0", "60.0", False),
    ]
    assert bar_rows({"a": 0.5}, limits={"a": 2.0})[0] | {"name": ""} == {
        "name": "", "share": "25.0", "limit_share": "100.0", "is_over": False, "text": "0.500",
    }  # fmt: skip
    assert bar_rows({}) == []
    assert bar_rows({"a": 0.0})[0]["share"] == "0.0"


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_the_interval_of_a_weeks_label_rate_stays_within_0_and_1(rate):
    svg = label_rate_chart([WeekRate(dt.date(2025, 1, 6), 4, rate)], None).svg
    low, high = (float(value) for value in re.search(r'class="whisker" d="M[\d.]+ ([\d.]+)V([\d.]+)"', svg).groups())
    assert 10.0 <= high < low <= 246.0
