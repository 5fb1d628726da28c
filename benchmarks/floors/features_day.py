"""The floor of a new day of features: one transaction of hand-written SQL, and nothing of dbt.

Usage: python benchmarks/floors/features_day.py WAREHOUSE QUERY_FILE DAY FIGURES

QUERY_FILE has the day's rows as SQL. Writes {"model": [wall seconds, CPU seconds]} as JSON.
"""

import datetime as dt
import json
import sys
import time
from pathlib import Path

import duckdb


def main(warehouse: str, query_file: str, day: str, figures: str) -> None:
    """Replace the day's rows."""
    query = Path(query_file).read_text(encoding="utf-8")
    start = dt.date.fromisoformat(day)
    window = {"start": start, "end": start + dt.timedelta(days=1)}
    wall, cpu = time.perf_counter(), time.process_time()
    with duckdb.connect(warehouse, config={"threads": 2, "memory_limit": "800MB"}) as connection:
        connection.begin()
        connection.execute(
            "delete from marts.product_features where updated_at >= $start and updated_at < $end", window
        )
        connection.execute(f"insert into marts.product_features {query}")
        connection.commit()
    taken = [time.perf_counter() - wall, time.process_time() - cpu]
    Path(figures).write_text(json.dumps({"model": taken}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
