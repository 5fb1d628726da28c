"""Fixtures of the contract suites, which run on AWS's stand-ins, too."""

import uuid

import pytest
from artifact_examples import KEY, PARTS, WEEK, Clock
from aws_fixtures import *  # noqa: F403 - fixtures are found by being there
from redshift_fixtures import *  # noqa: F403 - likewise
from registry_examples import ticking_clock


@pytest.fixture
def new_sagemaker_registry(sagemaker_stand_in, sagemaker_as, s3, bucket):
    """Makes a registry on SageMaker with nothing in it; keywords replace what it is made with."""
    from packaging_assets.artifacts.s3_objects import S3Objects
    from packaging_assets.resources.sagemaker_registry import SageMakerModelRegistry

    def make(**given):
        name = f"test-{uuid.uuid4().hex[:8]}"
        settings = {
            "client": sagemaker_as(),
            "groups": name,
            "objects": S3Objects(s3, bucket, f"{name}/registry"),
            "clock": ticking_clock(),
            "image": IMAGE,  # noqa: F405 - of the fixtures
            "artifact_root": f"s3://{bucket}/{name}/artifacts",
            **given,
        }
        return SageMakerModelRegistry(settings.pop("client"), settings.pop("groups"), **settings)

    return make


@pytest.fixture
def artifact_clock():
    """The clock of the store under test."""
    return Clock()


@pytest.fixture
def commit(store):
    """Commits small files, and gives back the artifact."""

    def commit_files(files=None, *, parts=PARTS, key=KEY, partition=WEEK, run_id="run-1"):
        with store.scratch() as scratch:
            folder = scratch / "output"
            for name, content in (files or {"split.json": "{}\n"}).items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(content)
            return store.commit(key, partition, folder, parts=parts, provenance={"run_id": run_id})

    return commit_files
