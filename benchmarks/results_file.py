"""The file of results: a list of figures, which each run of the benchmarks replaces by name and otherwise keeps."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LATEST = Path(__file__).parent / "results" / "latest.json"

KEYS = ("name", "ratio", "goal", "floor", "ours", "unit", "spread")
"""What each figure has at least."""

Figure = dict[str, Any]


def read_results(file: Path = LATEST) -> list[Figure]:
    """The figures of the file, none if there is no file."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []


def merged(before: Sequence[Figure], new: Sequence[Figure]) -> list[Figure]:
    """The figures in their order, those measured anew in place of the old ones of their name, new names at the end.

    Raises:
        ValueError: a new figure lacks a key, or two have one name.
    """
    for figure in new:
        missing = [key for key in KEYS if key not in figure]
        if missing:
            raise ValueError(f"the figure {figure.get('name', figure)} has no {missing[0]!r}: give it one.")
    by_name = {figure["name"]: figure for figure in new}
    if len(by_name) < len(new):
        twice = next(name for name in by_name if sum(figure["name"] == name for figure in new) > 1)
        raise ValueError(f"two figures are named {twice!r}: give each a name of its own.")
    kept = [by_name.pop(figure["name"], figure) for figure in before]
    return [*kept, *by_name.values()]


def write_results(figures: Sequence[Figure], file: Path = LATEST) -> None:
    """Replace the file at once, so that an interrupted run leaves the old or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    partial.replace(file)
