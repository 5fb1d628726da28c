"""The artifact store as an experiment sees it: everything of the main area to read, and a side area to write."""

import datetime as dt
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.prune import EXPERIMENTS
from packaging_assets.artifacts.step import Origin
from packaging_assets.artifacts.store import Artifact, ArtifactStore


class LayeredStore:
    """An artifact store over `store` that commits below `experiments/` and moves no pointer, of either area.

    A step's result is looked for in the main area first and then among the experiments', so what either has computed
    is not computed again. The record of an experiment names its artifacts; the side area has no current ones, so that
    all of it can be pruned.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    @property
    def location(self) -> str:
        """Where the store is."""
        return self._store.location

    def locate(self, artifact: Artifact, name: str) -> str:
        """Where one of an artifact's files is, of either area."""
        return self._store.locate(artifact, name)

    def scratch(self) -> AbstractContextManager[Path]:
        """An empty folder, gone afterwards."""
        return self._store.scratch()

    def find(self, asset_key: str, partition: str | None, fingerprint: str) -> Artifact | None:
        """The artifact of that fingerprint in the main area unless it is expired there, else in the side area."""
        found = self._store.find(asset_key, partition, fingerprint)
        if found is not None and not self._store.is_expired(found):
            return found
        return self._store.find(EXPERIMENTS + asset_key, partition, fingerprint)

    def commit(
        self,
        asset_key: str,
        partition: str | None,
        folder: Path,
        *,
        parts: FingerprintParts,
        provenance: Mapping[str, Any],
    ) -> Artifact:
        """Take the folder over as an artifact of the side area."""
        return self._store.commit(EXPERIMENTS + asset_key, partition, folder, parts=parts, provenance=provenance)

    def point(self, artifact: Artifact) -> None:
        """Nothing: no pointer of the main area is an experiment's to move, and the side area has none."""

    def current(self, asset_key: str, partition: str | None) -> Artifact | None:
        """What is current in the main area."""
        return self._store.current(asset_key, partition)

    def get(self, uri: str) -> Artifact:
        """The artifact at a URI of either area."""
        return self._store.get(uri)

    def committed(self, asset_key: str, partition: str | None) -> list[Artifact]:
        """All artifacts of one partition in both areas, those of the main area first."""
        main, side = (self._store.committed(prefix + asset_key, partition) for prefix in ("", EXPERIMENTS))
        return [*main, *side]

    def parts(self, artifact: Artifact) -> FingerprintParts:
        """What its fingerprint was made from."""
        return self._store.parts(artifact)

    def local_path(self, artifact: Artifact, scratch: Path) -> Path:
        """A folder with its files."""
        return self._store.local_path(artifact, scratch)

    def origin(self, artifact: Artifact) -> Origin | None:
        """Where its files are in S3, if they are."""
        return self._store.origin(artifact)

    def verify(self, artifact: Artifact) -> None:
        """Read every byte and compare it with the manifest."""
        self._store.verify(artifact)

    def confirm(self, artifact: Artifact, *, provenance: Mapping[str, Any]) -> None:
        """Record that its step gave the same bytes again; of an artifact of the main area nothing is recorded."""
        if artifact.asset_key.startswith(EXPERIMENTS):
            self._store.confirm(artifact, provenance=provenance)

    def computed_at(self, artifact: Artifact) -> dt.datetime:
        """When it was computed, or last confirmed; aware, in UTC."""
        return self._store.computed_at(artifact)

    def is_expired(self, artifact: Artifact) -> bool:
        """Whether it is too old to be taken from the cache."""
        return self._store.is_expired(artifact)

    def uris(self) -> list[str]:
        """URIs of both areas, sorted."""
        return self._store.uris()
