"""UNLOAD to Parquet.

Source: Amazon Redshift Database Developer Guide, UNLOAD. Rows are dealt to the slices in turn, so that nobody can rely
on their order among the files of PARALLEL ON.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from redshift_standin.arrow_rows import fetch_arrow
from redshift_standin.clauses import Clauses, Options, Reader, check_authorized, ignore_text, read_format, read_role
from redshift_standin.dialect import translate
from redshift_standin.refusals import RedshiftError
from redshift_standin.s3_objects import Location, S3Objects, location
from redshift_standin.tokens import read_tokens

_MB = 2**20
_SMALLEST_FILE, _LARGEST_FILE = 5 * _MB, 6.2 * 1024 * _MB
_SMALLEST_GROUP, _LARGEST_GROUP = 32 * _MB, 128 * _MB
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Unload:
    """What an UNLOAD asks for; sizes in bytes."""

    query: str
    destination: Location
    partition_by: tuple[str, ...] = ()
    keeps_partition_columns: bool = False
    has_manifest: bool = False
    is_manifest_verbose: bool = False
    is_path_cleaned: bool = False
    may_overwrite: bool = False
    is_parallel: bool = True
    file_bytes: float = _LARGEST_FILE
    group_bytes: float = _SMALLEST_GROUP


@dataclass(frozen=True)
class _File:
    place: Location
    rows: pa.Table


def read_unload(sql: str) -> Unload:
    """What the statement asks for.

    Raises:
        RedshiftError: Redshift would refuse it, or the stand-in does not know an option.
    """
    clauses = Clauses(sql)
    clauses.expect("unload")
    clauses.expect("(")
    query = clauses.text()
    clauses.expect(")")
    clauses.expect("to")
    destination = location(clauses.text())
    found = clauses.options(_READERS, {})
    check_authorized(found, "UNLOAD")
    _check(query, found)
    given = {name: value for name, value in found.items() if name not in {"role", "format"}}
    return Unload(query, destination, **given)  # pyright: ignore[reportArgumentType] - by name, from the readers


def _read_partition(clauses: Clauses, found: Options) -> None:
    clauses.expect("by")
    found["partition_by"] = clauses.names()
    found["keeps_partition_columns"] = clauses.accept("include")


def _read_manifest(clauses: Clauses, found: Options) -> None:
    found["has_manifest"] = True
    found["is_manifest_verbose"] = clauses.accept("verbose")


def _size(name: str, smallest: float, largest: float) -> Reader:
    def read(clauses: Clauses, found: Options) -> None:
        found[name] = size = clauses.size()
        if not smallest <= size <= largest:
            raise RedshiftError(f"size {size / _MB:g} MB is not between {smallest / _MB:g} MB and {largest / _MB:g} MB")

    return read


def _flag(name: str) -> Reader:
    def read(_: Clauses, found: Options) -> None:
        found[name] = True

    return read


def _read_parallel(clauses: Clauses, found: Options) -> None:
    found["is_parallel"] = clauses.switch()


def _read_encrypted(clauses: Clauses, _: Options) -> None:
    clauses.accept("auto")


_READERS: dict[str, Reader] = {
    "iam_role": read_role,
    "format": read_format,
    "partition": _read_partition,
    "manifest": _read_manifest,
    "cleanpath": _flag("is_path_cleaned"),
    "allowoverwrite": _flag("may_overwrite"),
    "parallel": _read_parallel,
    "maxfilesize": _size("file_bytes", _SMALLEST_FILE, _LARGEST_FILE),
    "rowgroupsize": _size("group_bytes", _SMALLEST_GROUP, _LARGEST_GROUP),
    "encrypted": _read_encrypted,
    "kms_key_id": ignore_text,
    "region": ignore_text,
}


def _check(query: str, found: Options) -> None:
    if "is_path_cleaned" in found and "may_overwrite" in found:
        raise RedshiftError("CLEANPATH and ALLOWOVERWRITE cannot be used together")
    if any(token.word == "limit" and token.depth == 0 for token in read_tokens(query)):
        raise RedshiftError("Limit clause is not supported")


def run_unload(cursor: Any, asked: Unload, objects: S3Objects, *, slices: int) -> int:
    """Write the query's rows to S3; returns how many there are.

    Raises:
        RedshiftError: the destination holds objects already, or S3 refuses.
    """
    there = objects.keys(asked.destination)
    if there and not (asked.is_path_cleaned or asked.may_overwrite):
        raise RedshiftError(
            f"Specified unload destination on S3 is not empty ({asked.destination.url}). Consider using a different "
            "bucket / prefix, manually removing the target files in S3, or using the ALLOWOVERWRITE option.",
            sqlstate="XX000",
        )
    rows = fetch_arrow(cursor, translate(asked.query).sql)
    files = [file for folder, part in _partitions(asked, rows) for file in _files(asked, folder, part, slices)]
    if asked.is_path_cleaned:
        objects.delete(asked.destination.bucket, [key for key in there if _is_cleaned(asked, key, files)])
    entries = [_write(objects, file, asked.group_bytes) for file in files]
    if asked.has_manifest:
        objects.write_json(asked.destination + "manifest", _manifest(asked, rows, entries))
    return rows.num_rows


def _is_cleaned(asked: Unload, key: str, files: list[_File]) -> bool:
    """Of a partitioned unload only the partitions that receive files are cleaned."""
    folders = {file.place.key.rpartition("/")[0] for file in files}
    return not asked.partition_by or key.rpartition("/")[0] in folders


def _partitions(asked: Unload, rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    missing = [name for name in asked.partition_by if name not in rows.column_names]
    if missing:
        raise RedshiftError(f'column "{missing[0]}" used in PARTITION BY is not in the result', sqlstate="42703")
    if not asked.partition_by:
        yield "", rows
        return
    texts = [rows[name].cast(pa.string()) for name in asked.partition_by]
    kept = rows if asked.keeps_partition_columns else rows.drop_columns(list(asked.partition_by))
    folders = [
        "/".join(f"{name}={_NULL_PARTITION if value is None else quote(value, safe=' :')}" for name, value in named)
        for named in (
            zip(asked.partition_by, row, strict=True) for row in zip(*(t.to_pylist() for t in texts), strict=True)
        )
    ]
    labels = pa.array(folders, pa.string())
    for folder in sorted(set(folders)):
        yield f"{folder}/", kept.filter(pc.equal(labels, folder))


def _files(asked: Unload, folder: str, rows: pa.Table, slices: int) -> Iterator[_File]:
    base = asked.destination + (folder if not folder or asked.destination.key.endswith("/") else f"/{folder}")
    if not asked.is_parallel:
        for number, part in enumerate(_parts(rows, asked.file_bytes)):
            yield _File(base + f"{number:03d}.parquet", part)
        return
    for number in range(slices):
        dealt = rows.take(pa.array(range(number, rows.num_rows, slices), pa.int64()))
        for part_number, part in enumerate(_parts(dealt, asked.file_bytes)):
            yield _File(base + f"{number:04d}_part_{part_number:02d}.parquet", part)


def _parts(rows: pa.Table, most_bytes: float) -> Iterator[pa.Table]:
    if rows.num_rows:
        per_part = _rows_within(rows, most_bytes)
        yield from (rows.slice(start, per_part) for start in range(0, rows.num_rows, per_part))


def _rows_within(rows: pa.Table, most_bytes: float) -> int:
    return max(1, int(rows.num_rows * min(1.0, most_bytes / max(1, rows.nbytes))))


def _write(objects: S3Objects, file: _File, group_bytes: float) -> dict[str, Any]:
    content = io.BytesIO()
    pq.write_table(file.rows, content, compression="snappy", row_group_size=_rows_within(file.rows, group_bytes))
    objects.write(file.place, content.getvalue())
    return {
        "url": file.place.url,
        "meta": {"content_length": content.getbuffer().nbytes, "record_count": file.rows.num_rows},
    }


def _manifest(asked: Unload, rows: pa.Table, entries: list[dict[str, Any]]) -> dict[str, Any]:
    if not asked.is_manifest_verbose:
        lengths = ({"content_length": entry["meta"]["content_length"]} for entry in entries)
        return {"entries": [{"url": e["url"], "meta": meta} for e, meta in zip(entries, lengths, strict=True)]}
    total = sum(entry["meta"]["content_length"] for entry in entries)
    return {
        "entries": entries,
        "schema": {"elements": [{"name": field.name, "type": {"base": str(field.type)}} for field in rows.schema]},
        "meta": {"content_length": total, "record_count": rows.num_rows},
        "author": {"name": "Amazon Redshift", "version": "1.0.0"},
    }
