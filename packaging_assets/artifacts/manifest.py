"""What is said of a committed artifact: its manifest, the same wherever it is stored."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from packaging_assets.artifacts.content import content_hash, describe_files
from packaging_assets.artifacts.store import (
    CONFIRMED,
    FINGERPRINT,
    MANIFEST,
    PROVENANCE,
    Artifact,
    ArtifactError,
    FileEntry,
)

RESERVED = frozenset({MANIFEST, PROVENANCE, FINGERPRINT, CONFIRMED})

ArtifactKey = tuple[str, str | None, str]
"""Asset key, partition and fingerprint."""


class ManifestError(ValueError):
    """Something is not the manifest of the artifact; the message says what is wrong, the store says where."""


def file_names(folder: Path) -> list[str]:
    """The files of a step's output, as sorted relative POSIX paths.

    Raises:
        ArtifactError: there are none, or one is a link, or has a name that the store uses itself.
    """
    paths = sorted(folder.rglob("*"))
    for path in paths:
        if path.is_symlink():
            raise ArtifactError(f"{path} is a symbolic link, and an artifact holds its content: copy the file instead.")
    names = sorted(path.relative_to(folder).as_posix() for path in paths if path.is_file())
    taken = RESERVED.intersection(names)
    if taken:
        raise ArtifactError(f"{folder / min(taken)}: the artifact store uses this name itself, choose another.")
    if not names:
        raise ArtifactError(f"The step wrote no file into {folder}: there is nothing to commit.")
    return names


def describe_artifact(folder: Path, names: list[str], key: ArtifactKey) -> dict[str, Any]:
    """The manifest of the files: a function of them and the key, with no time, run or machine in it.

    Raises:
        ArtifactError: a file whose name ends in .parquet is none.
    """
    files = {name: entry for name, entry in describe_files(folder).items() if name in names}
    tables = {name: _parquet_summary(folder / name) for name in names if name.endswith(".parquet")}
    asset_key, partition, fingerprint = key
    return {
        "format": 2,
        "asset_key": asset_key,
        "partition": partition,
        "fingerprint": fingerprint,
        "content_hash": content_hash(files),
        "files": {name: asdict(entry) for name, entry in files.items()},
        "rows": {name: rows for name, (rows, _) in tables.items()},
        "schema": {name: schema for name, (_, schema) in tables.items()},
    }


def _parquet_summary(path: Path) -> tuple[int, dict[str, str]]:
    """Rows and column types, from the file's footer."""
    import pyarrow as pa  # 0.2 s, and on a cache hit nothing needs it
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            return file.metadata.num_rows, {column.name: str(column.type) for column in file.schema_arrow}
    except pa.ArrowInvalid as error:
        raise ArtifactError(
            f"{path} is not a Parquet file ({error}): give it another name or write it whole."
        ) from error


def _entry(*, bytes: int, hash: str = "", sha256: str = "") -> FileEntry:  # noqa: A002 - the manifest's names
    """A file as a manifest has it; those of format 1 have nothing but sha256."""
    return FileEntry(hash or f"sha256:{sha256}", bytes)


def artifact_of(manifest: Any, provenance: Mapping[str, Any], key: ArtifactKey) -> Artifact:
    """The artifact that a manifest describes.

    Raises:
        ManifestError: it is no manifest, or contradicts itself, or is another artifact's.
    """
    asset_key, partition, fingerprint = key
    try:
        files = {name: _entry(**entry) for name, entry in manifest["files"].items()}
        found = (manifest["asset_key"], manifest["partition"], manifest["fingerprint"])
        artifact = Artifact(
            asset_key=asset_key,
            partition=partition,
            fingerprint=fingerprint,
            content_hash=manifest["content_hash"],
            files=files,
            rows=manifest["rows"],
            schema=manifest["schema"],
            provenance=provenance,
        )
    except (KeyError, TypeError, AttributeError):
        raise ManifestError("is not a manifest that this version reads") from None
    if found != key or artifact.content_hash != content_hash(files):
        raise ManifestError("contradicts itself or its place")
    return artifact
