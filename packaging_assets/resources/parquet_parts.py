"""Writing a stream of Arrow batches as Parquet files of equal size: same rows, same bytes, constant memory."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
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
    tables = _Tables(reader, schema)
    repeating = repeating_texts(tables.peek(JUDGED_ROWS))
    incomplete: set[str] = set()
    for part, groups in itertools.groupby(read_ahead(_groups(tables, rows_per_file)), key=operator.attrgetter("part")):
        path, rows = folder / part_name(part), 0
        with _PartWriter(path, schema, repeating, incomplete) as writer:
            for group in groups:
                writer.write(group)
                rows += group.table.num_rows
        yield path, rows


@dataclass(frozen=True)
class _Group:
    """A row group: the number of the part that it is in, its rows, and the columns in which values are missing."""

    part: int
    table: pa.Table
    incomplete: frozenset[str]


class _PartWriter:
    """One file, in which a column is nullable once a value of it was missing, in this file or in one before.

    A column that is required takes a third less time to write, and a quarter less to read. Where the first missing
    value comes late, the groups before it are written again, so that the bytes follow from the rows alone.

    Args:
        path: the file.
        schema: its columns and their types.
        repeating: the columns that are written as dictionaries.
        incomplete: the nullable columns so far, to which those found here are added.
    """

    def __init__(self, path: Path, schema: pa.Schema, repeating: Sequence[str], incomplete: set[str]) -> None:
        self._path, self._repeating, self._incomplete = path, list(repeating), incomplete
        self._compression = {**dict.fromkeys(schema.names, _NUMBERS), **dict.fromkeys(text_columns(schema), _TEXT)}
        self._schema = schema
        self._writer = self._opened()

    def __enter__(self) -> _PartWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, group: _Group) -> None:
        """Append the group."""
        if not group.incomplete <= self._incomplete:
            self._incomplete |= group.incomplete
            self._begin_again()
        self._append(group.table)

    def _begin_again(self) -> None:
        self._writer.close()
        begun = self._path.rename(self._path.with_suffix(".begun"))
        self._writer = self._opened()
        with pq.ParquetFile(begun) as file:
            for number in range(file.num_row_groups):
                self._append(file.read_row_group(number))
        begun.unlink()

    def _append(self, rows: pa.Table) -> None:
        self._writer.write_table(pa.Table.from_arrays(rows.columns, schema=self._schema), ROWS_PER_GROUP)

    def _opened(self) -> pq.ParquetWriter:
        self._schema = pa.schema([field.with_nullable(field.name in self._incomplete) for field in self._schema])
        # pyright takes the defaults for the types; one for each column, and a list of columns, are documented.
        return pq.ParquetWriter(
            self._path,
            self._schema,
            compression=self._compression,  # pyright: ignore[reportArgumentType]
            use_dictionary=self._repeating,  # pyright: ignore[reportArgumentType]
            write_statistics=False,  # nothing looks for single rows in these files
            write_batch_size=ROWS_PER_GROUP,
        )


def _groups(tables: _Tables, rows_per_file: int) -> Iterator[_Group]:
    """The row groups of all parts in their order; no rows are a group, too."""
    if not tables.has_more():
        yield _Group(0, tables.peek(0), frozenset())
    part, room = 0, rows_per_file
    while tables.has_more():
        table = tables.take(min(ROWS_PER_GROUP, room))
        yield _Group(part, table, frozenset(name for name in table.column_names if table[name].null_count))
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
