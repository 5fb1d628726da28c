"""Rows between PostgreSQL and Arrow, by way of CSV: exact, and fast enough for a million rows."""

import tempfile
from collections.abc import Sequence
from decimal import Decimal
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as pa_csv

_BOOL, _INT2, _INT4, _INT8, _FLOAT4, _FLOAT8 = 16, 21, 23, 20, 700, 701
_DATE, _TIMESTAMP, _TIMESTAMPTZ, _NUMERIC = 1082, 1114, 1184, 1700
# What UNLOAD writes for each type of PostgreSQL; everything else is text.
_ARROW = {
    _BOOL: pa.bool_(),
    _INT2: pa.int16(),
    _INT4: pa.int32(),
    _INT8: pa.int64(),
    _FLOAT4: pa.float32(),
    _FLOAT8: pa.float64(),
    _DATE: pa.date32(),
    _TIMESTAMP: pa.timestamp("us"),
    _TIMESTAMPTZ: pa.timestamp("us", tz="UTC"),
}
_IN_MEMORY_BYTES = 32 * 2**20
_LARGEST_DECIMAL = 38


def fetch_arrow(cursor: Any, sql: str) -> pa.Table:
    """The result of a query with Redshift's Parquet types; times with a zone lose it, as in UNLOAD."""
    cursor.execute(f"select * from (\n{sql}\n) as unloaded limit 0")
    names = [column.name for column in cursor.description]
    types = [_arrow_type(column) for column in cursor.description]
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
        cursor.copy_expert(f"copy (\n{sql}\n) to stdout with (format csv)", file)
        file.seek(0)
        columns = _read_csv(file, types)
    return pa.table([_unloaded(column) for column in columns], names=names)


def _arrow_type(column: Any) -> pa.DataType:
    if column.type_code == _NUMERIC and column.precision and column.precision <= _LARGEST_DECIMAL:
        return pa.decimal128(column.precision, column.scale or 0)
    return _ARROW.get(column.type_code, pa.string() if column.type_code != _NUMERIC else pa.large_string())


def _read_csv(file: IO[bytes], types: Sequence[pa.DataType]) -> list[pa.ChunkedArray]:
    names = [str(place) for place in range(len(types))]
    if not file.read(1):
        return [pa.chunked_array([], type=kind) for kind in types]
    file.seek(0)
    table = pa_csv.read_csv(
        file,
        read_options=pa_csv.ReadOptions(column_names=names),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict(zip(names, types, strict=True)),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    return table.columns


def _unloaded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type) and column.type.tz:
        return column.cast(pa.timestamp("us"))
    if pa.types.is_large_string(column.type):
        # A numeric of no declared precision, such as the sum of bigints: as many digits as it has.
        return pa.chunked_array([_decimals(column)])
    return column


def _decimals(column: pa.ChunkedArray) -> pa.Array:
    values = [None if text is None else Decimal(text) for text in column.to_pylist()]
    scales = [-int(value.as_tuple().exponent) for value in values if value is not None and value.is_finite()]
    return pa.array(values, pa.decimal128(_LARGEST_DECIMAL, max([0, *scales])))


def insert_arrow(cursor: Any, target: str, rows: pa.Table) -> None:
    """Append rows to a table, or to the columns in `target`; each value arrives as it is.

    Args:
        cursor: of an open transaction.
        target: the table's name as SQL writes it, with or without a list of columns.
        rows: by position.
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
        options = pa_csv.WriteOptions(include_header=False, quoting_style="all_valid")
        pa_csv.write_csv(rows, file, options)
        file.seek(0)
        cursor.copy_expert(f"copy {target} from stdin with (format csv)", file)
