"""The command line in the environment `aws`: the same commands, over S3 and SageMaker's registry."""

import json

import pytest
from click.testing import CliRunner
from cloud_in_order import Cloud

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.cli.main import main
from packaging_assets.domain.registry import Registration
from packaging_assets.resources.environment import artifact_store_for, model_registry_for

WEEK = "2025-01-13"


@pytest.fixture
def settings(cloud: Cloud, bucket, tmp_path, monkeypatch):
    """A bucket and model groups of its own."""
    given = {**cloud.given, "home": tmp_path / "home", "s3_bucket": bucket, "model_groups": bucket}
    for name, value in given.items():
        monkeypatch.setenv(f"PACKAGING_{name.upper()}", str(value))
    return cloud.settings(**given)


def run(*arguments, code=0):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    return result


def commit(store, key, name, content, **params):
    with store.scratch() as scratch:
        folder = scratch / "output"
        folder.mkdir()
        (folder / name).write_text(content)
        parts = FingerprintParts(step="m:f", modules={}, libraries={}, params=params, inputs={})
        return store.commit(key, WEEK, folder, parts=parts, provenance={"run_id": "r"})


def test_an_empty_environment_says_where_it_is(settings):
    assert run("models", "list").stdout == (
        f"There are no model versions in the environment {settings.name} of AWS yet; train a week by the job "
        "weekly_training in the UI, or by a trigger file.\n"
    )
    assert run("models", "show", "mailer", "champion", code=1).stderr == (
        f"Error: There is no model 'mailer' in the environment {settings.name} of AWS; known models: none so far; "
        "train a week by the job weekly_training in the UI, or by a trigger file.\n"
    )
    assert run("cache", "list").stdout == (
        f"No such artifacts in s3://{settings.s3_bucket}/{settings.s3_prefix}/artifacts.\n"
    )


def test_a_version_is_reviewed_with_its_card_fetched_from_s3_and_approved(settings):
    store, registry = artifact_store_for(settings), model_registry_for(settings)
    model, metrics = (commit(store, f"mailer/{kind}", f"{kind}.json", "{}") for kind in ("model", "metrics"))
    card = commit(store, "mailer/model_card", "model_card.html", "<p>good</p>", fingerprint="f")
    registry.register(
        Registration(
            model="mailer",
            package_type="mailer",
            training_week=WEEK,
            fingerprint="f",
            verdict="pending",
            artifact_uri=model.uri,
            metrics_uri=metrics.uri,
            content_hash=model.content_hash,
            code_version="0.1.0",
            reasons=("Drift.",),
        )
    )
    (item,) = json.loads(run("models", "review", "--json").stdout)
    page = settings.home / "cards" / card.content_hash / "model_card.html"
    assert page.read_text() == "<p>good</p>"
    assert (item["model_card"], item["model_card_location"]) == (str(page), store.locate(card, "model_card.html"))
    assert run("models", "approve", "mailer", "1", "--reason", "good", "--actor", "ada").stdout == (
        "mailer version 1 is Approved, and is the champion.\n"
    )
    listed = json.loads(run("cache", "list", "--asset", "mailer/model", "--json").stdout)
    assert [line["referenced_by"] for line in listed] == [["mailer 1 (Approved)"]]


def test_a_setting_that_is_missing_is_one_sentence(settings, monkeypatch):
    monkeypatch.setenv("PACKAGING_S3_BUCKET", "")
    assert run("cache", "list", code=1).stderr.startswith("Error: PACKAGING_ENV = 'aws' needs PACKAGING_S3_BUCKET: ")
