"""The floor of a new day of features: one transaction of hand-written SQL, and nothing of dbt.

Usage: python benchmarks/floors/features_day.py WAREHOUSE QUERY_FILE DAY FIGURES

QUERY_FILE has the day's rows as SQL. Does it twice; writes {"model": [wall seconds, CPU seconds], "again": the same}
as JSON.
"""

import datetime as dt
import json
import sys
import time
from pathlib import Path

import duckdb


def main(warehouse: str, query_file: str, day: str, figures: str) -> None:
    """Replace the day's rows, and once more."""
    query = Path(query_file).read_text(encoding="utf-8")
    taken = {name: replace_day(warehouse, query, dt.date.fromisoformat(day)) for name in ("model", "again")}
    Path(figures).write_text(json.dumps(taken) + "\n", encoding="utf-8")


def replace_day(warehouse: str, query: str, day: dt.date) -> list[float]:
    """Wall and CPU seconds."""
    window = {"start": day, "end": day + dt.timedelta(days=1)}
    wall, cpu = time.perf_counter(), time.process_time()
    with duckdb.connect(warehouse, config={"threads": 2, "memory_limit": "800MB"}) as connection:
        connection.begin()
        connection.execute(
            "delete from marts.product_features where updated_at >= $start and updated_at < $end", window
        )
        connection.execute(f"insert into marts.product_features {query}")
        connection.commit()
    return [time.perf_counter() - wall, time.process_time() - cpu]


if __name__ == "__main__":
    main(*sys.argv[1:])
