"""What counts as built when a build of dbt's models fails, or covers a part of them only."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import pytest
from shell_runs import Run

from packaging_assets.home import prepare_home
from packaging_assets.resources.built_days import MissingDaysError, built_fingerprints, version_before
from packaging_assets.resources.built_groups import built_group
from packaging_assets.resources.environment import warehouse_for
from packaging_assets.settings import Settings

DAYS = [dt.date(2025, 1, 6), dt.date(2025, 1, 7), dt.date(2025, 1, 8)]
END = dt.datetime(2025, 1, 9)  # noqa: DTZ001 - naive UTC
BOTH = ("product_features", "package_evidence")
RECOMMENDATIONS = ("latest_predictions", "package_recommendations")
REFERENCE = ("package_types", "stg_products", "stg_package_tests", "stg_customer_feedback")


class Dbt:
    """Builds nothing, says what it was asked for, and fails when told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[set[str], dict[str, object], bool]] = []
        self.fails = False

    def build(
        self, context: dg.AssetExecutionContext, variables: Mapping[str, object], *, is_full_refresh: bool = False
    ) -> Iterator[Any]:
        chosen = {key.path[-1] for key in context.selected_asset_keys}
        self.asked.append((chosen, dict(variables), is_full_refresh))
        if self.fails:
            raise RuntimeError("a test of severity error failed")
        for key in sorted(context.selected_asset_keys):
            yield dg.MaterializeResult(asset_key=key)


@pytest.fixture
def dbt() -> Dbt:
    return Dbt()


@pytest.fixture
def build(materialize: Run, home: Settings, dbt: Dbt) -> Any:
    """Materialize some of dbt's models, of a day or of no day, and say whether that went well."""
    prepare_home(home)

    def run(*models: str, day: dt.date | None = None) -> bool:
        given = {"dbt": dbt, "warehouse": warehouse_for(home), "settings": home}
        return materialize(*models, partition=day.isoformat() if day else None, **given).success

    return run


def deliver(home: Settings, delivery: str, day: dt.date) -> None:
    insert = "insert into \"raw\".delivery_days values ($delivery, 'products', $day, 1)"
    warehouse_for(home).load({}, [(insert, {"delivery": delivery, "day": day})])


def built(home: Settings) -> set[dt.date]:
    return set(built_fingerprints(warehouse_for(home), before=END))


def test_a_day_is_built_once_both_of_its_tables_are(build: Any, home: Settings, dbt: Dbt) -> None:
    assert build("product_features", day=DAYS[0])
    assert built(home) == set()
    assert build(*BOTH, day=DAYS[0])
    assert built(home) == {DAYS[0]}
    assert build(*BOTH, day=DAYS[0])
    assert [chosen for chosen, _, _ in dbt.asked] == [{"product_features"}, set(BOTH)]


def test_one_table_of_a_built_day_is_built_when_asked_for_and_leaves_the_day_built(
    build: Any, home: Settings, dbt: Dbt
) -> None:
    build(*BOTH, day=DAYS[0])
    before = built_fingerprints(warehouse_for(home), before=END)
    assert build("package_evidence", day=DAYS[0])
    assert built_fingerprints(warehouse_for(home), before=END) == before
    assert [chosen for chosen, _, _ in dbt.asked] == [set(BOTH), {"package_evidence"}]
    deliver(home, "late", DAYS[0])
    assert build("package_evidence", day=DAYS[0])
    assert built(home) == set()  # the other table is without the late delivery
    assert build(*BOTH, day=DAYS[0])
    assert built(home) == {DAYS[0]}


def test_a_day_whose_build_fails_does_not_count_as_built_from_what_it_was(build: Any, home: Settings, dbt: Dbt) -> None:
    for day in DAYS:
        build(*BOTH, day=day)
    deliver(home, "late", DAYS[1])
    dbt.fails = True
    assert not build(*BOTH, day=DAYS[1])
    assert built(home) == {DAYS[0], DAYS[2]}
    with pytest.raises(MissingDaysError, match=r"^1 day\(s\) before 2025-01-09 .* from 2025-01-07 to 2025-01-07"):
        version_before(warehouse_for(home), END, needed=DAYS)
    dbt.fails = False
    assert build(*BOTH, day=DAYS[1])
    assert built(home) == set(DAYS)


def test_a_group_whose_build_failed_is_built_again_though_it_is_asked_for_what_it_was_before(
    build: Any, home: Settings, dbt: Dbt
) -> None:
    assert build(*RECOMMENDATIONS)
    before = built_group(warehouse_for(home), "recommendation_models")
    load = "insert into ml.prediction_loads values (1, 'daily', date '2025-01-07', 'hash', 5, timestamp '2025-01-08')"
    warehouse_for(home).load({}, [(load, {})])
    dbt.fails = True
    assert not build(*RECOMMENDATIONS)
    dbt.fails = False
    warehouse_for(home).load({}, [("delete from ml.prediction_loads", {})])
    assert build(*RECOMMENDATIONS)
    assert built_group(warehouse_for(home), "recommendation_models") == before
    assert build(*RECOMMENDATIONS)
    # The first one whole; rows that were added by the same SQL need not be made anew.
    assert [whole for _, _, whole in dbt.asked] == [True, False, False]


def test_a_group_that_other_sql_has_begun_to_build_is_built_whole_by_the_sql_before(
    build: Any, home: Settings, dbt: Dbt, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build(*RECOMMENDATIONS)
    with monkeypatch.context() as changed:
        changed.setattr("packaging_assets.defs.warehouse.dbt_models.dbt_project_hash", lambda _: "other SQL")
        dbt.fails = True
        assert not build(*RECOMMENDATIONS)
        dbt.fails = False
    assert build(*RECOMMENDATIONS)
    assert [whole for _, _, whole in dbt.asked] == [True, True, True]


def test_a_part_of_a_group_leaves_the_group_as_built_as_it_was(build: Any, home: Settings, dbt: Dbt) -> None:
    assert build(*RECOMMENDATIONS)
    before = built_group(warehouse_for(home), "recommendation_models")
    assert build(RECOMMENDATIONS[0])
    assert built_group(warehouse_for(home), "recommendation_models") == before
    dbt.fails = True
    assert not build(RECOMMENDATIONS[0])
    dbt.fails = False
    assert build(*RECOMMENDATIONS)
    assert [chosen for chosen, _, _ in dbt.asked][-1] == set(RECOMMENDATIONS)


def test_what_is_built_from_reference_tables_of_an_earlier_project_is_built_again_once_they_are_new(
    build: Any, home: Settings, dbt: Dbt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daily job builds a day and recommendations, but no reference tables: those are still the old ones."""
    assert build(*REFERENCE)
    assert build(*BOTH, day=DAYS[0])
    monkeypatch.setattr("packaging_assets.defs.warehouse.dbt_models.dbt_project_hash", lambda _: "other limits, costs")
    for _ in range(2):
        assert build(*BOTH, day=DAYS[1])
        assert build(*RECOMMENDATIONS)
    assert build(*REFERENCE)
    for _ in range(2):
        assert build(*BOTH, day=DAYS[1])
        assert build(*RECOMMENDATIONS)
    asked = [(chosen, is_full_refresh) for chosen, _, is_full_refresh in dbt.asked]
    assert asked == [
        (set(REFERENCE), True),
        (set(BOTH), False),  # the day before the change
        (set(BOTH), False),
        (set(RECOMMENDATIONS), True),
        (set(REFERENCE), True),
        (set(BOTH), False),
        (set(RECOMMENDATIONS), True),
    ]


def test_a_day_is_the_same_whichever_job_builds_it_from_the_reference_tables_of_its_project(
    build: Any, home: Settings, dbt: Dbt
) -> None:
    assert build(*BOTH, day=DAYS[0])
    before = built_fingerprints(warehouse_for(home), before=END)
    assert build(*REFERENCE)
    assert build(*BOTH, day=DAYS[0])
    assert built_fingerprints(warehouse_for(home), before=END) == before
