"""What an artifact is, and what every artifact store does; `artifacts.local_store` is the one on disk."""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from packaging_assets.artifacts.fingerprint import FingerprintParts

MANIFEST = "manifest.json"
PROVENANCE = "provenance.json"
FINGERPRINT = "fingerprint.json"
POINTER = "current"
UNPARTITIONED = "_"

_SEGMENT = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ArtifactError(Exception):
    """An artifact cannot be written or read; the message names the file or key and the remedy."""


@dataclass(frozen=True)
class FileEntry:
    """One file of an artifact."""

    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A committed folder. Its files never change; `content_hash` depends on them alone.

    `rows` and `schema` (column: Arrow type) are those of each Parquet file; `provenance` says which run computed it.
    Everything but `provenance` is a function of the fingerprint and the files, so the same on every machine.
    """

    asset_key: str
    partition: str | None
    fingerprint: str
    content_hash: str
    files: Mapping[str, FileEntry]
    rows: Mapping[str, int]
    schema: Mapping[str, Mapping[str, str]]
    provenance: Mapping[str, Any] = field(compare=False)

    @property
    def uri(self) -> str:
        """Where it is, relative to the store's root: asset key, partition ("_" for none), fingerprint."""
        return artifact_uri(self.asset_key, self.partition, self.fingerprint)

    @property
    def total_rows(self) -> int:
        """Rows of all its Parquet files together."""
        return sum(self.rows.values())

    @property
    def total_bytes(self) -> int:
        """Size of all its files together."""
        return sum(entry.bytes for entry in self.files.values())


class ArtifactStore(Protocol):
    """Immutable folders by asset key, partition and fingerprint, and a pointer to the current one of each partition."""

    def scratch(self) -> AbstractContextManager[Path]:
        """An empty folder from which a commit is cheap; it is gone afterwards."""
        ...

    def find(self, asset_key: str, partition: str | None, fingerprint: str) -> Artifact | None:
        """The committed artifact of that fingerprint, if there is one.

        Raises:
            ArtifactError: it is there and damaged, or a key is not valid.
        """
        ...

    def commit(
        self,
        asset_key: str,
        partition: str | None,
        folder: Path,
        *,
        parts: FingerprintParts,
        provenance: Mapping[str, Any],
    ) -> Artifact:
        """Take the folder over as the artifact of `parts.fingerprint`: wholly, or, when killed, not at all.

        Of two commits of one fingerprint the first wins, and both get the winner's artifact. The folder itself is gone
        afterwards. Does not move the pointer.

        Raises:
            ArtifactError: the folder is empty, holds a link or a file with a reserved name, or a key is not valid.
        """
        ...

    def point(self, artifact: Artifact) -> None:
        """Make it the current one of its partition, replacing the pointer atomically."""
        ...

    def current(self, asset_key: str, partition: str | None) -> Artifact | None:
        """The artifact that the pointer names, or None if the partition has none.

        Raises:
            ArtifactError: the pointer names an artifact that is not there, or is damaged.
        """
        ...

    def get(self, uri: str) -> Artifact:
        """The artifact at a URI that `Artifact.uri` gave.

        Raises:
            ArtifactError: it is not there, is damaged, or the URI is not one of ours.
        """
        ...

    def committed(self, asset_key: str, partition: str | None) -> list[Artifact]:
        """All committed artifacts of one partition, by fingerprint."""
        ...

    def parts(self, artifact: Artifact) -> FingerprintParts:
        """What its fingerprint was made from."""
        ...

    def local_path(self, artifact: Artifact, scratch: Path) -> Path:
        """A folder with its files to read, fetched into `scratch` where the store is not on this disk.

        Raises:
            ArtifactError: a file is missing or has another size.
        """
        ...

    def verify(self, artifact: Artifact) -> None:
        """Read every byte and compare it with the manifest.

        Raises:
            ArtifactError: naming the first file that differs.
        """
        ...


@dataclass(frozen=True)
class ArtifactInput:
    """An artifact as the input of a step."""

    store: ArtifactStore
    artifact: Artifact

    @property
    def content_hash(self) -> str:
        """The artifact's."""
        return self.artifact.content_hash

    def open(self, scratch: Path) -> Path:
        """The artifact's files."""
        return self.store.local_path(self.artifact, scratch)


def artifact_uri(asset_key: str, partition: str | None, fingerprint: str) -> str:
    """The relative URI of an artifact, from keys that are checked to be safe as a path.

    Raises:
        ArtifactError: naming the key that is not valid.
    """
    if not _SHA256.fullmatch(fingerprint):
        raise ArtifactError(f"Fingerprint {fingerprint!r} is not 64 lower-case hexadecimal digits.")
    return f"{partition_path(asset_key, partition)}/{fingerprint}"


def partition_path(asset_key: str, partition: str | None) -> str:
    """The relative path of an asset's partition.

    Raises:
        ArtifactError: naming the key that is not valid.
    """
    for segment in asset_key.split("/"):
        _check_segment(segment, f"Asset key {asset_key!r}")
    if partition is None:
        return f"{asset_key}/{UNPARTITIONED}"
    _check_segment(partition, f"Partition {partition!r}")
    return f"{asset_key}/{partition}"


def parse_uri(uri: str) -> tuple[str, str | None, str]:
    """Asset key, partition and fingerprint of a URI.

    Raises:
        ArtifactError: it is not an artifact's URI.
    """
    asset_key, _, rest = uri.rpartition("/")
    fingerprint = rest
    asset_key, _, partition = asset_key.rpartition("/")
    key = (asset_key, None if partition == UNPARTITIONED else partition, fingerprint)
    artifact_uri(*key)
    return key


def _check_segment(segment: str, what: str) -> None:
    if not _SEGMENT.fullmatch(segment) or segment == POINTER or _SHA256.fullmatch(segment):
        raise ArtifactError(
            f"{what} is not valid: each part starts with a lower-case letter or digit, goes on with those, '_', '-' "
            f"or '.', has at most 100 characters, and is neither {POINTER!r} nor a fingerprint."
        )
