"""A result by slices of its order: as much is in memory at a time as is in order at a time, and nothing spills.

DuckDB sorts wide rows by moving all of their columns, at twice the cost of reading them, and of more rows than fit in
memory it writes every column to disk and reads it again. The rows of the features lie in the order of the inventory
already, save where a day was built again: so each slice is read as it lies, looked at, and put in order if it is not.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from packaging_assets.domain.read_ahead import read_ahead
from packaging_assets.domain.row_order import in_order
from packaging_assets.resources.warehouse import Parameters, Slices

SLICE_ROWS = 131_072
"""Rows in order at a time: some 70 MB of product features, of which there are three, one being read, one written."""

_PARAMETER = re.compile(r"\$([a-z_]+)")


@dataclass(frozen=True)
class Slice:
    """The rows of [start, end), at most so many."""

    start: dt.datetime
    end: dt.datetime
    rows: int


def open_slices(
    connection: duckdb.DuckDBPyConnection, slices: Slices, parameters: Parameters, *, slice_rows: int = SLICE_ROWS
) -> pa.RecordBatchReader:
    """A reader over the rows of `slices.whole()`, in order; the next slice is read while one is used."""
    for name, sql in slices.shared.items():
        connection.execute(f"create temporary table {name} as {sql}", _of(sql, parameters))
    connection.execute("set preserve_insertion_order = true")
    sizes = connection.execute(slices.sizes, _of(slices.sizes, parameters)).fetchall()
    planned = plan_slices(sizes, parameters["slice_start"], parameters["slice_end"], slice_rows)
    nothing = _read(connection, slices, parameters, Slice(parameters["slice_end"], parameters["slice_end"], 0))
    batches = (
        batch
        for one in planned
        for batch in _batches(connection, slices, parameters, one, is_large=one.rows > slice_rows)
    )
    return pa.RecordBatchReader.from_batches(nothing.schema, read_ahead(batches))


def plan_slices(
    sizes: Iterable[tuple[dt.datetime, int]], start: dt.datetime, end: dt.datetime, slice_rows: int
) -> list[Slice]:
    """Neighbours put together as far as they have no more than `slice_rows` rows; one alone may have more."""
    planned: list[Slice] = []
    for at, rows in sizes:
        last = planned[-1] if planned else None
        if last is not None and last.rows + rows <= slice_rows:
            planned[-1] = Slice(last.start, end, last.rows + rows)
        else:
            if last is not None:
                planned[-1] = Slice(last.start, at, last.rows)
            planned.append(Slice(start if last is None else at, end, rows))
    return planned


def _batches(
    connection: duckdb.DuckDBPyConnection, slices: Slices, parameters: Parameters, one: Slice, *, is_large: bool
) -> Iterator[pa.RecordBatch]:
    if is_large:  # so many rows of one hour: DuckDB sorts them, on disk if it must
        given = _bounded(parameters, one)
        sql = f"{slices.rows}\n{slices.order_by}"
        yield from connection.sql(sql, params=dict(_of(sql, given))).to_arrow_reader(SLICE_ROWS)
        return
    table = _read(connection, slices, parameters, one)
    yield from in_order(table, slices.order).to_batches()


def _read(connection: duckdb.DuckDBPyConnection, slices: Slices, parameters: Parameters, one: Slice) -> pa.Table:
    given = _of(slices.rows, _bounded(parameters, one))
    return connection.sql(slices.rows, params=dict(given)).to_arrow_table()


def _bounded(parameters: Parameters, one: Slice) -> Mapping[str, Any]:
    return {**parameters, "slice_start": one.start, "slice_end": one.end}


def _of(sql: str, parameters: Parameters) -> Mapping[str, Any]:
    """Those of the parameters that the statement has; DuckDB refuses others. Comments name no others, either."""
    return {name: parameters[name] for name in dict.fromkeys(_PARAMETER.findall(_without_comments(sql)))}


def _without_comments(sql: str) -> str:
    return re.sub(r"--[^\n]*", "", sql)
