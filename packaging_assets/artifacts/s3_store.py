"""Artifacts in a bucket of S3.

Layout below the prefix: `<asset key>/<partition or "_">/<fingerprint>/manifest.json` says everything about an artifact,
its provenance and the parts of its fingerprint included, so one request finds it and nothing is listed to read it. The
files are beside it in a folder that the manifest names, `<fingerprint>/<32 hexadecimal digits>/`: every commit has its
own. Beside the fingerprints, the object `current` holds one of them.

A commit uploads the files, then puts the manifest on condition that there is none: that put is the commit, and S3 lets
one of several succeed. Pointers are put on condition that they are what was read.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
import shutil
import tempfile
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from packaging_assets.artifacts.aws_errors import excused
from packaging_assets.artifacts.clock import utc_now
from packaging_assets.artifacts.content import file_hash
from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.manifest import ManifestError, artifact_of, describe_artifact, file_names
from packaging_assets.artifacts.s3_objects import S3Objects, StoredObject, encryption_arguments
from packaging_assets.artifacts.s3_removal import ATTEMPTS, S3Removal, folder_of, put_manifest
from packaging_assets.artifacts.step import Origin
from packaging_assets.artifacts.store import (
    CONFIRMED,
    MANIFEST,
    POINTER,
    Artifact,
    ArtifactError,
    MissingArtifactError,
    artifact_uri,
    is_fingerprint,
    parse_uri,
    partition_path,
)


class S3ArtifactStore:
    """The artifact store below a prefix of a bucket.

    Args:
        bucket: its name; it exists.
        prefix: without slashes at its ends; environments that share a bucket have each their own.
        client: a boto3 S3 client; by default one with the credentials of the process, made when it is needed.
        kms_key: the KMS key to encrypt with at rest; None for S3's own keys.
        clock: tells the time, aware, in UTC.
        max_age: from which age on an artifact is no longer taken from the cache; None for never.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        client: Any = None,
        kms_key: str | None = None,
        clock: Callable[[], dt.datetime] = utc_now,
        max_age: dt.timedelta | None = None,
    ) -> None:
        self._bucket, self._prefix = bucket, prefix
        self._client, self._kms_key = client, kms_key
        self._clock = clock
        self._max_age = max_age

    @property
    def location(self) -> str:
        """The S3 URI below which everything is."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def locate(self, artifact: Artifact, name: str) -> str:
        """The S3 URI of one of the artifact's files."""
        return self._objects.uri(f"{artifact.uri}/{self._manifest(artifact)['folder']}/{name}")

    @contextmanager
    def scratch(self) -> Generator[Path]:
        """An empty folder on this machine's disk; it is gone afterwards."""
        with self._removal.working(), tempfile.TemporaryDirectory() as scratch:
            # A commit takes the folder it is given away, so it is one inside the one that is cleaned up.
            folder = Path(scratch) / "scratch"
            folder.mkdir()
            yield folder

    def find(self, asset_key: str, partition: str | None, fingerprint: str) -> Artifact | None:
        """The committed artifact of that fingerprint, if there is one."""
        uri = artifact_uri(asset_key, partition, fingerprint)
        manifest = self._objects.get(f"{uri}/{MANIFEST}")
        return None if manifest is None else self._load(uri, manifest)

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
        uri = artifact_uri(asset_key, partition, parts.fingerprint)
        described = describe_artifact(folder, file_names(folder), (asset_key, partition, parts.fingerprint))
        name = uuid.uuid4().hex
        said = {"computed_at": self._clock().isoformat(), **provenance}
        manifest = _as_json({**described, "folder": name, "provenance": said, "parts": asdict(parts)})
        self._objects.upload_folder(folder, f"{uri}/{name}")
        committed = put_manifest(self._objects, uri, manifest)
        if folder_of(committed) != name:
            self._remove_unused(f"{uri}/{name}/")
        shutil.rmtree(folder)
        return self._load(uri, committed)

    def point(self, artifact: Artifact) -> None:
        """Make it the current one of its partition.

        The artifact is looked for again after the pointer is written, as a prune looks for a pointer again after it has
        set an artifact aside: of the two at least one sees the other.
        """
        self._check_place(artifact)
        key = f"{partition_path(artifact.asset_key, artifact.partition)}/{POINTER}"
        body = f"{artifact.fingerprint}\n".encode()
        for _ in range(ATTEMPTS):
            before = self._objects.get(key)
            if before is not None and before.body == body:
                return
            if self._put_pointer(key, body, before):
                break
        else:
            raise ArtifactError(
                f"{self._objects.uri(key)} was written by others {ATTEMPTS} times in between: run this again."
            )
        try:
            self._check_place(artifact)
        except MissingArtifactError:
            with excused():  # runs may not delete; one that commits it anew makes the pointer right
                self._take_back_pointer(key, body, before)
            raise

    def current(self, asset_key: str, partition: str | None) -> Artifact | None:
        """The artifact that the pointer names, or None if the partition has none."""
        key = f"{partition_path(asset_key, partition)}/{POINTER}"
        pointer = self._objects.get(key)
        if pointer is None:
            return None
        fingerprint = pointer.body.decode().strip()
        artifact = self.find(asset_key, partition, fingerprint)
        if artifact is None:
            raise ArtifactError(
                f"{self._objects.uri(key)} names {fingerprint}, which is not there: materialize {asset_key} for this "
                "partition again."
            )
        return artifact

    def get(self, uri: str) -> Artifact:
        """The artifact at a URI."""
        asset_key, partition, fingerprint = parse_uri(uri)
        artifact = self.find(asset_key, partition, fingerprint)
        if artifact is None:
            raise MissingArtifactError(
                f"No artifact {uri} in {self._objects.uri('')}: check bucket and prefix, or materialize {asset_key} "
                "again."
            )
        return artifact

    def committed(self, asset_key: str, partition: str | None) -> list[Artifact]:
        """All committed artifacts of one partition, by fingerprint."""
        names = self._objects.names(f"{partition_path(asset_key, partition)}/")
        found = [self.find(asset_key, partition, name) for name in names if is_fingerprint(name)]
        return sorted((artifact for artifact in found if artifact is not None), key=lambda found: found.fingerprint)

    def parts(self, artifact: Artifact) -> FingerprintParts:
        """What its fingerprint was made from."""
        return FingerprintParts(**self._manifest(artifact)["parts"])

    def local_path(self, artifact: Artifact, scratch: Path) -> Path:
        """The artifact's files, fetched into a folder of `scratch`."""
        folder = scratch / artifact.content_hash
        if not folder.is_dir():
            place = f"{artifact.uri}/{self._manifest(artifact)['folder']}/"
            self._fetch(artifact, place, folder)
        return folder

    def origin(self, artifact: Artifact) -> Origin | None:
        """The folder of its files."""
        place = f"{artifact.uri}/{self._manifest(artifact)['folder']}/"
        files = {name: entry.bytes for name, entry in artifact.files.items()}
        return Origin(uri=self._objects.uri(place), files=files)

    def verify(self, artifact: Artifact) -> None:
        """Fetch every byte and compare it with the manifest."""
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "files"
            self._fetch(artifact, f"{artifact.uri}/{self._manifest(artifact)['folder']}/", folder)
            for name, entry in artifact.files.items():
                if file_hash(folder / name, entry.algorithm) != entry.hash:
                    raise self._damaged(artifact.uri, f"{name} has other content than when it was committed")

    def confirm(self, artifact: Artifact, *, provenance: Mapping[str, Any]) -> None:
        """Note beside the files that the step was run again and gave the same bytes."""
        self._check_place(artifact)
        confirmed = {"computed_at": self._clock().isoformat(), **provenance}
        self._objects.put(f"{artifact.uri}/{CONFIRMED}", _as_json(confirmed))

    def computed_at(self, artifact: Artifact) -> dt.datetime:
        """When it was computed or last confirmed; what confirms may be about one that was set aside since."""
        confirmed = self._objects.get(f"{artifact.uri}/{CONFIRMED}")
        said = [artifact.provenance, *([] if confirmed is None else [json.loads(confirmed.body)])]
        return max(dt.datetime.fromisoformat(each["computed_at"]) for each in said)

    def is_expired(self, artifact: Artifact) -> bool:
        """Whether it is older than the store's `max_age`."""
        return self._max_age is not None and self._clock() - self.computed_at(artifact) > self._max_age

    def uris(self) -> list[str]:
        """URIs of all committed artifacts, sorted."""
        return self._removal.uris()

    def pruning(self) -> AbstractContextManager[None]:
        """Hold the right to remove."""
        return self._removal.pruning()

    def is_busy(self) -> bool:
        """Whether a process, on whatever machine, has a scratch folder open."""
        return self._removal.is_busy()

    def pointed(self, uri: str) -> bool:
        """Whether a pointer names it."""
        return self._removal.pointed(uri)

    def set_aside(self, uri: str, *, even_if_current: bool = False) -> bool:
        """Take it out of sight unless a pointer names it; whether that was done."""
        return self._removal.set_aside(uri, even_if_current=even_if_current)

    def aside(self) -> list[str]:
        """URIs of what is set aside."""
        return self._removal.aside()

    def put_back(self, uri: str) -> None:
        """Undo `set_aside`."""
        self._removal.put_back(uri)

    def discard(self, uri: str) -> None:
        """Delete what is set aside, for good."""
        self._removal.discard(uri)

    def leftovers(self, *, untouched_for: dt.timedelta) -> dict[str, int]:
        """What killed processes left in the bucket: name -> bytes."""
        return self._removal.leftovers(untouched_since=self._clock() - untouched_for)

    def discard_leftover(self, name: str) -> None:
        """Delete one of `leftovers`, for good."""
        self._removal.discard_leftover(name)

    @functools.cached_property
    def _objects(self) -> S3Objects:
        client = self._client
        if client is None:
            import boto3  # 0.1 s, and the definitions are loaded without it

            client = boto3.client("s3")
        return S3Objects(client, self._bucket, self._prefix, encryption_arguments(self._kms_key))

    @functools.cached_property
    def _removal(self) -> S3Removal:
        return S3Removal(self._objects, self._clock)

    def _remove_unused(self, place: str) -> None:
        """Delete the files of a commit that came second; who may not delete leaves them, and a prune finds them."""
        with contextlib.suppress(PermissionError):
            self._objects.delete([entry.key for entry in self._objects.entries(place)])

    def _put_pointer(self, key: str, body: bytes, before: StoredObject | None) -> bool:
        if before is None:
            return self._objects.put_new(key, body)
        return self._objects.replace(key, body, etag=before.etag)

    def _take_back_pointer(self, key: str, body: bytes, before: StoredObject | None) -> None:
        """Let the pointer be what it was, unless somebody has moved it on."""
        now = self._objects.get(key)
        if now is None or now.body != body:
            return
        if before is None:
            self._objects.delete_same(key, etag=now.etag)
        else:
            self._objects.replace(key, before.body, etag=now.etag)

    def _load(self, uri: str, manifest: StoredObject) -> Artifact:
        try:
            content = json.loads(manifest.body)
            return artifact_of(content, content["provenance"], parse_uri(uri))
        except (KeyError, TypeError):
            raise self._damaged(uri, f"{MANIFEST} is not a manifest that this version reads") from None
        except ManifestError as error:
            raise self._damaged(uri, f"{MANIFEST} {error}") from error
        except ValueError:
            raise self._damaged(uri, f"{MANIFEST} is not JSON") from None

    def _manifest(self, artifact: Artifact) -> dict[str, Any]:
        manifest = self._objects.get(f"{artifact.uri}/{MANIFEST}")
        if manifest is None:
            raise MissingArtifactError(f"Artifact {artifact.uri} is not in {self._objects.uri('')} any more.")
        return json.loads(manifest.body)

    def _fetch(self, artifact: Artifact, place: str, folder: Path) -> None:
        partial = folder.with_name(f".{folder.name}")
        missing = self._objects.download_files(artifact.files, place, partial)
        if missing:
            raise self._damaged(artifact.uri, f"{missing[0]} is missing")
        for name, entry in artifact.files.items():
            size = (partial / name).stat().st_size
            if size != entry.bytes:
                raise self._damaged(
                    artifact.uri, f"{name} has {size} bytes and had {entry.bytes} when it was committed"
                )
        partial.rename(folder)

    def _check_place(self, artifact: Artifact) -> None:
        if self._objects.size(f"{artifact.uri}/{MANIFEST}") is None:
            raise MissingArtifactError(
                f"Artifact {artifact.uri} is not in {self._objects.uri('')}: commit it before pointing at it."
            )

    def _damaged(self, uri: str, what: str) -> ArtifactError:
        place = self._objects.uri(f"{uri}/")
        return ArtifactError(
            f"Damaged artifact: {place}: {what}. Delete the folder {place} and materialize its asset again."
        )


def _as_json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
