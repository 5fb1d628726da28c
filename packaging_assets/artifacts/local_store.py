"""Artifacts in a folder on disk.

Layout: `<asset key>/<partition or "_">/<fingerprint>/` holds the files, `manifest.json` (what they are, the same on
every machine), `fingerprint.json` (what they were made from) and `provenance.json` (which run made them). Beside the
fingerprints, the file `current` names one of them. Work in progress is under `.staging/`.

A commit prepares the whole folder under `.staging/`, flushes it to disk, and renames it into place: the rename is the
commit. POSIX makes it atomic, and refuses it where another commit was first.
"""

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.store import (
    FINGERPRINT,
    MANIFEST,
    POINTER,
    PROVENANCE,
    Artifact,
    ArtifactError,
    FileEntry,
    artifact_uri,
    parse_uri,
    partition_path,
)

STAGING = ".staging"
RESERVED = frozenset({MANIFEST, PROVENANCE, FINGERPRINT})
HASH_BLOCK_BYTES = 1 << 20
READ_ONLY = 0o444


class LocalArtifactStore:
    """The artifact store under `root`, which is created with the first artifact."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def scratch(self) -> Generator[Path]:
        """An empty folder on the store's own disk; it is gone afterwards."""
        folder = self._staging_path()
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def find(self, asset_key: str, partition: str | None, fingerprint: str) -> Artifact | None:
        """The committed artifact of that fingerprint, if there is one."""
        folder = self._root / artifact_uri(asset_key, partition, fingerprint)
        return _load(folder, asset_key, partition, fingerprint) if folder.is_dir() else None

    def commit(
        self,
        asset_key: str,
        partition: str | None,
        folder: Path,
        *,
        parts: FingerprintParts,
        provenance: Mapping[str, Any],
    ) -> Artifact:
        """Take the folder over as the artifact of `parts.fingerprint`; the first commit of a fingerprint wins."""
        target = self._root / artifact_uri(asset_key, partition, parts.fingerprint)
        names = _file_names(folder)
        staged = self._staging_path()
        staged.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.move(folder, staged)  # a rename where `folder` is on this disk, as every scratch folder is
            _write_json(staged / FINGERPRINT, asdict(parts))
            _write_json(staged / PROVENANCE, dict(provenance))
            _write_json(staged / MANIFEST, _describe(staged, names, (asset_key, partition, parts.fingerprint)))
            _flush(staged)
            _rename_unless_there(staged, target)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return _load(target, asset_key, partition, parts.fingerprint)

    def point(self, artifact: Artifact) -> None:
        """Make it the current one of its partition."""
        pointer = self._root / partition_path(artifact.asset_key, artifact.partition) / POINTER
        if not (self._root / artifact.uri).is_dir():
            raise ArtifactError(f"Artifact {artifact.uri} is not in {self._root}: commit it before pointing at it.")
        if pointer.is_file() and pointer.read_text().strip() == artifact.fingerprint:
            return
        staged = self._staging_path()
        staged.parent.mkdir(parents=True, exist_ok=True)
        try:
            staged.write_text(f"{artifact.fingerprint}\n")
            _fsync(staged)
            staged.replace(pointer)
            _fsync(pointer.parent)
        finally:
            staged.unlink(missing_ok=True)

    def current(self, asset_key: str, partition: str | None) -> Artifact | None:
        """The artifact that the pointer names, or None if the partition has none."""
        pointer = self._root / partition_path(asset_key, partition) / POINTER
        try:
            fingerprint = pointer.read_text().strip()
        except FileNotFoundError:
            return None
        artifact = self.find(asset_key, partition, fingerprint)
        if artifact is None:
            raise ArtifactError(
                f"{pointer} names {fingerprint}, which is not there: materialize {asset_key} for this partition again."
            )
        return artifact

    def get(self, uri: str) -> Artifact:
        """The artifact at a URI."""
        asset_key, partition, fingerprint = parse_uri(uri)
        artifact = self.find(asset_key, partition, fingerprint)
        if artifact is None:
            raise ArtifactError(
                f"No artifact {uri} in {self._root}: check the home folder, or materialize {asset_key} again."
            )
        return artifact

    def committed(self, asset_key: str, partition: str | None) -> list[Artifact]:
        """All committed artifacts of one partition, by fingerprint."""
        manifests = sorted((self._root / partition_path(asset_key, partition)).glob(f"*/{MANIFEST}"))
        return [_load(manifest.parent, asset_key, partition, manifest.parent.name) for manifest in manifests]

    def parts(self, artifact: Artifact) -> FingerprintParts:
        """What its fingerprint was made from."""
        return FingerprintParts(**_read_json(self._root / artifact.uri / FINGERPRINT))

    def local_path(self, artifact: Artifact, scratch: Path) -> Path:  # noqa: ARG002 - the files are here already
        """The artifact's own folder; its files are read-only."""
        folder = self._root / artifact.uri
        _check_files(folder, artifact.files)
        return folder

    def verify(self, artifact: Artifact) -> None:
        """Read every byte and compare it with the manifest."""
        folder = self._root / artifact.uri
        _check_files(folder, artifact.files)
        for name, entry in artifact.files.items():
            if _sha256(folder / name) != entry.sha256:
                raise _damaged(folder, f"{folder / name} has other content than when it was committed")

    def _staging_path(self) -> Path:
        return self._root / STAGING / uuid.uuid4().hex


def _file_names(folder: Path) -> list[str]:
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


def _describe(folder: Path, names: list[str], key: tuple[str, str | None, str]) -> dict[str, Any]:
    """The manifest: a function of the key and the files, with no time, run or machine in it."""
    files = {name: FileEntry(_sha256(folder / name), (folder / name).stat().st_size) for name in names}
    tables = {name: _parquet_summary(folder / name) for name in names if name.endswith(".parquet")}
    asset_key, partition, fingerprint = key
    return {
        "format": 1,
        "asset_key": asset_key,
        "partition": partition,
        "fingerprint": fingerprint,
        "content_hash": _content_hash(files),
        "files": {name: asdict(entry) for name, entry in files.items()},
        "rows": {name: rows for name, (rows, _) in tables.items()},
        "schema": {name: schema for name, (_, schema) in tables.items()},
    }


def _content_hash(files: Mapping[str, FileEntry]) -> str:
    listing = "".join(f"{entry.sha256}  {name}\n" for name, entry in sorted(files.items()))
    return hashlib.sha256(listing.encode()).hexdigest()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


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


def _flush(folder: Path) -> None:
    """Make files read-only and put everything on disk, the manifest last."""
    paths = [path for path in folder.rglob("*") if path != folder / MANIFEST]
    for path in [*paths, folder / MANIFEST]:
        if path.is_file():
            path.chmod(READ_ONLY)
        _fsync(path)
    _fsync(folder)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename_unless_there(staged: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        staged.rename(target)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        return
    _fsync(target.parent)


def _load(folder: Path, asset_key: str, partition: str | None, fingerprint: str) -> Artifact:
    manifest = _read_json(folder / MANIFEST)
    provenance = _read_json(folder / PROVENANCE)
    try:
        files = {name: FileEntry(**entry) for name, entry in manifest["files"].items()}
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
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder, f"{folder / MANIFEST} is not a manifest that this version reads") from error
    if found != (asset_key, partition, fingerprint) or artifact.content_hash != _content_hash(files):
        raise _damaged(folder, f"{folder / MANIFEST} contradicts itself or its place")
    _check_files(folder, files)
    return artifact


def _check_files(folder: Path, files: Mapping[str, FileEntry]) -> None:
    for name, entry in files.items():
        try:
            size = (folder / name).stat().st_size
        except FileNotFoundError:
            raise _damaged(folder, f"{folder / name} is missing") from None
        if size != entry.bytes:
            raise _damaged(folder, f"{folder / name} has {size} bytes and had {entry.bytes} when it was committed")


def _damaged(folder: Path, what: str) -> ArtifactError:
    return ArtifactError(f"Damaged artifact: {what}. Delete the folder {folder} and materialize its asset again.")


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise _damaged(path.parent, f"{path} is missing") from None
    except ValueError:
        raise _damaged(path.parent, f"{path} is not JSON") from None
