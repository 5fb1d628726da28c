"""A version's card is found by the version's fingerprint, not by its week."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from click.testing import CliRunner

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.store import Artifact
from packaging_assets.cli.models import models
from packaging_assets.domain.registry import Registration
from packaging_assets.resources.model_cards import find_model_card
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry

WEEK = "2025-01-13"


def put(store: LocalArtifactStore, fingerprint: str, page: str) -> Artifact:
    with store.scratch() as scratch:
        folder = scratch / "out"
        folder.mkdir()
        (folder / "card.html").write_text(page)
        parts = FingerprintParts(step=page, modules={}, libraries={}, params={"fingerprint": fingerprint}, inputs={})
        artifact = store.commit("mailer/model_card", WEEK, folder, parts=parts, provenance={})
    store.point(artifact)
    return artifact


def version_with(fingerprint: str) -> Any:
    return cast("Any", SimpleNamespace(model="mailer", training_week=WEEK, fingerprint=fingerprint))


def test_each_version_of_a_week_has_its_own_card_and_of_several_the_current_one(tmp_path: Path) -> None:
    store = LocalArtifactStore(tmp_path)
    assert find_model_card(store, version_with("f1")) is None
    first = put(store, "f1", "first")
    put(store, "f2", "second")
    assert find_model_card(store, version_with("f1")) == first
    newer = [put(store, "f2", page) for page in ("third", "fourth", "fifth")][-1]
    assert find_model_card(store, version_with("f2")) == newer
    assert find_model_card(store, version_with("f3")) is None


def test_a_review_names_the_card_and_goes_on_without_one_that_is_damaged(tmp_path: Path) -> None:
    card = put(LocalArtifactStore(tmp_path / "artifacts"), "f1", "the page")
    SqliteModelRegistry(tmp_path / "registry.db").register(
        Registration(
            model="mailer",
            package_type="mailer",
            training_week=WEEK,
            fingerprint="f1",
            verdict="pending",
            artifact_uri="a",
            metrics_uri="m",
            content_hash="c",
            code_version="1",
        )
    )
    page = tmp_path / "artifacts" / card.uri / "card.html"
    text = CliRunner().invoke(models, ["review", "--home", str(tmp_path)]).stdout
    assert f"model card: {page}\n" in text
    assert "The record gives no reason." in text
    page.parent.chmod(0o755)
    page.unlink()
    result = CliRunner().invoke(models, ["review", "--home", str(tmp_path)])
    assert (result.exit_code, "model card" in result.stdout) == (0, False)
