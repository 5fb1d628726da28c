"""The definitions of an empty home with six weeks, loaded once per test process."""

import datetime as dt
from collections.abc import Generator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from shell_runs import Run

from packaging_assets.definitions import build_definitions
from packaging_assets.home import prepare_home
from packaging_assets.settings import Settings, load_settings

FIRST_WEEK = dt.date(2025, 1, 6)
LAST_DAY = dt.date(2025, 2, 16)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load_settings(tmp_path_factory.mktemp("shell"), first_week=FIRST_WEEK, last_day=LAST_DAY)
    prepare_home(settings)
    return settings


@pytest.fixture(scope="session")
def definitions(settings: Settings) -> dg.Definitions:
    return build_definitions(settings)


@pytest.fixture(scope="session")
def graph(definitions: dg.Definitions) -> Any:
    return definitions.resolve_asset_graph()


@pytest.fixture
def instance() -> Generator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def materialize(definitions: dg.Definitions, instance: dg.DagsterInstance) -> Run:
    """Run some assets, with the resources given by name in place of the home's own."""

    def run(*keys: str, partition: str | None = None, **resources: Any) -> dg.ExecuteInProcessResult:
        wanted = {dg.AssetKey(key.split("/")) for key in keys}
        assets = [asset for asset in definitions.assets or [] if isinstance(asset, dg.AssetsDefinition)]
        return dg.materialize(
            [asset for asset in assets if wanted & asset.keys],
            selection=list(wanted),
            instance=instance,
            partition_key=partition,
            resources={**(definitions.resources or {}), **resources},
            raise_on_error=False,
        )

    return run


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """A home of the test's own, with an empty warehouse."""
    settings = load_settings(tmp_path / "home", first_week=FIRST_WEEK, last_day=LAST_DAY)
    prepare_home(settings)
    return settings
