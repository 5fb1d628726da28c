"""A result by slices of its order: as much is in memory at a time as is in order at a time, and nothing spills.

DuckDB sorts wide rows by moving all of their columns, at twice the cost of reading them, and of more rows than fit in
memory it writes every column to disk and reads it again. The rows of the features lie in the order of the inventory
already, save where a day was built again. So the table is read as it lies as far as that is so, in one query, whose
rows are looked at some thousand at a time and put in order if they are not; the rest is read by slices of time.
"""

import datetime as dt
import re
from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from packaging_assets.domain.read_ahead import read_ahead
from packaging_assets.domain.row_order import in_order
from packaging_assets.resources.warehouse import Parameters, Slices

SLICE_ROWS = 131_072
"""Rows in order at a time: some 70 MB of product features, of which there are three, one being read, one written."""

BATCH_ROWS = 65_536

_PARAMETER = re.compile(r"\$([a-z_]+)")


@dataclass(frozen=True)
class Slice:
    """The rows of [start, end), at most so many.

    `is_stored_so`: each `slice_start` within has its rows after those of the ones before it.
    """

    start: dt.datetime
    end: dt.datetime
    rows: int
    is_stored_so: bool = True


def open_slices(
    connection: duckdb.DuckDBPyConnection, slices: Slices, parameters: Parameters, *, slice_rows: int = SLICE_ROWS
) -> pa.RecordBatchReader:
    """A reader over the rows of `slices.whole()`, in order; the next ones are read while some are used."""
    for name, sql in slices.shared.items():
        connection.execute(f"create temporary table {name} as {sql}", _of(sql, parameters))
    connection.execute("set preserve_insertion_order = true")
    sizes = connection.execute(slices.sizes, _of(slices.sizes, parameters)).fetchall()
    starts = [start for start, *_ in sizes]
    planned = plan_slices(sizes, parameters["slice_start"], parameters["slice_end"], slice_rows)
    nothing = _query(connection, slices, parameters, Slice(parameters["slice_end"], parameters["slice_end"], 0))
    tables = (table for one in planned for table in _tables(connection, slices, parameters, one, starts, slice_rows))
    batches = (batch for table in read_ahead(tables) for batch in table.to_batches())
    return pa.RecordBatchReader.from_batches(nothing.to_arrow_table().schema, batches)


def plan_slices(
    sizes: Iterable[tuple[dt.datetime, int, int, int]], start: dt.datetime, end: dt.datetime, slice_rows: int
) -> list[Slice]:
    """Neighbours put together: any number that are stored one after the other, others up to `slice_rows` rows.

    One alone may have more than that; it is put together with none.

    Args:
        sizes: see `Slices.sizes`.
        start: where the first slice begins.
        end: where the last one ends.
        slice_rows: how many rows are put in order in memory.
    """
    planned: list[Slice] = []
    stored_until = 0
    for at, rows, first_row, last_row in sizes:
        is_small = rows <= slice_rows
        if not planned:
            planned.append(Slice(start, end, rows, is_small))
        else:
            last = planned[-1]
            follows = last.is_stored_so and is_small and first_row > stored_until
            if follows or last.rows + rows <= slice_rows:
                planned[-1] = Slice(last.start, end, last.rows + rows, follows)
            else:
                planned[-1:] = [replace(last, end=at), Slice(at, end, rows, is_small)]
        stored_until = last_row
    return planned


def _tables(
    connection: duckdb.DuckDBPyConnection,
    slices: Slices,
    parameters: Parameters,
    one: Slice,
    starts: Sequence[dt.datetime],
    slice_rows: int,
) -> Iterator[pa.Table]:
    """A slice's rows, in order."""
    if one.is_stored_so:
        with _one_thread(connection):
            yield from _as_stored(_query(connection, slices, parameters, one), slices.order, starts, slice_rows)
    elif one.rows <= slice_rows:
        yield in_order(_query(connection, slices, parameters, one).to_arrow_table(), slices.order)
    else:  # so many rows of one hour: DuckDB sorts them, on disk if it must
        reader = _query(connection, slices, parameters, one, slices.order_by).to_arrow_reader(BATCH_ROWS)
        yield from (pa.Table.from_batches([batch]) for batch in reader)


@contextmanager
def _one_thread(connection: duckdb.DuckDBPyConnection) -> Generator[None]:
    """Several threads would stream the groups of rows that each has read in whatever order they come."""
    (threads,) = connection.execute("select current_setting('threads')").fetchone() or (1,)
    connection.execute("set threads = 1")
    try:
        yield
    finally:
        connection.execute(f"set threads = {int(threads)}")


def _as_stored(
    rows: duckdb.DuckDBPyRelation, order: Sequence[str], starts: Sequence[dt.datetime], slice_rows: int
) -> Iterator[pa.Table]:
    """Rows that are stored one `slice_start` after the other: put in order as soon as the last of it has been read."""
    pending: list[pa.RecordBatch] = []
    for batch in rows.to_arrow_reader(BATCH_ROWS):
        pending.append(batch)
        if sum(waiting.num_rows for waiting in pending) < slice_rows:
            continue
        table = pa.Table.from_batches(pending)
        times = table[order[0]].to_numpy()
        newest = starts[bisect_right(starts, times.max().item()) - 1]
        complete = int(np.count_nonzero(times < np.datetime64(newest)))
        if complete:
            yield in_order(table.slice(0, complete), order)
        pending = table.slice(complete).to_batches()
    if pending:
        yield in_order(pa.Table.from_batches(pending), order)


def _query(
    connection: duckdb.DuckDBPyConnection, slices: Slices, parameters: Parameters, one: Slice, end: str = ""
) -> duckdb.DuckDBPyRelation:
    given = {**parameters, "slice_start": one.start, "slice_end": one.end}
    return connection.sql(f"{slices.rows}\n{end}", params=dict(_of(slices.rows, given)))


def _of(sql: str, parameters: Parameters) -> Mapping[str, Any]:
    """Those of the parameters that the statement has; DuckDB refuses others. Comments name no others, either."""
    return {name: parameters[name] for name in dict.fromkeys(_PARAMETER.findall(_without_comments(sql)))}


def _without_comments(sql: str) -> str:
    return re.sub(r"--[^\n]*", "", sql)
