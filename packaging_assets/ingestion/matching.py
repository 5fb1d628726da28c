"""Finds delivered rows whose key is already there: in the warehouse, or earlier in the same file.

The first row of a key stands. A later one that is equal in every column is a duplicate, and is passed over; one that
differs contradicts it, and is a bad row. Rows are compared in full, by value, in an in-memory DuckDB over the Parquet
parts, which spills to disk: exact, and flat in memory however large the file.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from packaging_assets.ingestion.contract import TableContract
from packaging_assets.ingestion.validation import BAD_ROW_SCHEMA, LINE_COLUMN

_THREADS = 2
_MEMORY_LIMIT = "1GB"

# Keys that the warehouse does not have and the file has several times: few or none, as a rule.
_ADD_FIRST_OF_EACH_KEY = """
insert into standing by name
with repeated as (
    select {key}, min(delivered_line) as delivered_line
    from delivered
    anti join standing using ({key})
    group by {key}
    having count(*) > 1
)
select delivered.*
from delivered
semi join repeated using (delivered_line)
"""
# One row per delivered row that has a standing one of its key: the first column in which they differ, if any.
_COMPARE = """
create temporary table compared as
select
    delivered.delivered_line as line,
    case {field} end as field,
    left(case {value} end, 200) as value,
    standing.delivered_line as standing_line
from delivered
join standing using ({key})
where standing.delivered_line is distinct from delivered.delivered_line
"""
_DUPLICATES = "select line from compared where field is null order by line"
_CONFLICTS = """
select
    line,
    field,
    value,
    case
        when standing_line is null then 'conflicts with an earlier delivery, which {same_key}'
        else 'conflicts with line ' || standing_line || ', which {same_key}'
    end as reason
from compared
where field is not null
order by line
"""
_ROWS_BY_DAY = """
select cast({event_time} as date) as day, count(*) as rows
from delivered
anti join left_out using (delivered_line)
group by day
order by day
"""


@dataclass(frozen=True)
class Matches:
    """Delivered rows that are not to be appended.

    Attributes:
        duplicate_lines: lines of the rows equal to one that stands.
        conflicts: the rows that contradict one that stands (`BAD_ROW_SCHEMA`), by line.
    """

    duplicate_lines: pa.ChunkedArray
    conflicts: pa.Table

    @property
    def left_out(self) -> pa.Table:
        """The lines of duplicates and conflicts: one column, `LINE_COLUMN`."""
        lines = [*self.duplicate_lines.chunks, *self.conflicts.column("line").chunks]
        return pa.table({LINE_COLUMN: pa.chunked_array(lines, pa.int64())})


@contextmanager
def delivered_rows(folder: Path, scratch: Path) -> Generator[duckdb.DuckDBPyConnection]:
    """A scratch database whose view `delivered` shows the accepted rows in `folder`."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": _THREADS,
        "memory_limit": _MEMORY_LIMIT,
        "temp_directory": str(scratch),
    }
    with duckdb.connect(":memory:", config=config) as database:
        database.from_parquet(f"{folder}/*.parquet").create_view("delivered")
        yield database


def find_matches(database: duckdb.DuckDBPyConnection, contract: TableContract, known: Path | None) -> Matches:
    """Compare the delivered rows with those of the same key in the folder `known`, and else with one another."""
    standing = database.sql("from delivered limit 0")
    if known is not None:
        standing = database.from_parquet(f"{known}/*.parquet").select(f"cast(null as bigint) as {LINE_COLUMN}, *")
    standing.create("standing")
    database.execute(_fill(_ADD_FIRST_OF_EACH_KEY, contract))
    database.execute(_fill(_COMPARE, contract))
    # A file may be all duplicates: of these nothing but their lines leaves the database.
    duplicates = database.sql(_DUPLICATES).to_arrow_table()
    conflicts = database.sql(_fill(_CONFLICTS, contract)).to_arrow_table()
    return Matches(duplicates.column("line"), conflicts.cast(BAD_ROW_SCHEMA))


def rows_by_day(database: duckdb.DuckDBPyConnection, contract: TableContract, left_out: pa.Table) -> pa.Table:
    """How many of the rows to be appended happened on which day: `day` (date), `rows` (bigint), by day."""
    database.register("left_out", left_out)
    return database.sql(_fill(_ROWS_BY_DAY, contract)).to_arrow_table()


def _fill(sql: str, contract: TableContract) -> str:
    others = [name for name in contract.column_names if name not in contract.key]
    differing = [(name, f"delivered.{name} is distinct from standing.{name}") for name in others]
    return sql.format(
        key=", ".join(contract.key),
        event_time=contract.event_time,
        same_key=f"has the same {' and '.join(contract.key)}",
        field=" ".join(f"when {differs} then '{name}'" for name, differs in differing),
        value=" ".join(f"when {differs} then cast(delivered.{name} as varchar)" for name, differs in differing),
    )
