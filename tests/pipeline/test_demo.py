"""From raw tables to recommendations: what is there at the end, and that a second run finds it all done."""

from collections.abc import Mapping
from typing import Any

from small_retailer import LAST_DAY, MONTH, PRODUCTS, WEEKS, Home

from packaging_assets.domain.gates import CHECKS
from packaging_assets.domain.json_files import read_json
from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.domain.registry import Status

MODEL_KEYS = {
    "week",
    "package_type",
    "validation_rows",
    "minority_rate",
    "pr_auc",
    "bayes_share",
    "verdict",
    "version",
    "status",
    "is_champion",
    "cache",
    "reasons",
}


def test_the_report_has_the_documented_keys(report: dict[str, Any]) -> None:
    assert set(report) >= {"models", "inference", "recommendations", "incidents", "seconds"}
    assert set(report["inference"]) >= {"daily_rows", "monthly_rows", "inventory_rows", "models_used"}
    assert all(set(model) >= MODEL_KEYS for model in report["models"])
    assert report["incidents"] == [{"kind": "label_rate_shift", "week": 3, "share": 0.3}]
    assert report["refused_deliveries"] == []
    assert {"total", "training", "ingest"} <= set(report["seconds"])


def test_every_week_has_a_version_of_every_model(report: dict[str, Any], retailer: Home) -> None:
    found = [(model["week"], model["package_type"], model["version"]) for model in report["models"]]
    assert found == [(week, name, number) for number, week in enumerate(WEEKS, 1) for name in PACKAGE_TYPES]
    assert all(model["cache"] == "miss" for model in report["models"])
    assert len(retailer.registry.versions()) == len(WEEKS) * len(PACKAGE_TYPES)


def test_the_first_week_is_approved(report: dict[str, Any]) -> None:
    first = [model for model in report["models"] if model["week"] == WEEKS[0]]
    assert {(model["verdict"], model["status"]) for model in first} == {("approve", "Approved")}
    assert all(model["bayes_share"] > 0.6 for model in first)


def test_too_few_rows_to_decide_are_left_to_a_person(report: dict[str, Any]) -> None:
    second = [model for model in report["models"] if model["week"] == WEEKS[1]]
    assert {(model["verdict"], model["status"]) for model in second} == {("pending", "PendingManualApproval")}
    assert all(any(reason.startswith("enough_minority_rows") for reason in model["reasons"]) for model in second)


def test_the_incidents_week_is_rejected_and_the_earlier_champion_serves(report: dict[str, Any]) -> None:
    third = [model for model in report["models"] if model["week"] == WEEKS[2]]
    assert {(model["verdict"], model["status"]) for model in third} == {("reject", "Rejected")}
    assert all(any(reason.startswith("label_volume_is_usual") for reason in model["reasons"]) for model in third)
    champions = {model["package_type"]: model["week"] for model in report["models"] if model["is_champion"]}
    assert champions == dict.fromkeys(PACKAGE_TYPES, WEEKS[0])
    assert report["inference"]["models_used"] == dict.fromkeys(PACKAGE_TYPES, 1)


def test_every_status_is_that_of_its_stored_verdict(retailer: Home) -> None:
    statuses = {"approve": Status.APPROVED, "reject": Status.REJECTED, "pending": Status.PENDING}
    for version in retailer.registry.versions():
        folder = retailer.folder / "artifacts" / version.metrics_uri
        verdict = read_json(folder / "verdict.json")
        assert version.status == statuses[verdict["outcome"]]
        assert [check["name"] for check in verdict["checks"]] == [check.name for check in CHECKS]
        assert list(version.reasons) == [*verdict["failures"], *verdict["warnings"]]
        assert retailer.registry.history(version.model)[version.version - 1].actor == "gates"


def test_each_product_is_scored_once_by_each_champion(report: dict[str, Any], retailer: Home) -> None:
    assert report["inference"]["inventory_rows"] == PRODUCTS
    assert report["inference"]["monthly_rows"] == PRODUCTS * len(PACKAGE_TYPES)
    counted = retailer.rows(
        "select package_type, count(*), count(distinct product_id), min(model_version), max(model_version) "
        "from ml.predictions where cadence = 'monthly' group by package_type order by package_type"
    )
    assert counted == [(name, PRODUCTS, PRODUCTS, 1, 1) for name in sorted(PACKAGE_TYPES)]


def test_the_monthly_inventory_is_the_whole_catalogue(retailer: Home) -> None:
    inventory = sorted(retailer.table("monthly/inventory", MONTH)["product_id"].to_pylist())
    assert inventory == [row[0] for row in retailer.rows("select distinct product_id from raw.products order by 1")]
    assert len(inventory) == PRODUCTS


def test_the_daily_inventory_is_what_changed_on_the_day(report: dict[str, Any], retailer: Home) -> None:
    inventory = sorted(retailer.table("daily/inventory", LAST_DAY)["product_id"].to_pylist())
    changed = "select distinct product_id from raw.products where cast(updated_at as date) = $day order by 1"
    assert inventory == [row[0] for row in retailer.rows(changed, day=LAST_DAY)]
    assert report["inference"]["daily_rows"] == len(inventory) * len(PACKAGE_TYPES) > 0


def test_each_product_has_one_recommendation_among_what_suits_it(report: dict[str, Any], retailer: Home) -> None:
    counted = retailer.rows("select count(*), count(distinct product_id) from marts.package_recommendations")
    assert counted == [(PRODUCTS, PRODUCTS)]
    assert sum(report["recommendations"].values()) == PRODUCTS
    assert set(report["recommendations"]) == {*PACKAGE_TYPES, "none"}


def test_nothing_is_left_of_work_in_progress(retailer: Home) -> None:
    assert list((retailer.folder / "artifacts" / ".staging").iterdir()) == []
    assert list((retailer.folder / "dagster" / "locks").iterdir()) == []


def test_the_same_seed_gives_the_same_bytes(demos: Mapping[str, tuple[Home, dict[str, Any]]]) -> None:
    (first, one), (second, other) = demos["first"], demos["second"]
    assert first.artifacts() == second.artifacts()
    assert {**one, "seconds": None} == {**other, "seconds": None}
    files = [path.relative_to(first.folder) for path in (first.folder / "artifacts").rglob("model.cbm")]
    assert len(files) == len(WEEKS) * len(PACKAGE_TYPES)
    assert all((first.folder / file).read_bytes() == (second.folder / file).read_bytes() for file in files)
    query = "select * exclude (loaded_at) from ml.prediction_loads order by all"
    assert first.rows(query) == second.rows(query)


def test_a_second_run_finds_everything_done(home: Home, report: dict[str, Any]) -> None:
    artifacts, versions = home.artifacts(), home.registry.versions()
    history = [home.registry.history(name) for name in PACKAGE_TYPES]
    loads = home.rows("select * from ml.prediction_loads order by all")
    deliveries = home.rows("select * from raw.deliveries order by all")
    again = home.demo()
    assert {model["cache"] for model in again["models"]} == {"hit"}
    assert home.artifacts() == artifacts
    assert home.registry.versions() == versions
    assert [home.registry.history(name) for name in PACKAGE_TYPES] == history
    assert home.rows("select * from ml.prediction_loads order by all") == loads
    assert home.rows("select * from raw.deliveries order by all") == deliveries
    for key in ("inference", "recommendations", "incidents"):
        assert again[key] == report[key]
