"""docs/benchmarks.md says what the results say."""

import re
from pathlib import Path

import pytest

from benchmarks.page import IMAGES, PAGE, PEERS, generated_parts, machine_line, with_parts, write_page
from benchmarks.results_file import read_results

MACHINE = {"cores": 2, "processor": "P", "memory_gb": 8.0, "versions": {"python": "3.11.7"}}
FIGURES = [
    {
        "name": "job: wall",
        "ratio": 1.1,
        "goal": 1.2,
        "floor": 2.0,
        "ours": 2.2,
        "unit": "s",
        "spread": 0.01,
        "note": "small",
        "measured_at": "2025-03-01T10:00:00+00:00",
        "load_before": 0.25,
        "machine": MACHINE,
    },
    {
        "name": "job: CPU",
        "ratio": 9.0,
        "goal": 1.0,
        "floor": 1.0,
        "ours": 9.0,
        "unit": "CPU s",
        "spread": 0.0,
        "measured_at": "2025-03-03T10:00:00+00:00",
        "load_before": 0.5,
        "machine": MACHINE,
    },
]


def test_the_page_is_that_of_the_results():
    text = PAGE.read_text(encoding="utf-8")
    assert with_parts(text, generated_parts(read_results(), read_results(PEERS))) == text


def test_the_machine_is_named_once_with_the_days_and_the_highest_load():
    assert machine_line(FIGURES) == (
        "- 2025-03-01 to 2025-03-03: 2 cores of P, 8.0 GB; python 3.11.7\n\n"
        "Processes that wanted a core before a measurement began, per core: at most 0.5.\n"
    )
    assert machine_line([]) == "Not measured yet.\n"


def test_only_what_stands_between_markers_is_replaced():
    text = "before\n<!-- a: begin -->\nold\n<!-- a: end -->\nafter\n"
    assert with_parts(text, {"a": r"new \1"}) == "before\n<!-- a: begin -->\n\nnew \\1\n<!-- a: end -->\nafter\n"


def test_a_page_without_markers_is_refused():
    with pytest.raises(ValueError, match="the page has the markers of 'a' 0 times"):
        with_parts("text", {"a": "new"})


def test_plots_are_drawn_the_same_each_time(tmp_path: Path):
    page = tmp_path / "benchmarks.md"
    drawn = []
    for number in range(2):
        images = tmp_path / str(number)
        images.mkdir()
        page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
        write_page(FIGURES, page, images)
        drawn.append({path.name: path.read_bytes() for path in images.iterdir()})
    assert drawn[0] == drawn[1]
    assert {"benchmarks-ratios.png", "benchmarks-scaling.png"} <= set(drawn[0])
    assert all(10_000 < len(data) < 100_000 for data in drawn[0].values())
    assert "| job: wall | 1.1 ± 0.01 | <= 1.2 | yes |" in page.read_text(encoding="utf-8")


def test_the_images_of_the_page_are_there():
    named = re.findall(r"\(images/(.*?)\)", PAGE.read_text(encoding="utf-8"))
    assert "benchmarks-scaling.png" in named
    assert set(named) <= {path.name for path in IMAGES.iterdir()}
