"""The dbt project as a whole: it builds, its tests hold, and what it replaces it replaces whole."""

import json

import pytest
from dbt.cli.main import dbtRunner
from tiny_retailer import PROJECT, Home

WINDOWED = ("--select", "product_features", "package_evidence")
JANUARY_7 = {"window_start": "2025-01-07T00:00:00", "window_end": "2025-01-08T00:00:00+00:00"}
VERSIONS = "select product_id || ' ' || cast(updated_at as date) || ' ' || title as version from {table} order by 1"
EVIDENCE = (
    "select product_id || ' ' || package_type || ' ' || evidence_on || ' ' || tests_passed as row_text "
    "from marts.package_evidence order by 1"
)
MODELS = {
    "stg_products",
    "stg_package_tests",
    "stg_customer_feedback",
    "product_features",
    "package_evidence",
    "latest_predictions",
    "package_recommendations",
    "prediction_outcomes",
}


def texts(home: Home, query: str) -> list[object]:
    return [value for row in home.warehouse.fetch(query, {}) for value in row.values()]


def versions(home: Home) -> list[object]:
    return texts(home, VERSIONS.format(table="marts.product_features"))


def test_everything_builds_in_an_empty_warehouse_and_the_unit_tests_hold(
    empty_build: tuple[Home, dict[str, str]],
) -> None:
    _, statuses = empty_build
    assert set(statuses.values()) == {"success", "pass"}
    unit_tests = {
        "package_recommendations_weighs_cost_against_damage",
        "prediction_outcomes_takes_the_first_week_that_settles_it",
    }
    assert statuses.keys() >= MODELS | {"package_types"} | unit_tests


def test_every_model_builds_and_every_check_holds_on_the_tiny_retailer(
    filled_build: tuple[Home, dict[str, str]],
) -> None:
    _, statuses = filled_build
    assert set(statuses.values()) == {"success", "pass"}


def test_a_build_replaces_its_window_and_nothing_else(home: Home) -> None:
    home.run(
        # January 7 loses all it had; the day before and the day after must not be looked at.
        "delete from \"raw\".package_tests where test_id in ('t1', 't4')",
        "update marts.product_features set title = 'kept'",
        "update marts.package_evidence set tests_passed = 9",
        "update marts.product_features set updated_at = '2025-01-07 00:00:00' where product_id = 'late'",
    )
    assert home.dbt("run", *WINDOWED, variables=JANUARY_7) == {
        "product_features": "success",
        "package_evidence": "success",
    }
    assert versions(home) == ["lamp 2025-01-06 kept", "mug 2025-01-05 kept", "mug 2025-01-08 kept"]
    assert texts(home, EVIDENCE) == [
        "lamp mailer 2025-01-06 9",
        "mug bag 2024-12-30 9",
        "mug bag 2025-01-13 9",
        "mug box 2025-01-12 9",
    ]


def test_an_insert_that_fails_leaves_the_rows_that_were_to_be_replaced(home: Home) -> None:
    # The check is the table's own: dbt deletes the window, and only then fails to insert.
    columns = "product_id varchar check (product_id <> 'bad'), updated_at timestamp, title varchar"
    rest = texts(
        home,
        "select column_name || ' ' || data_type as declared from information_schema.columns "
        "where table_name = 'product_features' and column_name not in ('product_id', 'updated_at', 'title') "
        "order by ordinal_position",
    )
    home.run(
        "create table marts.kept as select * from marts.product_features",
        "drop table marts.product_features",
        f"create table marts.product_features ({columns}, {', '.join(map(str, rest))})",
        "insert into marts.product_features by name select * from marts.kept",
        "insert into \"raw\".products by name select * replace ('bad' as product_id) "
        "from \"raw\".products where product_id = 'lamp'",
    )
    before = versions(home)
    january_6 = {"window_start": "2025-01-06", "window_end": "2025-01-07"}
    assert home.dbt("run", "--select", "product_features", variables=january_6) == {"product_features": "error"}
    assert versions(home) == before == texts(home, VERSIONS.format(table="marts.kept"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("alter table marts.product_features drop column title", "(added: title; gone: none)"),
        ("alter table marts.product_features add column colour varchar", "(added: none; gone: colour)"),
    ],
)
def test_a_window_is_not_replaced_in_a_table_of_other_columns(home: Home, change: str, said: str) -> None:
    ids = "select product_id || ' ' || updated_at as version from marts.product_features order by 1"
    before = texts(home, ids)
    home.run(change)
    assert home.dbt("run", "--select", "product_features", variables=JANUARY_7) == {"product_features": "error"}
    assert texts(home, ids) == before
    (result,) = json.loads((home.folder / "target" / "run_results.json").read_text())["results"]
    assert said in result["message"]
    assert "dbt run --full-refresh --select product_features" in result["message"]
    assert home.dbt("run", "--select", "product_features", "--full-refresh") == {"product_features": "success"}
    assert texts(home, ids) == before


def test_columns_are_filled_by_name_in_whichever_order_they_stand(home: Home) -> None:
    everything = "select * from marts.product_features order by product_id, updated_at"
    before = home.warehouse.fetch(everything, {})
    home.run(
        "create table marts.kept as select title, * exclude (title) from marts.product_features",
        "drop table marts.product_features",
        "alter table marts.kept rename to product_features",
    )
    assert home.dbt("run", "--select", "product_features") == {"product_features": "success"}
    assert home.warehouse.fetch(everything, {}) == before


def test_a_window_of_part_of_a_day_is_refused(home: Home) -> None:
    window = {"window_start": "2025-01-06T01:00:00+00:00", "window_end": "2025-01-07"}
    outcome = home.dbt("compile", "--select", "product_features", variables=window)
    assert "a window begins and ends at midnight UTC; pass a whole day" in outcome["error"]


def test_the_project_parses_for_redshift_without_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("redshift")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PACKAGING_REDSHIFT_HOST", "warehouse.example")
        environment.setenv("PACKAGING_REDSHIFT_CLUSTER", "packaging")
        folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
        paths = ["--target-path", str(target), "--log-level-file", "none"]
        result = dbtRunner().invoke(["parse", "--quiet", "--target", "redshift", *folders, *paths])
    assert result.success, result.exception
    manifest = json.loads((target / "manifest.json").read_text())
    models = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    assert set(models) == MODELS
    assert manifest["metadata"]["adapter_type"] == "redshift"


def test_a_killed_insert_on_redshift_is_rolled_back() -> None:
    assert "redshift_skip_autocommit_transaction_statements: false" in (PROJECT / "dbt_project.yml").read_text()


def test_every_model_says_its_grain_first_and_has_an_owner(filled: Home) -> None:
    manifest = json.loads((filled.folder / "target" / "manifest.json").read_text())
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model":
            assert node["raw_code"].startswith("-- Grain: one row per "), node["name"]
            assert " Grain: one row per " in node["description"], node["name"]
            assert node["config"]["meta"]["owner"] == "packaging-platform", node["name"]
            assert node["config"]["group"] == "packaging", node["name"]
            undescribed = [name for name, column in node["columns"].items() if not column["description"]]
            assert undescribed == [], node["name"]
