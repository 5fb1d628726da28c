"""Writing a stream of Arrow batches as Parquet files of equal size: same rows, same bytes, constant memory."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from packaging_assets.artifacts.flushing import flush
from packaging_assets.domain.parquet_files import JUDGED_ROWS, part_name, repeating_texts, text_columns
from packaging_assets.domain.read_ahead import read_ahead

ROWS_PER_GROUP = 16_384
"""Rows put together in memory at a time, few enough to stay in the processor's cache; also the row group, so that its
boundaries do not follow the source's batches, and so that a reader can take one in so many."""

_TEXT, _NUMBERS = "lz4", "none"
# Packing numbers too makes files an eighth smaller, and writing and reading them a fifth slower. Values of an embedding
# are noise to any compression, and are half of the bytes.


def write_parts(reader: pa.RecordBatchReader, folder: Path, *, rows_per_file: int) -> int:
    """Write part-00000.parquet and so on, of exactly `rows_per_file` rows save the last; returns the rows written.

    Text columns whose values repeat are dictionary-encoded on disk, as categories are read; the schema says string.
    The next rows are read and put together while some are written, and a part goes to disk while the next is written:
    whoever commits them need not wait for all of them then.
    """
    if rows_per_file < 1:
        raise ValueError(f"rows_per_file is {rows_per_file}; at least 1 is needed")
    rows, last, flushed = 0, None, list[Future[None]]()
    with ThreadPoolExecutor(1, thread_name_prefix="flush") as disk:
        for path, count in _written(reader, folder, rows_per_file):
            rows += count
            if last is not None:
                flushed.append(disk.submit(flush, last))
            last = path
    for done in flushed:
        done.result()  # raises what the disk said
    return rows


def _written(reader: pa.RecordBatchReader, folder: Path, rows_per_file: int) -> Iterator[tuple[Path, int]]:
    """The parts, each when all of its rows are in its file."""
    schema = pa.schema([pa.field(field.name, plain_type(field.type)) for field in reader.schema])
    compression = {**dict.fromkeys(schema.names, _NUMBERS), **dict.fromkeys(text_columns(schema), _TEXT)}
    tables = _Tables(reader, schema)
    repeating = repeating_texts(tables.peek(JUDGED_ROWS))
    for part, groups in itertools.groupby(read_ahead(_groups(tables, rows_per_file)), key=operator.itemgetter(0)):
        path, rows = folder / part_name(part), 0
        # pyright takes the defaults for the types; one for each column, and a list of columns, are documented.
        with pq.ParquetWriter(
            path,
            schema,
            compression=compression,  # pyright: ignore[reportArgumentType]
            use_dictionary=repeating,  # pyright: ignore[reportArgumentType]
            write_statistics=False,  # nothing looks for single rows in these files
        ) as writer:
            for _, table in groups:
                writer.write_table(table, row_group_size=ROWS_PER_GROUP)
                rows += table.num_rows
        yield path, rows


def _groups(tables: _Tables, rows_per_file: int) -> Iterator[tuple[int, pa.Table]]:
    """The row groups of all parts in their order, each with the number of its part; no rows are a group, too."""
    if not tables.has_more():
        yield 0, tables.peek(0)
    part, room = 0, rows_per_file
    while tables.has_more():
        table = tables.take(min(ROWS_PER_GROUP, room))
        yield part, table
        room -= table.num_rows
        if not room:
            part, room = part + 1, rows_per_file


def plain_type(given: pa.DataType) -> pa.DataType:
    """The type a column is written as, whatever width or encoding the database chose.

    DuckDB sums integers to HUGEINT, which reaches Arrow as a decimal; Redshift unloads counts as decimals. Without
    digits after the point a decimal is an int64, else a double.
    """
    for is_of, plain in (
        (pa.types.is_boolean, pa.bool_()),
        (pa.types.is_integer, pa.int64()),
        (pa.types.is_float32, pa.float32()),
        (pa.types.is_floating, pa.float64()),
        (pa.types.is_date, pa.date32()),
        (pa.types.is_timestamp, pa.timestamp("us")),
    ):
        if is_of(given):
            return plain
    if pa.types.is_decimal(given):
        return pa.int64() if given.scale == 0 else pa.float64()
    if pa.types.is_dictionary(given):
        return plain_type(given.value_type)
    return pa.string()


class _Tables:
    """The rows of a reader, in tables of the size asked for."""

    def __init__(self, reader: pa.RecordBatchReader, schema: pa.Schema) -> None:
        self._batches: Iterator[pa.RecordBatch] = iter(reader)
        self._schema = schema
        self._pending: list[pa.Table] = []
        self._rows = 0

    def has_more(self) -> bool:
        return self._fill(1)

    def peek(self, rows: int) -> pa.Table:
        """The next `rows` rows, fewer at the end, which stay the next ones."""
        self._fill(rows)
        batches = [batch for table in self._pending for batch in table.to_batches()]
        # An empty table of PyArrow's own making would have pandas imported.
        return pa.Table.from_batches(batches, self._schema).slice(0, rows)

    def take(self, rows: int) -> pa.Table:
        """The next `rows` rows, fewer at the end, as one chunk per column."""
        self._fill(rows)
        pending = pa.concat_tables(self._pending)
        taken, rest = pending.slice(0, rows), pending.slice(rows)
        self._pending, self._rows = [rest], rest.num_rows
        return taken.combine_chunks()

    def _fill(self, rows: int) -> bool:
        while self._rows < rows:
            batch = next(self._batches, None)
            if batch is None:
                return False
            self._pending.append(pa.Table.from_batches([batch]).cast(self._schema))
            self._rows += batch.num_rows
        return True
