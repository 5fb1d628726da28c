"""What the assets are, what each is made from, and what Dagster shows of them."""

from typing import Any

import dagster as dg
import pytest

from packaging_assets.domain.gates import CHECKS
from packaging_assets.domain.package_types import PACKAGE_TYPES

MODEL_EDGES = {
    "{type}/split": {"features", "labels"},
    "{type}/model": {"{type}/split", "features"},
    "{type}/metrics": {"{type}/model", "{type}/split", "features", "labels"},
    "{type}/model_card": {"{type}/metrics", "{type}/model", "{type}/split", "features", "labels"},
    "{type}/registered_model": {"{type}/metrics", "{type}/model"},
    "{type}/champion": {"{type}/registered_model"},
}
CHAMPIONS = {"mailer/champion", "bag/champion", "box/champion", "sioc/champion"}
EDGES = {
    "raw/products": set(),
    "raw/package_tests": set(),
    "raw/customer_feedback": set(),
    "stg_products": {"raw/products"},
    "stg_package_tests": {"raw/package_tests"},
    "stg_customer_feedback": {"raw/customer_feedback"},
    "package_types": set(),
    "product_features": {"stg_products", "package_types"},
    "package_evidence": {"stg_package_tests", "stg_customer_feedback"},
    "labels": {"package_evidence", "product_features"},
    "features": {"package_evidence", "product_features"},
    **{
        asset.format(type=name): {parent.format(type=name) for parent in parents}
        for name in ("mailer", "bag", "box", "sioc")
        for asset, parents in MODEL_EDGES.items()
    },
    "daily/inventory": {"product_features"},
    "daily/predictions": {"daily/inventory", *CHAMPIONS},
    "monthly/inventory": {"product_features"},
    "monthly/predictions": {"monthly/inventory", *CHAMPIONS},
    "latest_predictions": {"daily/predictions", "monthly/predictions"},
    "package_recommendations": {"daily/predictions", "monthly/predictions", "package_types", "product_features"},
    "prediction_outcomes": {"daily/predictions", "monthly/predictions", "package_evidence", "product_features"},
    "outcomes/live_metrics": {"prediction_outcomes"},
}
CHAIN = set(MODEL_EDGES)
TRAINING = {"labels", "features", *(asset.format(type=name) for name in PACKAGE_TYPES for asset in CHAIN)}
OUTCOMES = {"prediction_outcomes", "outcomes/live_metrics"}
DAILY_TABLES = {"product_features", "package_evidence"}
RECOMMENDATIONS = {"latest_predictions", "package_recommendations"}
JOBS = {
    "warehouse": {
        "package_types",
        "stg_products",
        "stg_package_tests",
        "stg_customer_feedback",
        *DAILY_TABLES,
    },
    "weekly_training": TRAINING | OUTCOMES,
    "daily_inference": {"daily/inventory", "daily/predictions", *DAILY_TABLES, *RECOMMENDATIONS},
    "monthly_inference": {"monthly/inventory", "monthly/predictions", *RECOMMENDATIONS},
    "review_model": set(),
    **{f"train_{name}": {asset.format(type=name) for asset in CHAIN} for name in PACKAGE_TYPES},
}
PARTITIONS = {
    "weekly": TRAINING - CHAMPIONS | {"outcomes/live_metrics"},
    "daily": {*DAILY_TABLES, "daily/inventory", "daily/predictions"},
    "monthly": {"monthly/inventory", "monthly/predictions"},
}


def name_of(key: dg.AssetKey) -> str:
    return "/".join(key.path)


def test_the_graph_has_these_edges_and_no_others(graph: Any) -> None:
    found = {
        name_of(key): {name_of(parent) for parent in graph.get(key).parent_keys} for key in graph.get_all_asset_keys()
    }
    assert found == EDGES


def test_every_asset_says_what_it_is_and_who_answers_for_it(graph: Any) -> None:
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        first, _, rest = (node.description or "").partition(".")
        assert len(first) > 20, key
        assert "\n\n" not in first, key
        assert rest.strip(), f"{key}: the grain follows the first sentence"
        assert bool(node.owners) == node.is_executable, key  # late data is `alert_owner`'s
        assert node.group_name not in (None, "default"), key


def test_only_the_raw_tables_come_from_outside(graph: Any) -> None:
    outside = graph.get_all_asset_keys() - graph.executable_asset_keys
    assert {name_of(key) for key in outside} == {"raw/products", "raw/package_tests", "raw/customer_feedback"}


@pytest.mark.parametrize("package_type", PACKAGE_TYPES)
def test_every_gate_is_a_check_on_the_metrics(graph: Any, package_type: str) -> None:
    checks = graph.get_check_keys_for_assets({dg.AssetKey([package_type, "metrics"])})
    assert {check.name for check in checks} == {check.name for check in CHECKS}
    assert not any(graph.get_check_spec(check).blocking for check in checks)
    assert all(graph.get_check_spec(check).description for check in checks)


def test_dbt_tests_are_checks_on_their_models(graph: Any) -> None:
    for table in ("product_features", "package_evidence", "package_recommendations"):
        assert graph.get_check_keys_for_assets({dg.AssetKey(table)}), table


def test_each_job_materializes_exactly_its_assets(definitions: dg.Definitions) -> None:
    jobs = {job.name: job for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")}
    found = {name: {name_of(key) for key in job.asset_layer.executable_asset_keys} for name, job in jobs.items()}
    assert found == JOBS


def test_each_asset_has_the_partitions_of_its_cadence(graph: Any) -> None:
    kinds = {
        dg.WeeklyPartitionsDefinition: "weekly",
        dg.DailyPartitionsDefinition: "daily",
        dg.MonthlyPartitionsDefinition: "monthly",
    }
    found: dict[str, set[str]] = {}
    for key in graph.executable_asset_keys:
        partitions = graph.get(key).partitions_def
        if partitions is not None:
            found.setdefault(kinds[type(partitions)], set()).add(name_of(key))
    assert found == PARTITIONS


def test_whatever_reads_or_writes_the_warehouse_waits_for_its_pool(graph: Any) -> None:
    in_pool = {name_of(key) for key in graph.executable_asset_keys if "warehouse" in graph.get(key).pools}
    outside = {asset.format(type=name) for name in PACKAGE_TYPES for asset in CHAIN}
    assert in_pool == {name_of(key) for key in graph.executable_asset_keys} - outside
