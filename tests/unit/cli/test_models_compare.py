"""`packaging models compare` only reads: who reviews may write nothing into the store."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.store import Artifact, ArtifactError
from packaging_assets.cli import models_compare
from packaging_assets.resources import environment
from packaging_assets.settings import Settings


def committed(store: LocalArtifactStore, asset: str) -> Artifact:
    parts = FingerprintParts(step=asset, modules={}, libraries={}, params={}, inputs={})
    with store.scratch() as scratch:
        (scratch / "a.txt").write_text(asset)
        return store.commit(f"mailer/{asset}", "2025-01-06", scratch, parts=parts, provenance={})


def test_versions_are_read_without_a_scratch_folder_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = LocalArtifactStore(tmp_path / "artifacts")
    model, metrics = committed(store, "model"), committed(store, "metrics")
    version: Any = SimpleNamespace(artifact_uri=model.uri, metrics_uri=metrics.uri)

    def refuse() -> Any:
        raise PermissionError("AccessDenied")

    monkeypatch.setattr(store, "scratch", refuse)

    def given_store(_: Settings) -> LocalArtifactStore:
        return store

    monkeypatch.setattr(environment, "artifact_store_for", given_store)
    with models_compare.fetched_versions(Settings(home=tmp_path), [version]) as [compared]:
        found = [(folder / "a.txt").read_text() for folder in (compared.model, compared.metrics)]

    assert found == ["model", "metrics"]


@pytest.mark.parametrize("is_damaged", [True, False])
def test_a_damaged_artifact_is_named_if_reading_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_damaged: bool
):
    store = LocalArtifactStore(tmp_path / "artifacts")
    model, metrics = committed(store, "model"), committed(store, "metrics")
    version: Any = SimpleNamespace(artifact_uri=model.uri, metrics_uri=metrics.uri)
    if is_damaged:
        file = tmp_path / "artifacts" / metrics.uri / "a.txt"
        file.chmod(0o644)
        file.write_text("ietrics")

    def given_store(_: Settings) -> LocalArtifactStore:
        return store

    monkeypatch.setattr(environment, "artifact_store_for", given_store)
    wanted, said = (ArtifactError, "metrics/.*a.txt has other content") if is_damaged else (ValueError, "^no Parquet$")
    with (
        pytest.raises(wanted, match=said),
        models_compare.fetched_versions(Settings(home=tmp_path), [version]),
    ):
        raise ValueError("no Parquet")
