"""Days that are built before the reference tables that they are built from."""

from collections.abc import Iterator
from typing import Any

import pytest
from shell_runs import Run, error_of

from packaging_assets.resources.built_groups import BuiltGroup, record_built_group
from packaging_assets.resources.dbt_builder import DbtBuildError
from packaging_assets.resources.environment import warehouse_for
from packaging_assets.resources.warehouse import Warehouse
from packaging_assets.settings import Settings


class FailingDbt:
    """Builds nothing."""

    def build(self, *_: object, **__: object) -> Iterator[Any]:
        raise DbtBuildError("dbt failed: Table with name stg_products does not exist!")
        yield


@pytest.fixture
def warehouse(home: Settings) -> Warehouse:
    return warehouse_for(home)


def why_the_day_failed(materialize: Run, warehouse: Warehouse) -> tuple[str, str]:
    days = ("product_features", "package_evidence")
    return error_of(materialize(*days, partition="2025-01-19", dbt=FailingDbt(), warehouse=warehouse))


def test_a_day_that_fails_without_reference_tables_says_what_to_run_first(
    materialize: Run, warehouse: Warehouse
) -> None:
    name, message = why_the_day_failed(materialize, warehouse)
    assert name == "DbtBuildError"
    assert message.strip().endswith(
        "the warehouse has no reference tables yet, from which days are built: run `packaging run warehouse "
        "--partition 2025-01-19` once, which builds this day too"
    )


def test_a_day_that_fails_with_reference_tables_says_what_dbt_says(materialize: Run, warehouse: Warehouse) -> None:
    record_built_group(warehouse, "reference_models", BuiltGroup(rows="", sql="s"))
    _, message = why_the_day_failed(materialize, warehouse)
    assert message.strip().endswith("dbt failed: Table with name stg_products does not exist!")
