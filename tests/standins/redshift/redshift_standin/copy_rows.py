"""COPY from Parquet: by position, with exactly the table's types, all files or none.

Source: Amazon Redshift Database Developer Guide, "COPY from columnar data formats".
"""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from redshift_standin.arrow_rows import insert_arrow
from redshift_standin.clauses import (
    Clauses,
    Options,
    Reader,
    check_authorized,
    ignore_switch,
    ignore_text,
    read_format,
    read_role,
)
from redshift_standin.refusals import RedshiftError
from redshift_standin.s3_objects import Location, S3Objects, location

_VARIABLE_HEADER = 4


@dataclass(frozen=True)
class Copy:
    """What a COPY asks for: the table as SQL names it, the columns (none: all), and where the files are."""

    table: str
    columns: tuple[str, ...]
    source: Location
    is_manifest: bool


class _Column(NamedTuple):
    name: str
    type_name: str
    declared: str
    longest: int
    is_required: bool


def read_copy(sql: str) -> Copy:
    """What the statement asks for.

    Raises:
        RedshiftError: Redshift would refuse it, or the stand-in does not know an option.
    """
    clauses = Clauses(sql)
    clauses.expect("copy")
    first = clauses.take()
    last = first
    while clauses.accept("."):
        last = clauses.take()
    columns = clauses.names() if clauses.word == "(" else ()
    clauses.expect("from")
    source = location(clauses.text())
    found = clauses.options(_READERS, {})
    check_authorized(found, "COPY")
    return Copy(sql[first.start : last.end], columns, source, "manifest" in found)


def _read_manifest(_: Clauses, found: Options) -> None:
    found["manifest"] = True


_READERS: dict[str, Reader] = {
    "iam_role": read_role,
    "format": read_format,
    "manifest": _read_manifest,
    "region": ignore_text,
    "statupdate": ignore_switch,
    "compupdate": ignore_switch,
}


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_small(kind: pa.DataType) -> bool:
    return pa.types.is_int16(kind) or pa.types.is_int32(kind)


def _is_zoneless(kind: pa.DataType) -> bool:
    # Redshift takes 64-bit nanoseconds for microseconds, and makes years of six digits of them: better refused.
    return pa.types.is_timestamp(kind) and kind.tz is None and kind.unit != "ns"


def _fits_nothing(_: pa.DataType) -> bool:
    return False


# Type of the column in PostgreSQL's catalog -> whether a Parquet column fits.
_FITS: dict[str, Callable[[pa.DataType], bool]] = {
    "bool": pa.types.is_boolean,
    "int2": _is_small,
    "int4": pa.types.is_int32,
    "int8": pa.types.is_int64,
    "float4": pa.types.is_float32,
    "float8": pa.types.is_float64,
    "date": pa.types.is_date32,
    "timestamp": _is_zoneless,
    "timestamptz": pa.types.is_timestamp,
    "varchar": _is_text,
    "bpchar": _is_text,
    "numeric": pa.types.is_decimal,
}


def run_copy(cursor: Any, asked: Copy, objects: S3Objects) -> int:
    """Append the files' rows to the table; returns how many there are.

    Raises:
        RedshiftError: there are no files, or one does not fit; nothing was appended then.
    """
    columns = _columns(cursor, asked)
    tables = [_checked(place, objects.read(place), columns) for place in _sources(asked, objects)]
    names = ", ".join('"' + column.name.replace('"', '""') + '"' for column in columns)
    for table in tables:
        insert_arrow(cursor, f"{asked.table} ({names})", table)
    return sum(table.num_rows for table in tables)


def _columns(cursor: Any, asked: Copy) -> list[_Column]:
    cursor.execute(
        """
        select a.attname, t.typname, format_type(a.atttypid, a.atttypmod), a.atttypmod - %s, a.attnotnull
        from pg_attribute as a inner join pg_type as t on a.atttypid = t.oid
        where a.attrelid = cast(%s as regclass) and a.attnum > 0 and not a.attisdropped
        order by a.attnum
        """,
        (_VARIABLE_HEADER, asked.table),
    )
    found = {row[0]: _Column(*row) for row in cursor.fetchall()}
    unknown = [name for name in asked.columns if name not in found]
    if unknown:
        raise RedshiftError(f'column "{unknown[0]}" of relation "{asked.table}" does not exist', sqlstate="42703")
    return [found[name] for name in asked.columns or found]


def _sources(asked: Copy, objects: S3Objects) -> Sequence[Location]:
    if not asked.is_manifest:
        keys = objects.keys(asked.source)
        if not keys:
            raise RedshiftError(
                f"The specified S3 prefix '{asked.source.key}' does not exist",
                sqlstate="XX000",
                detail=asked.source.url,
            )
        return [Location(asked.source.bucket, key) for key in keys]
    entries = json.loads(objects.read(asked.source))["entries"]
    for entry in entries:
        if "content_length" not in entry.get("meta", {}):
            raise RedshiftError(
                f"Manifest file {asked.source.url} has no meta.content_length for {entry['url']}", sqlstate="XX000"
            )
    return [location(entry["url"]) for entry in entries]


def _checked(place: Location, content: bytes, columns: Sequence[_Column]) -> pa.Table:
    try:
        table = pq.read_table(io.BytesIO(content), coerce_int96_timestamp_unit="us")
    except pa.ArrowInvalid as error:
        raise _scan_error(f"File '{place.url}' has an invalid version number: {error}") from error
    if table.num_columns != len(columns):
        raise _scan_error(
            f"Unmatched number of columns between table and file. Table columns: {len(columns)}, "
            f"Data columns: {table.num_columns}, File name: {place.url}"
        )
    for column, values, field in zip(columns, table.columns, table.schema, strict=True):
        _check_column(place, column, values, field)
    return table


def _check_column(place: Location, column: _Column, values: pa.ChunkedArray, field: pa.Field) -> None:
    if not _FITS.get(column.type_name, _fits_nothing)(field.type):
        raise _scan_error(
            f"File '{place.url}' has an incompatible Parquet schema for column '{column.name}'. "
            f"Column type: {column.declared.upper()}, Parquet schema: {field.name} {field.type}"
        )
    if column.is_required and values.null_count:
        raise _scan_error(f"Cannot insert a NULL value into column {column.name} ({place.url})")
    if column.type_name in {"varchar", "bpchar"} and column.longest > 0:
        longest = pc.max(pc.binary_length(values)).as_py() or 0
        if longest > column.longest:
            raise _scan_error(
                f"The length of the data column {column.name} is longer than the length defined in the table. "
                f"Table: {column.longest}, Data: {longest}, File name: {place.url}"
            )


def _scan_error(detail: str) -> RedshiftError:
    return RedshiftError("Spectrum Scan Error", sqlstate="XX000", detail=detail)
