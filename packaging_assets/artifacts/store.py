"""What an artifact is, and what every artifact store does; `artifacts.local_store` is the one on disk."""

import datetime as dt
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.step import Origin

MANIFEST = "manifest.json"
PROVENANCE = "provenance.json"
CONFIRMED = "confirmed.json"
FINGERPRINT = "fingerprint.json"
POINTER = "current"
UNPARTITIONED = "_"

_SEGMENT = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ArtifactError(Exception):
    """An artifact cannot be written or read; the message names the file or key and the remedy."""


class MissingArtifactError(ArtifactError):
    """The artifact is not there, or not any more."""


@dataclass(frozen=True)
class FileEntry:
    """One file of an artifact; `hash` is the algorithm's name, a colon and 64 hexadecimal digits."""

    hash: str
    bytes: int

    @property
    def algorithm(self) -> str:
        """By which it was hashed."""
        return self.hash.partition(":")[0]


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

    @property
    def location(self) -> str:
        """Where the store is, in words for people: a folder's path, or an S3 URI."""
        ...

    def locate(self, artifact: Artifact, name: str) -> str:
        """Where one of an artifact's files is, in words for people: its path, or its S3 URI.

        Raises:
            MissingArtifactError: the artifact is not there any more.
        """
        ...

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
        """Make it the current one of its partition, replacing the pointer atomically.

        Raises:
            MissingArtifactError: it is not there (any more).
        """
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
            MissingArtifactError: it is not there.
            ArtifactError: it is damaged, or the URI is not one of ours.
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

    def origin(self, artifact: Artifact) -> Origin | None:
        """Where in S3 its files are, if the store keeps them there.

        Raises:
            MissingArtifactError: it is not there (any more).
        """
        ...

    def verify(self, artifact: Artifact) -> None:
        """Read every byte and compare it with the manifest.

        Raises:
            ArtifactError: naming the first file that differs.
        """
        ...

    def confirm(self, artifact: Artifact, *, provenance: Mapping[str, Any]) -> None:
        """Record that its step was run again and gave the same bytes: it is as good as computed now."""
        ...

    def computed_at(self, artifact: Artifact) -> dt.datetime:
        """When it was computed, or last confirmed; aware, in UTC."""
        ...

    def is_expired(self, artifact: Artifact) -> bool:
        """Whether it is too old to be taken from the cache; the store's settings say from when on."""
        ...

    def uris(self) -> list[str]:
        """URIs of all committed artifacts, sorted; damaged ones too, since nothing is read."""
        ...


class PrunableStore(ArtifactStore, Protocol):
    """An artifact store from which artifacts can be removed while others read and write it.

    Removal has two stages. What is set aside is out of everybody's sight, whole, and can be put back; what is discarded
    is gone. A process that is killed in between leaves artifacts set aside, for the next one to decide on.
    """

    def pruning(self) -> AbstractContextManager[None]:
        """Hold the right to remove; one process at a time has it.

        Raises:
            ArtifactError: another process has it.
        """
        ...

    def is_busy(self) -> bool:
        """Whether a step is being computed at this moment, here or in another process."""
        ...

    def pointed(self, uri: str) -> bool:
        """Whether a pointer names it."""
        ...

    def set_aside(self, uri: str, *, even_if_current: bool = False) -> bool:
        """Take it out of sight unless a pointer names it at that very moment; whether that was done.

        With `even_if_current` the pointer goes too.
        """
        ...

    def aside(self) -> list[str]:
        """URIs of what is set aside."""
        ...

    def put_back(self, uri: str) -> None:
        """Undo `set_aside`; where an artifact of that URI was committed meanwhile, that one stays."""
        ...

    def discard(self, uri: str) -> None:
        """Delete what is set aside, for good."""
        ...

    def leftovers(self, *, untouched_for: dt.timedelta) -> dict[str, int]:
        """What killed processes left behind: name -> bytes.

        Folders that a living process works in are not among them, nor what was touched within `untouched_for`.
        """
        ...

    def discard_leftover(self, name: str) -> None:
        """Delete one of `leftovers`, for good."""
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

    def origin(self) -> Origin | None:
        """Where its files are in S3, if they are."""
        return self.store.origin(self.artifact)


def artifact_uri(asset_key: str, partition: str | None, fingerprint: str) -> str:
    """The relative URI of an artifact, from keys that are checked to be safe as a path.

    Raises:
        ArtifactError: naming the key that is not valid.
    """
    if not is_fingerprint(fingerprint):
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


def is_fingerprint(name: str) -> bool:
    """Whether the name has the form of a fingerprint."""
    return _SHA256.fullmatch(name) is not None


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
    if not _SEGMENT.fullmatch(segment) or segment == POINTER or is_fingerprint(segment):
        raise ArtifactError(
            f"{what} is not valid: each part starts with a lower-case letter or digit, goes on with those, '_', '-' "
            f"or '.', has at most 100 characters, and is neither {POINTER!r} nor a fingerprint."
        )
