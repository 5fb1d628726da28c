"""The live suite, against the stand-ins: that it asks before it spends, works, and deletes what it has made."""

import json
import os
import subprocess
import sys

import pytest
from aws_fixtures import IMAGE, TESTS
from cloud_in_order import MANIFEST, Cloud

RUN = [sys.executable, "-m", "pytest", "tests/live", "-m", "live", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]


def run(environment, *options):
    return subprocess.run(  # noqa: S603 - a fixed command
        [*RUN, *options], cwd=TESTS.parent, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="session")
def image(whole_cloud: Cloud):
    """The stand-in's image, in ECR."""
    repository, _, tag = IMAGE.rpartition("/")[2].partition(":")
    ecr = whole_cloud.clients["ecr"]
    ecr.create_repository(repositoryName=repository)
    ecr.put_image(repositoryName=repository, imageManifest=json.dumps(MANIFEST), imageTag=tag)
    return IMAGE


@pytest.fixture
def environment(cloud: Cloud, image):
    """Of a process with these settings and the stand-ins' endpoints."""
    given = {**cloud.given, "sagemaker_image": image, "sagemaker_poll_seconds": 0.05}
    return {**os.environ, **{f"PACKAGING_{name.upper()}": str(value) for name, value in given.items()}}


def schemas(redshift, cloud):
    found = redshift.run("select nspname from pg_namespace where nspname like 'live%'", cloud.database)
    return [name for (name,) in found]


def test_nothing_is_done_without_leave(environment, redshift):
    done = run(environment)
    assert done.returncode == 2
    assert "one processing job on ml.t3.medium" in done.stdout
    assert "Nothing was done: say --yes-spend to go on." in done.stdout
    assert redshift.calls == []


def test_it_passes_and_deletes_what_it_has_made(environment, cloud: Cloud, redshift):
    done = run(environment, "--yes-spend")
    assert "6 passed" in done.stdout, done.stdout
    assert "Contents" not in cloud.clients["s3"].list_objects_v2(Bucket=cloud.bucket)
    assert schemas(redshift, cloud) == []
    # moto deletes no groups, so the suite has to say that this one stays.
    (left,) = [line for line in done.stdout.splitlines() if line.startswith("delete by hand: ")]
    assert left.startswith(f"delete by hand: model package groups {cloud.groups}-live-")


def test_a_test_that_fails_deletes_it_too(environment, cloud: Cloud, redshift):
    redshift.faults.inject("failed_statement", matching="insert into live_", times=9, message="out of disk")
    done = run(environment, "--yes-spend", "-k", "warehouse")
    assert done.returncode == 1
    assert "out of disk" in done.stdout
    assert any("create schema live_" in statement for statement in redshift.served.statements)
    assert schemas(redshift, cloud) == []
    assert "Contents" not in cloud.clients["s3"].list_objects_v2(Bucket=cloud.bucket)
    assert "delete by hand" not in done.stdout
