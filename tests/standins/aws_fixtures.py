"""AWS on this machine: moto's server and, in front of its SageMaker, the stand-in that runs jobs."""

import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parents[1]
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/packaging:test"
REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/packaging-jobs"


@pytest.fixture(scope="session")
def moto() -> Iterator[Any]:
    """moto's server, on a free port, in which calls can be made to go wrong."""
    from aws_standin.moto_server import MotoServer

    with MotoServer() as server:
        yield server


@pytest.fixture(scope="session")
def moto_url(moto: Any) -> str:
    """Where moto's server is."""
    return moto.url


@pytest.fixture(scope="session")
def stand_in_session(moto_url):
    """One SageMaker for all tests; its containers may run steps of the tests, too."""
    from sagemaker_standin import SageMakerStandIn

    kept = {name: os.environ.get(name) for name in ("PYTHONPATH", "PACKAGING_STEP_PACKAGES")}
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(TESTS.parent), str(TESTS / "standins"), str(TESTS / "unit" / "domain")]
    )
    os.environ["PACKAGING_STEP_PACKAGES"] = "packaging_assets.domain,example_steps"
    command = [sys.executable, "-m", "packaging_assets.container"]
    with SageMakerStandIn(moto_url, {IMAGE: command}, region=REGION, grace_seconds=3) as stand_in:
        yield stand_in
    for name, value in kept.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def forget_clients():
    """Of another test, which had other endpoints."""
    from packaging_assets.resources import aws_session

    aws_session.forget()


@pytest.fixture
def aws(moto_url, monkeypatch):
    """The environment variables under which boto3 and the SDKs find moto and nothing else."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    forget_clients()
    yield
    forget_clients()


@pytest.fixture
def sagemaker_stand_in(aws, stand_in_session, monkeypatch):
    """The SageMaker stand-in, with nothing going wrong yet."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", stand_in_session.url)
    stand_in_session.faults.clear()
    stand_in_session.calls.clear()
    yield stand_in_session
    stand_in_session.faults.clear()


@pytest.fixture
def clients(sagemaker_stand_in):
    """boto3's clients of what the stand-in has to do with."""
    import boto3

    names = ("s3", "sagemaker", "logs")
    found = SimpleNamespace(**{name: boto3.client(name, region_name=REGION) for name in names})
    yield found
    for name in names:
        getattr(found, name).close()


@pytest.fixture(scope="session")
def sagemaker_as(stand_in_session):
    """boto3's SageMaker client of whoever has an access key; making one takes a third of a second."""
    import boto3
    from botocore.config import Config

    made = {}

    def client(key="test"):
        if key not in made:
            made[key] = boto3.client(
                "sagemaker",
                endpoint_url=stand_in_session.url,
                region_name=REGION,
                aws_access_key_id=key,
                aws_secret_access_key="test",  # noqa: S106 - moto takes any
                config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
            )
        return made[key]

    yield client
    for each in made.values():
        each.close()


@pytest.fixture(scope="session")
def s3(moto_url):
    """boto3's S3 client."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=moto_url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - moto takes any
        config=Config(retries={"total_max_attempts": 2, "mode": "standard"}),
    )
    yield client
    client.close()


@pytest.fixture
def bucket(aws, s3):
    """The name of an empty bucket."""
    name = f"packaging-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name
