"""The control: a floor against itself. What it differs from 1 by is the machine's noise, not anybody's cost."""

import sys
from typing import Any

from benchmarks.measuring import alternate, compared

GOAL = 1.05
"""A machine on which equals differ by more is too busy for the other figures."""


def measure_itself(repeats: int, rows: int = 400_000_000) -> list[dict[str, Any]]:
    """One DuckDB query on all cores, as floor and as ours."""
    code = f"import duckdb; duckdb.sql('from range({rows}) t(i) select sum(hash(i) % 7)').fetchall()"
    command = [sys.executable, "-c", code]
    pairs = alternate(command, command, repeats)
    note = (
        f"DuckDB hashes {rows:,} numbers, twice the same command: how far from 1 a ratio of equals is on this machine"
    )
    return [
        compared("control, the floor against itself: wall", pairs, goal=GOAL, note=note).as_dict(),
        compared("control, the floor against itself: CPU", pairs, goal=GOAL, of="cpu_seconds").as_dict(),
    ]
