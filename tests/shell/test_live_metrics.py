"""Live metrics: they wait for what they need, hold each model against its own validation, and warn of it."""

import datetime as dt
from dataclasses import replace
from typing import Any

import dagster as dg
import pytest
from shell_runs import Run, error_of

from packaging_assets.domain.registry import Registration
from packaging_assets.resources.built_days import record_built_days
from packaging_assets.resources.built_groups import BuiltGroup, record_built_group
from packaging_assets.resources.environment import artifact_store_for, model_registry_for, warehouse_for
from packaging_assets.resources.outcome_rows import OUTCOME_GROUP, outcomes_version
from packaging_assets.settings import Settings

WEEK = "2025-01-20"
LIVE_METRICS = "outcomes/live_metrics"
RULES = {"maturity_days": 14}
OUTCOMES = """
create table marts.prediction_outcomes as
select
    'P' || range as product_id, 'bag' as package_type, 'live' as stage, 'bag' as model,
    cast(1 as bigint) as model_version,
    case when range % 4 = 0 then 0.3 + range / 1000.0 else 0.1 + range / 1000.0 end as score,
    timestamp '2025-01-13' as as_of, cast(1 as bigint) as load_id, cast(range % 4 = 0 as integer) as label,
    true as is_random_test, true as has_room, false as has_earlier_evidence, date '2025-01-20' as outcome_week
from range(400)
"""
BAG = Registration(
    model="bag",
    package_type="bag",
    training_week="2025-01-06",
    fingerprint="f" * 64,
    artifact_uri="bag/model",
    metrics_uri="bag/metrics",
    content_hash="c" * 64,
    code_version="1",
    metrics={"pr_auc": 0.9, "pr_auc_standard_error": 0.01, "minority_label": 1, "minority_rate": 0.25},
    reasons=(),
    verdict="approve",
)


def build_days(settings: Settings, last: str) -> None:
    days = (dt.date.fromisoformat(last) - settings.first_week).days + 1
    built = {settings.first_week + dt.timedelta(days=number): "built" for number in range(days)}
    record_built_days(warehouse_for(settings), built)


def run(materialize: Run, home: Settings) -> dg.ExecuteInProcessResult:
    return materialize(
        LIVE_METRICS,
        partition=WEEK,
        settings=home,
        warehouse=warehouse_for(home),
        artifact_store=artifact_store_for(home),
        model_registry=model_registry_for(home),
    )


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    assert result.success
    (event,) = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()}


@pytest.fixture
def measured(home: Settings) -> Settings:
    """A home with 400 outcomes of one version of `bag` in the week."""
    build_days(home, "2025-01-26")
    warehouse = warehouse_for(home)
    warehouse.load({}, [("create schema marts", {}), (OUTCOMES, {})])
    record_built_group(warehouse, OUTCOME_GROUP, BuiltGroup("rows", "sql"))
    model_registry_for(home).register(BAG)
    return home


def test_a_week_is_not_measured_before_it_is_built(materialize: Run, home: Settings) -> None:
    build_days(home, "2025-01-25")
    name, message = error_of(run(materialize, home))
    assert (name, "1 day(s) before 2025-01-27 are not in the warehouse" in message) == ("MissingDaysError", True)
    build_days(home, "2025-01-26")
    name, message = error_of(run(materialize, home))
    assert (name, "needs prediction_outcomes, which has not been" in message) == ("MissingUpstreamError", True)


def test_a_week_is_not_measured_by_outcomes_whose_build_failed(materialize: Run, measured: Settings) -> None:
    begun = BuiltGroup("rows", "sql").begun_again("sql")
    record_built_group(warehouse_for(measured), OUTCOME_GROUP, begun)
    name, message = error_of(run(materialize, measured))
    assert (name, "which failed or was killed when it was last" in message) == ("MissingUpstreamError", True)


def test_each_model_is_held_against_its_own_validation(materialize: Run, measured: Settings) -> None:
    result = run(materialize, measured)
    shown = metadata_of(result)
    assert (shown["outcomes"], shown["judging_rows"], shown["cache"]) == (400, 400, "miss")
    assert 0 < shown["pr_auc_bag_1"] < 0.8
    assert {"live_pr_auc", "live_calibration"} <= set(shown)
    assert shown["figures_rest_on"].splitlines()[0] == "| model | rows | of the rarer label | PR-AUC | standard error |"
    assert (
        shown["figures_rest_on"].splitlines()[2].startswith(f"| bag_1 | 400 | 100 | {shown['pr_auc_bag_1']:.4f} | 0.0")
    )
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    pr_auc = checks["live_pr_auc_not_below_validation"]
    assert (pr_auc.passed, pr_auc.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert (pr_auc.description or "").startswith("bag version 1: PR-AUC is 0.")
    assert "was 0.9000 in validation" in (pr_auc.description or "")
    assert set(pr_auc.metadata) == {"value", "limit", "standard_error", "rows", "remedy", "fingerprint"}
    assert not checks["live_scores_are_calibrated"].passed


def test_the_same_outcomes_are_not_measured_again(materialize: Run, measured: Settings) -> None:
    run(materialize, measured)
    # What other weeks bring, and versions that gave none of these scores, change nothing.
    other = OUTCOMES.replace("create table marts.prediction_outcomes as", "insert into marts.prediction_outcomes")
    model_registry_for(measured).register(replace(BAG, training_week="2025-01-13"))
    next_week = other.replace("2025-01-20", "2025-01-27").replace("cast(1 as bigint) as model_v", "2 as model_v")
    warehouse_for(measured).load({}, [(next_week, {})])
    assert metadata_of(run(materialize, measured))["cache"] == "hit"
    newer = other.replace("'P' ||", "'Q' ||").replace("2025-01-13", "2025-01-14")
    warehouse_for(measured).load({}, [(newer, {})])
    assert metadata_of(run(materialize, measured))["outcomes"] == 800


@pytest.mark.parametrize(("as_of", "judging"), [("2025-01-12", 0), ("2025-01-13", 400)])
def test_what_was_scored_before_the_weeks_end_that_the_version_learned_from_judges_nothing(
    materialize: Run, measured: Settings, as_of: str, judging: int
) -> None:
    warehouse_for(measured).load(
        {}, [("update marts.prediction_outcomes set as_of = cast($as_of as timestamp)", {"as_of": as_of})]
    )
    shown = metadata_of(run(materialize, measured))
    assert (shown["outcomes"], shown["judging_rows"]) == (400, judging)


def test_a_product_scored_twice_by_a_version_counts_once(materialize: Run, measured: Settings) -> None:
    again = OUTCOMES.replace("create table marts.prediction_outcomes as", "insert into marts.prediction_outcomes")
    warehouse_for(measured).load({}, [(again.replace("2025-01-13", "2025-01-15"), {})])
    assert metadata_of(run(materialize, measured))["outcomes"] == 400


def test_outcomes_are_built_again_only_when_there_can_be_others(home: Settings) -> None:
    warehouse = warehouse_for(home)

    def load(number: int, cadence: str, start: str) -> None:
        row = f"({number}, '{cadence}', '{start}', 'hash', 1, '2025-01-20')"
        warehouse.load({}, [(f"insert into ml.prediction_loads values {row}", {})])

    nothing = outcomes_version(warehouse, RULES)
    build_days(home, "2025-01-19")
    load(1, "daily", "2025-01-19")
    load(2, "monthly", "2025-01-01")
    # As of January 20 and February 1: nothing that is built came after them.
    assert outcomes_version(warehouse, RULES) == nothing
    assert outcomes_version(warehouse, {"maturity_days": 7}) != nothing
    build_days(home, "2025-01-20")
    with_a_day = outcomes_version(warehouse, RULES)
    assert with_a_day != nothing
    assert outcomes_version(warehouse, RULES) == with_a_day
    load(3, "daily", "2025-01-20")
    assert outcomes_version(warehouse, RULES) == with_a_day
    load(4, "daily", "2025-01-18")
    assert outcomes_version(warehouse, RULES) != with_a_day


def test_a_shadow_model_stands_beside_what_served_and_judges_nothing(materialize: Run, measured: Settings) -> None:
    shadow = OUTCOMES.replace("create table marts.prediction_outcomes as", "insert into marts.prediction_outcomes")
    shadow = shadow.replace("'live' as stage, 'bag' as model", "'shadow' as stage, 'bag_text' as model")
    warehouse_for(measured).load({}, [(shadow.replace("0.3 + range", "0.2 + range"), {})])
    model_registry_for(measured).register(replace(BAG, model="bag_text", stage="shadow"))
    alone = run(materialize, measured)
    metadata = metadata_of(alone)
    assert metadata["outcomes"] == 800
    assert metadata["difference_to_live_bag_text_1_shadow"] == pytest.approx(
        metadata["pr_auc_bag_text_1_shadow"] - metadata["pr_auc_bag_1"]
    )
    assert metadata["difference_to_live_bag_text_1_shadow"] < 0
    said = [evaluation.description or "" for evaluation in alone.get_asset_check_evaluations()]
    assert not [sentence for sentence in said if "bag_text" in sentence]


def test_outcomes_are_built_again_after_a_shadow_load(home: Settings) -> None:
    warehouse = warehouse_for(home)
    build_days(home, "2025-01-20")
    nothing = outcomes_version(warehouse, RULES)
    row = "(1, 'daily', '2025-01-18', 'hash', 1, '2025-01-20', 'bag_text')"
    warehouse.load({}, [(f"insert into ml.shadow_prediction_loads values {row}", {})])
    assert outcomes_version(warehouse, RULES) != nothing
