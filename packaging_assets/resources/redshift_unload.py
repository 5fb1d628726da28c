"""The result of a query by way of S3: UNLOAD to Parquet files, and reading them one after another.

What was unloaded is what the manifest lists, which Redshift writes last; nothing is found by listing. Rows are counted
against it, so that a file that is missing, cut off or doubled is an error and never a smaller result.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from packaging_assets.artifacts.s3_objects import S3Objects
from packaging_assets.resources.redshift_errors import exchange_errors
from packaging_assets.resources.redshift_literals import quoted
from packaging_assets.resources.redshift_sql import is_ordered
from packaging_assets.resources.warehouse import WarehouseError

LARGEST_FILE_MB = 256
"""While one file is read, the next is downloaded: two of this size are on the disk."""

_ROWS_PER_BATCH = 65_536
_MANIFEST = "manifest"


@dataclass(frozen=True)
class UnloadedFile:
    """One Parquet file of an unload: its key, and what the manifest says of it."""

    key: str
    rows: int
    bytes: int


def unload_statement(query: str, destination: str, role: str, encryption_key: str = "") -> str:
    """UNLOAD of a query to the S3 prefix `destination`, which must be empty.

    Args:
        query: without parameters.
        destination: ends at a slash.
        role: see `role_clause`.
        encryption_key: the KMS key that encrypts the files; "" for S3's own keys.
    """
    # In parallel, rows that the query puts in order arrive by slices of the cluster, and in no order.
    parallel = "off" if is_ordered(query) else "on"
    encryption = f"kms_key_id {quoted(encryption_key)} encrypted " if encryption_key else ""
    return (
        f"unload ({quoted(query)}) to {quoted(destination)} {role_clause(role)} format as parquet "
        f"manifest verbose {encryption}parallel {parallel} maxfilesize {LARGEST_FILE_MB} mb"
    )


def role_clause(role: str) -> str:
    """As whom Redshift goes to S3: the role of this ARN, or with "" the cluster's default role."""
    return f"iam_role {quoted(role)}" if role else "iam_role default"


def unloaded_files(objects: S3Objects, prefix: str) -> list[UnloadedFile] | None:
    """The files that the manifest of an unload below `prefix` lists, in order; None if there is no manifest.

    Raises:
        WarehouseError: S3 cannot be read, or the manifest does not say what it should.
    """
    with exchange_errors(f"Reading {objects.uri(prefix + _MANIFEST)}"):
        stored = objects.get(prefix + _MANIFEST)
    if stored is None:
        return None
    try:
        manifest = json.loads(stored.body)
        files = [_file(objects, prefix, entry) for entry in manifest["entries"]]
        expected = int(manifest["meta"]["record_count"])
    except (KeyError, TypeError, ValueError) as error:
        raise WarehouseError(
            f"The manifest {objects.uri(prefix + _MANIFEST)} is not one of UNLOAD ... MANIFEST VERBOSE: {error!r}"
        ) from error
    found = sum(file.rows for file in files)
    if found != expected:
        raise WarehouseError(
            f"The manifest {objects.uri(prefix + _MANIFEST)} lists {found:,} rows in files but {expected:,} in all; "
            "unload again"
        )
    return files


def _file(objects: S3Objects, prefix: str, entry: dict[str, Any]) -> UnloadedFile:
    home, meta = objects.uri(prefix), entry["meta"]
    if not str(entry["url"]).startswith(home):
        raise ValueError(f"{entry['url']} is not below {home}")
    key = prefix + str(entry["url"])[len(home) :]
    return UnloadedFile(key, int(meta["record_count"]), int(meta["content_length"]))


def open_rows(objects: S3Objects, files: Sequence[UnloadedFile]) -> Generator[pa.RecordBatchReader]:
    """A reader over the rows of the files, in order; use as a context (`contextlib.contextmanager`).

    One file is read at a time, and deleted from the disk after that; the next is downloaded meanwhile.

    Raises:
        WarehouseError: a file is missing, or is not what the manifest says.
    """
    with tempfile.TemporaryDirectory(prefix="packaging-unload-") as scratch:
        downloads = _downloads(objects, files, Path(scratch))
        first = next(downloads)
        with exchange_errors(f"Reading {objects.uri(first[0].key)}"):
            schema = _schema(first[1])
        try:
            yield pa.RecordBatchReader.from_batches(schema, _batches(objects, first, downloads, schema))
        finally:
            downloads.close()


def _downloads(
    objects: S3Objects, files: Sequence[UnloadedFile], scratch: Path
) -> Generator[tuple[UnloadedFile, Path]]:
    """Each file and where it was downloaded to, one ahead."""
    with ThreadPoolExecutor(1, thread_name_prefix="unload") as thread:
        pending = [thread.submit(_download, objects, files[0], scratch / "0.parquet")]
        for number, file in enumerate(files):
            path = pending.pop().result()
            if number + 1 < len(files):
                following = files[number + 1]
                pending.append(thread.submit(_download, objects, following, scratch / f"{number + 1}.parquet"))
            yield file, path
            path.unlink()


def _download(objects: S3Objects, file: UnloadedFile, path: Path) -> Path:
    uri = objects.uri(file.key)
    with exchange_errors(f"Downloading {uri}"):
        is_there = objects.download(file.key, path)
        size = path.stat().st_size if is_there else 0
    if not is_there:
        raise WarehouseError(f"{uri} is in the manifest of its unload and not in S3; unload again")
    if size != file.bytes:
        raise WarehouseError(f"{uri} has {size:,} bytes, and {file.bytes:,} by its manifest; unload again")
    return path


def _schema(path: Path) -> pa.Schema:
    with _opened(path) as file:
        return pa.schema([pa.field(field.name, field.type) for field in file.schema_arrow])


def _opened(path: Path) -> pq.ParquetFile:
    # Redshift's older Parquet timestamps (INT96) would be read as nanoseconds, which end in the year 2262.
    return pq.ParquetFile(path, coerce_int96_timestamp_unit="us")


def _batches(
    objects: S3Objects,
    first: tuple[UnloadedFile, Path],
    others: Iterator[tuple[UnloadedFile, Path]],
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    yield from _batches_of(objects, *first, schema)
    for file, path in others:
        yield from _batches_of(objects, file, path, schema)


def _batches_of(objects: S3Objects, file: UnloadedFile, path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    uri, rows = objects.uri(file.key), 0
    with exchange_errors(f"Reading {uri}"), _opened(path) as parquet:
        for batch in parquet.iter_batches(_ROWS_PER_BATCH):
            rows += batch.num_rows
            yield batch.cast(schema)
    if rows != file.rows:
        raise WarehouseError(f"{uri} has {rows:,} rows, and {file.rows:,} by its manifest; unload again")
