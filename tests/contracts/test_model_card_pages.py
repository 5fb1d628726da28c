"""The page of a model card, from a store on this disk and from S3."""

import dataclasses
import json

import pytest
from artifact_examples import PARTS
from click.testing import CliRunner

from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.s3_store import S3ArtifactStore
from packaging_assets.cli.models import models
from packaging_assets.domain.registry import Registration
from packaging_assets.resources.model_cards import fetch_model_card
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry

WEEK = "2025-01-13"


def commit_card(store, fingerprint="f"):
    with store.scratch() as scratch:
        folder = scratch / "output"
        folder.mkdir()
        (folder / "model_card.html").write_text("<p>good</p>")
        parts = dataclasses.replace(PARTS, params={"fingerprint": fingerprint})
        return store.commit("mailer/model_card", WEEK, folder, parts=parts, provenance={})


def register(home):
    registry = SqliteModelRegistry(home / "registry.db")
    return registry.register(
        Registration(
            model="mailer",
            package_type="mailer",
            stage="live",
            training_week=WEEK,
            fingerprint="f",
            verdict="pending",
            artifact_uri="mailer/model/x/f",
            metrics_uri="mailer/metrics/x/f",
            content_hash="c1",
            code_version="0.1.0",
            metrics={},
            reasons=("Drift.",),
        )
    )


@pytest.fixture
def remote(bucket, s3):
    return S3ArtifactStore(bucket, "live/artifacts", client=s3)


def test_a_page_on_this_disk_stays_where_it_is(tmp_path):
    store = LocalArtifactStore(tmp_path / "artifacts")
    card = commit_card(store)
    page = fetch_model_card(store, register(tmp_path), tmp_path / "cards")
    assert page.path == tmp_path / "artifacts" / card.uri / "model_card.html"
    assert page.location == str(page.path)
    assert not (tmp_path / "cards").exists()
    assert store.location == str(tmp_path / "artifacts")


def test_a_page_in_s3_is_fetched_once_and_kept(remote, bucket, tmp_path, s3):
    card = commit_card(remote)
    version = register(tmp_path)
    page = fetch_model_card(remote, version, tmp_path / "cards")
    assert page.path == tmp_path / "cards" / card.content_hash / "model_card.html"
    assert page.path.read_text() == "<p>good</p>"
    assert remote.location == f"s3://{bucket}/live/artifacts"
    assert page.location.startswith(f"s3://{bucket}/live/artifacts/{card.uri}/")
    key = page.location.removeprefix(f"s3://{bucket}/")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"<p>good</p>"
    page.path.write_text("the very same file")
    assert fetch_model_card(remote, version, tmp_path / "cards").path.read_text() == "the very same file"


def test_a_version_without_a_card_has_no_page(remote, tmp_path):
    commit_card(remote, fingerprint="of another version")
    assert fetch_model_card(remote, register(tmp_path), tmp_path / "cards") is None


def test_review_names_the_page_to_open_and_where_it_comes_from(remote, tmp_path, monkeypatch):
    monkeypatch.setattr("packaging_assets.resources.environment.artifact_store_for", lambda _: remote)
    card = commit_card(remote)
    register(tmp_path)
    path = tmp_path / "cards" / card.content_hash / "model_card.html"
    told = CliRunner().invoke(models, ["review", "--home", str(tmp_path)]).stdout
    assert f"  model card: {path} (from {remote.locate(card, 'model_card.html')})\n" in told
    (item,) = json.loads(CliRunner().invoke(models, ["review", "--json", "--home", str(tmp_path)]).stdout)
    assert (item["model_card"], item["model_card_location"]) == (str(path), remote.locate(card, "model_card.html"))
