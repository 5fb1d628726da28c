"""Shadow models predict beside the live ones: by themselves, into a table of their own, and in nobody's way."""

import datetime as dt
from collections.abc import Generator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from shell_runs import Run, error_of
from shop import DAY, FEATURES, Shop, products

from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.defs.inference.shadow import shadow_definitions, shadow_sensor, unscored
from packaging_assets.defs.warehouse.dbt_models import loaded_by
from packaging_assets.jobs import JOBS, SHADOW_JOBS
from packaging_assets.resources.clock import SystemClock
from packaging_assets.resources.compute import InProcessCompute
from packaging_assets.runner import PARTITION_KEYS
from packaging_assets.settings import Settings

NAMES = ("box_first", "box_second")
MODELS = ModelSet.of(
    [
        ModelSpec(package_type="box", features=FEATURES),
        *(ModelSpec(package_type="box", name=name, stage="shadow", features=FEATURES) for name in NAMES),
    ]
)
KEY = dg.AssetKey(["daily", "shadow_predictions"])


@pytest.fixture
def shop(tmp_path: Path, home: Settings) -> Shop:
    shop = Shop(tmp_path, home)
    shop.register(shop.scores)
    shop.receive(products(1000, 5))
    return shop


@pytest.fixture
def shadows(settings: Settings) -> dg.Definitions:
    return shadow_definitions(MODELS, settings)


def asset_of(shadows: dg.Definitions, cadence: str) -> dg.AssetsDefinition:
    key = dg.AssetKey([cadence, "shadow_predictions"])
    (asset,) = [asset for asset in shadows.assets or [] if key in getattr(asset, "keys", ())]
    assert isinstance(asset, dg.AssetsDefinition)
    return asset


def score(
    shop: Shop, shadows: dg.Definitions, instance: dg.DagsterInstance, cadence: str = "daily", partition: str = DAY
) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [asset_of(shadows, cadence)],
        instance=instance,
        partition_key=partition,
        resources={**shop.resources, "compute": InProcessCompute(), "clock": SystemClock()},
        raise_on_error=False,
    )


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    assert result.success
    (event,) = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()}


def shadow_rows(shop: Shop) -> list[tuple[Any, ...]]:
    query = (
        "select model, model_version, count(*) as n, max(abs(1 - score - damage_probability)) as gap, min(load_id) "
        "as load_id from ml.shadow_predictions group by model, model_version order by model"
    )
    return [tuple(row.values()) for row in shop.warehouse.fetch(query, {})]


def test_each_shadow_is_loaded_beside_and_the_live_predictions_stay_as_they_are(
    shop: Shop, shadows: dg.Definitions, materialize: Run, instance: dg.DagsterInstance
) -> None:
    assert shop.predict(materialize).success
    live = shop.warehouse.fetch("select * from ml.predictions order by product_id", {})
    for name in NAMES:
        shop.register(shop.scores, model=name, stage="shadow")

    metadata = metadata_of(score(shop, shadows, instance))

    assert metadata["models"] == {"box_first": 1, "box_second": 1}
    assert (metadata["dagster/row_count"], metadata["cache"]) == (2000, "miss")
    assert shadow_rows(shop) == [("box_first", 1, 1000, 0.0, 1), ("box_second", 1, 1000, 0.0, 2)]
    assert shop.warehouse.fetch("select * from ml.predictions order by product_id", {}) == live
    assert [row["model"] for row in live] == ["box"] * 1000
    loads = shop.warehouse.fetch("select count(*) as n, max(load_id) as last from ml.prediction_loads", {})
    assert loads == [{"n": 1, "last": 1}]
    assert metadata_of(score(shop, shadows, instance))["cache"] == "hit"
    assert shadow_rows(shop)[1][4] == 2


@pytest.mark.parametrize(
    ("cadence", "partition", "as_of"), [("daily", DAY, "2025-02-17"), ("monthly", "2025-01-01", "2025-02-01")]
)
def test_what_a_shadow_said_is_filed_under_its_day_or_month(
    shop: Shop, shadows: dg.Definitions, instance: dg.DagsterInstance, cadence: str, partition: str, as_of: str
) -> None:
    shop.receive(products(100, 5), cadence, partition)
    shop.register(shop.scores, model="box_first", stage="shadow")
    assert metadata_of(score(shop, shadows, instance, cadence, partition))["dagster/row_count"] == 100
    filed = shop.warehouse.fetch("select distinct cadence, partition_start, as_of from ml.shadow_predictions", {})
    assert filed == [
        {
            "cadence": cadence,
            "partition_start": dt.date.fromisoformat(partition),
            "as_of": dt.datetime.fromisoformat(as_of),
        }
    ]


def test_a_shadow_that_joins_is_scored_beside_what_the_cache_has_and_makes_it_another_result(
    shop: Shop, shadows: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    found: list[tuple[dict[str, int], str]] = []
    versions: set[str] = set()
    for name in NAMES:
        shop.register(shop.scores, model=name, stage="shadow")
        result = score(shop, shadows, instance)
        metadata = metadata_of(result)
        found.append((metadata["models"], metadata["cache"]))
        (event,) = result.get_asset_materialization_events()
        versions.add((event.step_materialization_data.materialization.tags or {})["dagster/data_version"])
    assert found == [({"box_first": 1}, "miss"), ({"box_first": 1, "box_second": 1}, "miss")]
    assert len(versions) == 2


def test_a_shadow_that_cannot_score_stops_neither_the_others_nor_the_live_predictions(
    shop: Shop, shadows: dg.Definitions, materialize: Run, instance: dg.DagsterInstance
) -> None:
    empty = shop.put("box_first/model", "2025-02-10", {"model.json": "{}"})
    shop.register(shop.scores, model="box_first", stage="shadow", artifact_uri=empty.uri)
    shop.register(shop.scores, model="box_second", stage="shadow")

    result = score(shop, shadows, instance)

    name, message = error_of(result)
    assert (result.success, name) == (False, "ShadowPredictionsError")
    assert f"1 of 2 shadow models could not score daily {DAY}; what the others said is loaded" in message
    assert "box_first version 1: " in message
    assert [row[0] for row in shadow_rows(shop)] == ["box_second"]
    assert not instance.get_materialized_partitions(KEY)
    assert shop.predict(materialize).success
    assert shop.loaded()[0]["n"] == 1000


def test_the_first_weeks_run_before_any_shadow_is_registered_says_so(
    shop: Shop, shadows: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    shop.register(shop.scores, model="box_first", stage="shadow", verdict="reject")
    metadata = metadata_of(score(shop, shadows, instance))
    assert metadata["models_without_version"] == ["box_first", "box_second"]
    assert (metadata["dagster/row_count"], shadow_rows(shop)) == (0, [])


def test_a_shadow_needs_the_days_inventory(
    tmp_path: Path, home: Settings, shadows: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    shop = Shop(tmp_path, home)
    shop.register(shop.scores, model="box_first", stage="shadow")
    assert (
        f"needs daily/inventory for {DAY}, which has not been materialized"
        in error_of(score(shop, shadows, instance))[1]
    )


def test_the_jobs_are_the_shadows_own_and_only_where_there_are_shadows(
    shadows: dg.Definitions, definitions: dg.Definitions
) -> None:
    own = {job.name for job in SHADOW_JOBS.values()}
    assert own == {"daily_shadow", "monthly_shadow"}
    assert {job.name for job in shadows.jobs or []} == own
    assert not own & {job.name for job in definitions.resolve_all_job_defs()}
    assert set(PARTITION_KEYS) == set(JOBS)


def test_a_shadows_edges_lead_to_its_versions_and_the_inventory(shadows: dg.Definitions) -> None:
    asset = asset_of(shadows, "daily")
    (spec,) = asset.specs
    assert {dep.asset_key.to_user_string(): type(dep.partition_mapping) for dep in spec.deps} == {
        "daily/inventory": type(None),
        "box_first/registered_model": dg.AllPartitionMapping,
        "box_second/registered_model": dg.AllPartitionMapping,
    }
    assert {asset_of(shadows, cadence).op.pool for cadence in ("daily", "monthly")} == {"warehouse"}


@pytest.mark.parametrize("loaders", [("predictions",), ("predictions", "shadow_predictions")])
def test_outcomes_are_made_of_shadow_predictions_where_there_are_some(loaders: tuple[str, ...]) -> None:
    tables = [dg.AssetDep(["ml", "predictions"]), dg.AssetDep(["ml", "shadow_predictions"]), dg.AssetDep("labels")]
    found = loaded_by(tables, has_shadows="shadow_predictions" in loaders)
    assert [dep.asset_key.to_user_string() for dep in found] == [
        "labels",
        *(f"{cadence}/{loader}" for loader in loaders for cadence in ("daily", "monthly")),
    ]


@pytest.fixture
def stored() -> Generator[dg.DagsterInstance]:
    """A sensor's context takes none that lives in memory."""
    with dg.instance_for_test() as instance:
        yield instance


def test_the_sensor_asks_once_for_what_the_live_models_have_scored(
    home: Settings, definitions: dg.Definitions, shadows: dg.Definitions, stored: dg.DagsterInstance
) -> None:
    repository = dg.Definitions.merge(definitions, shadows).get_repository_def()
    settings = home.model_copy(update={"catch_up_days": 2})

    def tick() -> tuple[list[tuple[str | None, str | None, str | None]], str]:
        with dg.build_sensor_context(instance=stored, repository_def=repository) as context:
            data = shadow_sensor(settings).evaluate_tick(context)
        asked = [(request.job_name, request.partition_key, request.run_key) for request in data.run_requests or []]
        return asked, data.skip_message or ""

    assert tick() == ([], "The shadow models have scored what the live models have.")
    for cadence, key in (
        ("daily", "2025-01-10"),
        ("daily", "2025-01-11"),
        ("daily", "2025-01-12"),
        ("monthly", "2025-01-01"),
    ):
        stored.report_runless_asset_event(dg.AssetMaterialization(dg.AssetKey([cadence, "predictions"]), partition=key))
    assert tick()[0] == [
        ("daily_shadow", "2025-01-11", "daily 2025-01-11"),
        ("daily_shadow", "2025-01-12", "daily 2025-01-12"),
        ("monthly_shadow", "2025-01-01", "monthly 2025-01-01"),
    ]
    stored.report_runless_asset_event(dg.AssetMaterialization(KEY, partition="2025-01-12"))
    assert unscored(stored, settings) == {"daily": ["2025-01-11"], "monthly": ["2025-01-01"]}


def test_of_months_the_last_one_is_asked_for_until_its_shadow_predictions_are_there(
    home: Settings, stored: dg.DagsterInstance
) -> None:
    for month in ("2025-01-01", "2025-02-01"):
        stored.report_runless_asset_event(dg.AssetMaterialization(["monthly", "predictions"], partition=month))
    assert unscored(stored, home) == {"daily": [], "monthly": ["2025-02-01"]}
    done = dg.AssetMaterialization(["monthly", "shadow_predictions"], partition="2025-02-01")
    stored.report_runless_asset_event(done)
    assert unscored(stored, home) == {"daily": [], "monthly": []}


def test_the_sensor_runs_without_anybody_starting_it(home: Settings) -> None:
    assert shadow_sensor(home).default_status is dg.DefaultSensorStatus.RUNNING
