"""The warehouse as the platform sees it: SQL in, rows or Parquet out, and loads that happen whole or not at all.

What belongs here: the protocol, its errors and `Extract`, the step input that is a query. What does not: SQL (see
`queries/`) and any one database (see `duckdb_warehouse.py`). SQL names its parameters `$name`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

Parameters: TypeAlias = Mapping[str, Any]

TABLES_SQL = Path(__file__).with_name("warehouse_tables.sql")
"""The platform's tables, in SQL for DuckDB and Redshift alike."""

_TABLE_NAME = re.compile(r"[a-z_][a-z0-9_]*")


class WarehouseError(Exception):
    """The warehouse refused a statement or could not be reached; the message names what, where and the remedy."""


def check_staged_name(name: str) -> None:
    """Hold the name of a staged table, which stands in statements as it is, against what a name may be.

    Raises:
        WarehouseError: it is none.
    """
    if not _TABLE_NAME.fullmatch(name):
        raise WarehouseError(f"{name!r} cannot name a staged table; use lower-case letters, digits and _")


@dataclass(frozen=True, kw_only=True)
class Slices:
    """A query as slices that follow one another in its order, each small enough to be put in order in memory.

    A warehouse that would have to write a large result to disk to sort it takes slice by slice, and at once what is
    stored in this order; any other one runs `whole()`. Both have the same parameters, of which `$slice_start` and
    `$slice_end` are the first slice's start and the last one's end.

    Attributes:
        shared: relations that `rows` reads by these names: made once, however many slices there are.
        sizes: ascending `slice_start`s, times; how many `slice_rows` there are at most until the next; and the numbers
            of the `first_row` and the `last_row` of these in the table as it is stored.
        rows: the rows of [$slice_start, $slice_end), in any order.
        order: the columns that put rows in a total order; the first one is what slices are cut by.
    """

    shared: Mapping[str, str]
    sizes: str
    rows: str
    order: tuple[str, ...]

    def whole(self) -> str:
        """The query for everything at once."""
        shared = ",\n".join(f"{name} as (\n{sql})" for name, sql in self.shared.items())
        return f"with {shared}\nselect * from (\n{self.rows}) as sliced\n{self.order_by}"

    @property
    def order_by(self) -> str:
        """The order as SQL."""
        return f"order by {', '.join(self.order)}"


class Warehouse(Protocol):
    """What a warehouse can do. Every method raises `WarehouseError`."""

    def fetch(self, query: str, parameters: Parameters) -> list[dict[str, Any]]:
        """The rows of a small result, one dict per row by column name. Reads only."""
        ...

    def unload(
        self, query: str, parameters: Parameters, folder: Path, *, rows_per_file: int, slices: Slices | None = None
    ) -> int:
        """Stream a result into `folder` as part-00000.parquet, part-00001.parquet, ... and return the number of rows.

        Every file but the last holds exactly `rows_per_file` rows, in the order of the query; an empty result is one
        file of no rows. A query with a total ORDER BY gives byte-identical files. Columns are bool, int64, float,
        double, string, date32 or timestamp[us] without time zone, and nullable from the first file on in which a value
        is missing. Memory does not grow with the result.

        Args:
            query: with a total ORDER BY, if the files are to be the same each time.
            parameters: of the query.
            folder: exists and is empty.
            rows_per_file: at least 1.
            slices: another way to the very rows of `query`, for a warehouse to which it is cheaper.
        """
        ...

    def load(self, staged: Mapping[str, Path | pa.Table], statements: Sequence[tuple[str, Parameters]]) -> None:
        """Run the statements in one transaction: all of them, or none.

        Args:
            staged: name of a temporary table -> a folder of Parquet files, or an Arrow table, with its rows.
            statements: SQL and parameters, in order; they may read the staged tables.
        """
        ...

    def create_tables(self) -> None:
        """Create the schemas and tables of `warehouse_tables.sql` that do not exist yet, and `ADDED_COLUMNS`."""
        ...


@dataclass(frozen=True)
class Extract:
    """A step input that is the result of queries, unloaded only when a step really runs.

    Attributes:
        warehouse: where the queries run.
        queries: subfolder ("" for the folder itself) -> SQL and parameters; the SQL has a total ORDER BY.
        rows_per_file: rows of each Parquet file.
        version: stands for what the tables hold of what the queries read: same version, same rows.
        slices: subfolder -> its query as slices, where there are any.
    """

    warehouse: Warehouse
    queries: Mapping[str, tuple[str, Parameters]]
    rows_per_file: int
    version: str
    slices: Mapping[str, Slices] = field(default_factory=dict[str, Slices])

    @property
    def content_hash(self) -> str:
        """sha256 over queries, parameters, rows per file and version; known without running anything."""
        parts = {
            "queries": {name: [sql, dict(parameters)] for name, (sql, parameters) in self.queries.items()},
            "rows_per_file": self.rows_per_file,
            "version": self.version,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_stable_text).encode()).hexdigest()

    def open(self, scratch: Path) -> Path:
        """Unload every query into `scratch` and return that folder."""
        for subfolder, (sql, parameters) in self.queries.items():
            folder = scratch / subfolder
            folder.mkdir(parents=True, exist_ok=True)
            slices = self.slices.get(subfolder)
            self.warehouse.unload(sql, parameters, folder, rows_per_file=self.rows_per_file, slices=slices)
        return scratch


def _stable_text(value: object) -> str:
    if isinstance(value, dt.datetime | dt.date):
        return f"{type(value).__name__} {value.isoformat()}"
    raise TypeError(f"a query parameter of type {type(value).__name__} has no stable text; pass text, number or time")
