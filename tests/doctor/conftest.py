"""An environment `aws` on this machine, in which nothing is missing."""

import uuid

import pytest
from aws_fixtures import *  # noqa: F403 - fixtures are found by being there
from redshift_fixtures import *  # noqa: F403 - likewise


@pytest.fixture(scope="session")
def whole_cloud(moto_url, stand_in_session, redshift_session, tmp_path_factory):
    """Made once: its clients alone take a second."""
    from cloud_in_order import Cloud, endpoints

    with pytest.MonkeyPatch.context() as patch:
        for name, value in endpoints(moto_url, stand_in_session, redshift_session).items():
            patch.setenv(name, value)
        made = Cloud(redshift_session, tmp_path_factory.mktemp("doctor") / "live", uuid.uuid4().hex[:8])
    yield made  # its clients keep the endpoints of the moment they were made
    made.close()


@pytest.fixture
def cloud(whole_cloud, sagemaker_stand_in, redshift):
    """All that `packaging doctor` looks at; `cloud.settings()` says where it is."""
    yield whole_cloud
    whole_cloud.forget_answers()
