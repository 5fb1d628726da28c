"""Rows on their way into Redshift: Parquet files in S3, and the statements that make a temporary table of them.

The files are written anew in the one form that COPY reads as it is meant: columns of plain types in the order of the
table, Snappy, and times as INT96, which every version of Redshift takes for microseconds.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from packaging_assets.artifacts.s3_objects import S3Objects
from packaging_assets.resources.parquet_parts import plain_type
from packaging_assets.resources.redshift_errors import exchange_errors
from packaging_assets.resources.redshift_literals import quoted
from packaging_assets.resources.redshift_unload import role_clause
from packaging_assets.resources.warehouse import WarehouseError, check_staged_name

LONGEST_TEXT_BYTES = 65_535
"""Of a varchar."""

_ROWS_PER_GROUP = 65_536
_MANIFEST = "manifest"
_SQL_TYPES = {
    pa.bool_(): "boolean",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.date32(): "date",
    pa.timestamp("us"): "timestamp",
}
_max = pyarrow.compute.__dict__["max"]
_binary_length = pyarrow.compute.__dict__["binary_length"]


@dataclass(frozen=True)
class StagedTable:
    """A temporary table to be: its columns with their types in SQL, and the manifest of its files ("": no rows)."""

    name: str
    columns: dict[str, str]
    manifest: str

    def statements(self, role: str) -> list[str]:
        """What makes it in a session; `role` as of `role_clause`."""
        columns = ", ".join(f'"{name.replace(chr(34), 2 * chr(34))}" {kind}' for name, kind in self.columns.items())
        made = [f"create temporary table {self.name} ({columns})"]
        if self.manifest:
            made.append(f"copy {self.name} from {quoted(self.manifest)} {role_clause(role)} format as parquet manifest")
        return made


def stage(objects: S3Objects, prefix: str, name: str, rows: Path | pa.Table) -> StagedTable:
    """Upload the rows of an Arrow table, or of a folder of Parquet files, below `prefix` with a manifest.

    Memory and disk hold one file at a time.

    Raises:
        WarehouseError: the name is none, there are no files, or S3 cannot be written.
    """
    check_staged_name(name)
    with exchange_errors(f"Staging {name}"):
        sources = _sources(name, rows)
        schema = _plain_schema(sources[0])
        upload = _Upload(objects, f"{prefix}{name}/", schema, {})
        entries = [entry for number, source in enumerate(sources) for entry in upload.file(number, source)]
        if entries:
            objects.put(f"{prefix}{name}/{_MANIFEST}", json.dumps({"entries": entries}).encode())
    columns = {field.name: _sql_type(name, field, upload.text_bytes) for field in schema}
    return StagedTable(name, columns, objects.uri(f"{prefix}{name}/{_MANIFEST}") if entries else "")


@dataclass(frozen=True)
class _Upload:
    objects: S3Objects
    prefix: str
    schema: pa.Schema
    text_bytes: dict[str, int]

    def file(self, number: int, source: Path | pa.Table) -> Iterator[dict[str, object]]:
        """Upload the rows of one source; its entry in the manifest, or nothing if it has no rows."""
        key = f"{self.prefix}part-{number:05d}.parquet"
        with tempfile.TemporaryDirectory(prefix="packaging-load-") as scratch:
            path = Path(scratch) / "rows.parquet"
            if self._write(source, path):
                self.objects.upload(path, key)
                meta = {"content_length": path.stat().st_size}
                yield {"url": self.objects.uri(key), "mandatory": True, "meta": meta}

    def _write(self, source: Path | pa.Table, path: Path) -> int:
        rows = 0
        with pq.ParquetWriter(path, self.schema, compression="snappy", use_deprecated_int96_timestamps=True) as writer:
            for batch in _batches(source):
                plain = pa.Table.from_batches([batch]).cast(self.schema)
                self._measure(plain)
                writer.write_table(plain, row_group_size=_ROWS_PER_GROUP)
                rows += plain.num_rows
        return rows

    def _measure(self, rows: pa.Table) -> None:
        for field in self.schema:
            if pa.types.is_string(field.type):
                longest = _max(_binary_length(rows[field.name])).as_py() or 0
                self.text_bytes[field.name] = max(longest, self.text_bytes.get(field.name, 1))


def _sources(name: str, rows: Path | pa.Table) -> list[Path] | list[pa.Table]:
    if not isinstance(rows, Path):
        return [rows]
    files = sorted(rows.glob("*.parquet"))
    if not files:
        raise WarehouseError(f"{rows} holds no Parquet file to stage as {name}")
    return files


def _plain_schema(source: Path | pa.Table) -> pa.Schema:
    given = pq.read_schema(source) if isinstance(source, Path) else source.schema
    return pa.schema([pa.field(field.name, plain_type(field.type)) for field in given])


def _batches(source: Path | pa.Table) -> Iterator[pa.RecordBatch]:
    if not isinstance(source, Path):
        yield from source.to_batches(max_chunksize=_ROWS_PER_GROUP)
        return
    with pq.ParquetFile(source) as file:
        yield from file.iter_batches(_ROWS_PER_GROUP)


def _sql_type(table: str, field: pa.Field, text_bytes: dict[str, int]) -> str:
    if not pa.types.is_string(field.type):
        return _SQL_TYPES[field.type]
    longest = text_bytes.get(field.name, 1)
    if longest > LONGEST_TEXT_BYTES:
        raise WarehouseError(
            f"Column {field.name} of {table} has a text of {longest:,} bytes, and Redshift holds "
            f"{LONGEST_TEXT_BYTES:,}; shorten it"
        )
    return f"varchar({longest})"
