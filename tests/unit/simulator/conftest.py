"""One small retailer without incidents, for tests that only read it."""

import pytest

from packaging_assets.simulator import RetailerConfig, simulate


@pytest.fixture(scope="session")
def small_config():
    return RetailerConfig(products=3000, weeks=3, seed=11, products_per_block=1000)


@pytest.fixture(scope="session")
def quiet_retailer(small_config, tmp_path_factory):
    return simulate(small_config, tmp_path_factory.mktemp("quiet") / "retailer")
