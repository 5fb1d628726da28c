"""Artifacts in a folder on disk.

Layout: `<asset key>/<partition or "_">/<fingerprint>/` holds the files, `manifest.json` (what they are, the same on
every machine), `fingerprint.json` (what they were made from) and `provenance.json` (which run made them). Beside the
fingerprints, the file `current` names one of them. Work in progress is under `.staging/`.

A commit prepares the whole folder under `.staging/`, flushes it to disk, and renames it into place: the rename is the
commit. POSIX makes it atomic, and refuses it where another commit was first.
"""

import datetime as dt
import errno
import json
import shutil
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from packaging_assets.artifacts import local_removal
from packaging_assets.artifacts.clock import utc_now
from packaging_assets.artifacts.content import file_hash
from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.flushing import flush
from packaging_assets.artifacts.local_removal import ASIDE, STAGING, places_lock
from packaging_assets.artifacts.manifest import ManifestError, artifact_of, describe_artifact, file_names
from packaging_assets.artifacts.step import Origin
from packaging_assets.artifacts.store import (
    CONFIRMED,
    FINGERPRINT,
    MANIFEST,
    POINTER,
    PROVENANCE,
    Artifact,
    ArtifactError,
    FileEntry,
    MissingArtifactError,
    artifact_uri,
    is_fingerprint,
    parse_uri,
    partition_path,
)

READ_ONLY = 0o444
FLUSHED_AT_ONCE = 4
"""Files of a commit."""


class LocalArtifactStore:
    """The artifact store under `root`, which is created with the first artifact.

    Args:
        root: the folder.
        clock: tells the time, aware, in UTC.
        max_age: from which age on an artifact is no longer taken from the cache; None for never.
    """

    def __init__(
        self, root: Path, *, clock: Callable[[], dt.datetime] = utc_now, max_age: dt.timedelta | None = None
    ) -> None:
        self._root = root
        self._clock = clock
        self._max_age = max_age

    @property
    def location(self) -> str:
        """The store's folder."""
        return str(self._root)

    def locate(self, artifact: Artifact, name: str) -> str:
        """The path of one of the artifact's files."""
        return str(self._root / artifact.uri / name)

    def scratch(self) -> AbstractContextManager[Path]:
        """An empty folder on the store's own disk; it is gone afterwards."""
        return local_removal.work_folder(self._staging_path())

    def find(self, asset_key: str, partition: str | None, fingerprint: str) -> Artifact | None:
        """The committed artifact of that fingerprint, if there is one."""
        folder = self._root / artifact_uri(asset_key, partition, fingerprint)
        try:
            return _load(folder, asset_key, partition, fingerprint) if folder.is_dir() else None
        except ArtifactError:
            if folder.is_dir():
                raise
            return None  # set aside while it was read

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
        names = file_names(folder)
        staged = self._staging_path()
        staged.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.move(folder, staged)  # a rename where `folder` is on this disk, as every scratch folder is
            _write_json(staged / FINGERPRINT, asdict(parts))
            _write_json(staged / PROVENANCE, {"computed_at": self._clock().isoformat(), **provenance})
            files = [staged / name for name in names]
            with _flushing(files):
                manifest = describe_artifact(staged, names, (asset_key, partition, parts.fingerprint))
            _write_json(staged / MANIFEST, manifest)
            _flush_rest(staged, files)
            with places_lock(self._root):
                _rename_unless_there(staged, target)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return _load(target, asset_key, partition, parts.fingerprint)

    def point(self, artifact: Artifact) -> None:
        """Make it the current one of its partition."""
        pointer = self._root / partition_path(artifact.asset_key, artifact.partition) / POINTER
        with places_lock(self._root):
            self._check_place(artifact)
            if not local_removal.is_pointed(self._root, artifact.uri):
                self._write_whole(pointer, f"{artifact.fingerprint}\n")

    def current(self, asset_key: str, partition: str | None) -> Artifact | None:
        """The artifact that the pointer names, or None if the partition has none."""
        pointer = self._root / partition_path(asset_key, partition) / POINTER
        fingerprint = local_removal.read_pointer(pointer)
        if fingerprint is None:
            return None
        artifact = self.find(asset_key, partition, fingerprint) if is_fingerprint(fingerprint) else None
        if artifact is None:
            raise ArtifactError(
                f"{pointer} names {fingerprint!a:.80}, which is not there: materialize {asset_key} for this partition "
                "again."
            )
        return artifact

    def get(self, uri: str) -> Artifact:
        """The artifact at a URI."""
        asset_key, partition, fingerprint = parse_uri(uri)
        artifact = self.find(asset_key, partition, fingerprint)
        if artifact is None:
            raise MissingArtifactError(
                f"No artifact {uri} in {self._root}: check the home folder, or materialize {asset_key} again."
            )
        return artifact

    def committed(self, asset_key: str, partition: str | None) -> list[Artifact]:
        """All committed artifacts of one partition, by fingerprint."""
        manifests = sorted((self._root / partition_path(asset_key, partition)).glob(f"*/{MANIFEST}"))
        return [_load(manifest.parent, asset_key, partition, manifest.parent.name) for manifest in manifests]

    def parts(self, artifact: Artifact) -> FingerprintParts:
        """What its fingerprint was made from."""
        path = self._root / artifact.uri / FINGERPRINT
        try:
            return FingerprintParts(**_read_json(path))
        except TypeError:
            raise _damaged(path.parent, f"{path} does not say what it was made from") from None

    def local_path(self, artifact: Artifact, scratch: Path) -> Path:  # noqa: ARG002 - the files are here already
        """The artifact's own folder; its files are read-only."""
        folder = self._root / artifact.uri
        _check_files(folder, artifact.files)
        return folder

    def origin(self, artifact: Artifact) -> Origin | None:  # noqa: ARG002 - none is in S3
        """None: they are on this disk."""
        return None

    def verify(self, artifact: Artifact) -> None:
        """Read every byte and compare it with the manifest."""
        folder = self._root / artifact.uri
        _check_files(folder, artifact.files)
        for name, entry in artifact.files.items():
            if file_hash(folder / name, entry.algorithm) != entry.hash:
                raise _damaged(folder, f"{folder / name} has other content than when it was committed")

    def confirm(self, artifact: Artifact, *, provenance: Mapping[str, Any]) -> None:
        """Note beside the files that the step was run again and gave the same bytes."""
        confirmed = {"computed_at": self._clock().isoformat(), **provenance}
        with places_lock(self._root):
            self._check_place(artifact)
            self._write_whole(self._root / artifact.uri / CONFIRMED, _as_json(confirmed))

    def computed_at(self, artifact: Artifact) -> dt.datetime:
        """When it was computed or last confirmed; of artifacts that do not say, when their folder was written."""
        folder = self._root / artifact.uri
        said = _read_json(folder / CONFIRMED) if (folder / CONFIRMED).is_file() else artifact.provenance
        if "computed_at" in said:
            return _moment(folder, said["computed_at"])
        return dt.datetime.fromtimestamp((folder / PROVENANCE).stat().st_mtime, dt.UTC)

    def is_expired(self, artifact: Artifact) -> bool:
        """Whether it is older than the store's `max_age`."""
        return self._max_age is not None and self._clock() - self.computed_at(artifact) > self._max_age

    def uris(self) -> list[str]:
        """URIs of all committed artifacts, sorted."""
        return local_removal.committed_uris(self._root)

    def pruning(self) -> AbstractContextManager[None]:
        """Hold the right to remove."""
        return local_removal.pruning_lock(self._root)

    def is_busy(self) -> bool:
        """Whether a living process has a scratch folder open."""
        return local_removal.is_busy(self._root)

    def pointed(self, uri: str) -> bool:
        """Whether a pointer names it."""
        return local_removal.is_pointed(self._root, uri)

    def set_aside(self, uri: str, *, even_if_current: bool = False) -> bool:
        """Take it out of sight unless a pointer names it; whether that was done."""
        return local_removal.set_aside(self._root, uri, even_if_current=even_if_current)

    def aside(self) -> list[str]:
        """URIs of what is set aside."""
        return local_removal.committed_uris(self._root / ASIDE)

    def put_back(self, uri: str) -> None:
        """Undo `set_aside`."""
        local_removal.put_back(self._root, uri)

    def discard(self, uri: str) -> None:
        """Delete what is set aside, for good."""
        local_removal.discard(self._root, uri)

    def leftovers(self, *, untouched_for: dt.timedelta) -> dict[str, int]:
        """What killed processes left in `.staging/`: name -> bytes."""
        return local_removal.leftovers(self._root, untouched_since=self._clock() - untouched_for)

    def discard_leftover(self, name: str) -> None:
        """Delete one of `leftovers`, for good."""
        local_removal.discard_leftover(self._root, name)

    def _check_place(self, artifact: Artifact) -> None:
        if not (self._root / artifact.uri).is_dir():
            raise MissingArtifactError(
                f"Artifact {artifact.uri} is not in {self._root}: commit it before pointing at it."
            )

    def _write_whole(self, path: Path, text: str) -> None:
        """Write a small file so that it is there with the old text or the new, whatever happens."""
        staged = self._staging_path()
        staged.parent.mkdir(parents=True, exist_ok=True)
        try:
            staged.write_text(text)
            flush(staged)
            staged.replace(path)
            flush(path.parent)
        finally:
            staged.unlink(missing_ok=True)

    def _staging_path(self) -> Path:
        return self._root / STAGING / uuid.uuid4().hex


@contextmanager
def _flushing(files: Sequence[Path]) -> Generator[None]:
    """Put the files on disk while the block reads them: the one waits for the disk, the other takes the processor."""
    with ThreadPoolExecutor(FLUSHED_AT_ONCE, thread_name_prefix="flush") as threads:
        flushed = threads.map(_flush_file, files)
        yield
        list(flushed)  # raises what one of them raised


def _flush_rest(folder: Path, flushed: Sequence[Path]) -> None:
    """Put the store's own files and the folders on disk, the manifest last."""
    for path in {*folder.rglob("*")} - {*flushed, folder / MANIFEST}:
        _flush_file(path) if path.is_file() else flush(path)
    _flush_file(folder / MANIFEST)
    flush(folder)


def _flush_file(path: Path) -> None:
    """Make it read-only, and put it on disk."""
    path.chmod(READ_ONLY)
    flush(path)


def _rename_unless_there(staged: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        staged.rename(target)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        return
    flush(target.parent)


def _load(folder: Path, asset_key: str, partition: str | None, fingerprint: str) -> Artifact:
    manifest = _read_json(folder / MANIFEST)
    provenance = _read_json(folder / PROVENANCE)
    try:
        artifact = artifact_of(manifest, provenance, (asset_key, partition, fingerprint))
    except ManifestError as error:
        raise _damaged(folder, f"{folder / MANIFEST} {error}") from error
    _check_files(folder, artifact.files)
    return artifact


def _moment(folder: Path, said: Any) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(said)
    except (TypeError, ValueError):
        raise _damaged(folder, f"it was computed at {said!r}, which is no time") from None


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
    path.write_text(_as_json(content))


def _as_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise _damaged(path.parent, f"{path} is missing") from None
    except ValueError:
        raise _damaged(path.parent, f"{path} is not JSON") from None
