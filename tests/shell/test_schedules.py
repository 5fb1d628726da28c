"""When the jobs are asked for, and that the daily one waits for its data."""

import datetime as dt
from collections.abc import Callable, Generator
from typing import Any

import dagster as dg
import pytest

from packaging_assets.definitions import build_definitions
from packaging_assets.defs.automation.schedules import (
    PREDICTIONS,
    daily_schedule,
    due_days,
    unpredicted_days,
)
from packaging_assets.jobs import DAILY_JOB
from packaging_assets.resources.built_days import (
    built_fingerprints,
    day_fingerprints,
    dbt_project_hash,
    record_built_days,
)
from packaging_assets.resources.environment import warehouse_for
from packaging_assets.resources.warehouse import WarehouseError
from packaging_assets.run_records import RANGE_TAGS
from packaging_assets.settings import Settings

MORNING = dt.datetime(2025, 1, 10, 3, 0, tzinfo=dt.UTC)
DELIVERED = "insert into raw.delivery_days values ($delivery, $table, $day, 1)"


def arrive(settings: Settings, day: str, table: str = "products", delivery: str = "d") -> None:
    row = {"delivery": delivery, "table": table, "day": dt.date.fromisoformat(day)}
    warehouse_for(settings).load({}, [(DELIVERED, row)])


def build(settings: Settings, day: str) -> None:
    """Record a day as built from what has arrived."""
    warehouse, days = warehouse_for(settings), [dt.date.fromisoformat(day)]
    project = dbt_project_hash(settings.dbt_project_path)
    record_built_days(warehouse, day_fingerprints(warehouse, days, first_day=settings.first_week, project_hash=project))


def predicted(instance: dg.DagsterInstance, day: str) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(PREDICTIONS, partition=day))


def bring_through(settings: Settings, instance: dg.DagsterInstance, *, is_built: bool = True) -> None:
    """All days that are due have arrived and been predicted, and are in the ledger of built days if they are to be."""
    for day in ("2025-01-06", "2025-01-07", "2025-01-08", "2025-01-09"):
        arrive(settings, day)
        if is_built:
            build(settings, day)
        predicted(instance, day)


Tick = Callable[[], tuple[list[str | None], str]]


@pytest.fixture
def instance() -> Generator[dg.DagsterInstance]:
    """A schedule's context takes none that lives in memory."""
    with dg.instance_for_test() as stored:
        yield stored


def daily_tick(home: Settings, definitions: dg.Definitions, instance: dg.DagsterInstance, moment: dt.datetime) -> Any:
    """What Dagster makes of one look of the daily schedule."""
    context = dg.build_schedule_context(
        instance,
        scheduled_execution_time=moment,
        resources={"warehouse": warehouse_for(home)},
        repository_def=definitions.get_repository_def(),
    )
    return daily_schedule(home).evaluate_tick(context)


@pytest.fixture
def tick(home: Settings, definitions: dg.Definitions, instance: dg.DagsterInstance) -> Tick:
    """One look of the daily schedule: the partitions asked for, and the reason for asking for none."""

    def look() -> tuple[list[str | None], str]:
        data = daily_tick(home, definitions, instance, MORNING)
        return [request.partition_key for request in data.run_requests or []], data.skip_message or ""

    return look


def test_waits_for_the_products_and_says_of_which_days(
    home: Settings, instance: dg.DagsterInstance, tick: Tick
) -> None:
    arrive(home, "2025-01-09", table="package_tests")
    assert tick() == (
        [],
        "Waiting for the products of 2025-01-06, 2025-01-07, 2025-01-08, 2025-01-09.",
    )


def test_asks_for_the_days_that_have_arrived_and_were_missed(
    home: Settings, instance: dg.DagsterInstance, tick: Tick
) -> None:
    arrive(home, "2025-01-06")
    arrive(home, "2025-01-09")
    assert tick() == (["2025-01-06", "2025-01-09"], "")


def test_does_not_ask_again_for_what_is_done(home: Settings, instance: dg.DagsterInstance, tick: Tick) -> None:
    bring_through(home, instance, is_built=False)
    assert tick() == ([], "Every day that is due has been predicted.")


@pytest.mark.parametrize("table", ["products", "customer_feedback"])
def test_asks_again_for_a_day_of_which_rows_came_after_it_had_been_built(
    home: Settings, instance: dg.DagsterInstance, tick: Tick, table: str
) -> None:
    bring_through(home, instance)
    assert tick()[0] == []
    arrive(home, "2025-01-07", table=table, delivery="late")
    assert tick()[0] == ["2025-01-07"]
    build(home, "2025-01-07")
    assert tick() == ([], "Every day that is due has been predicted.")


def test_asks_again_while_late_rows_could_not_be_built(
    home: Settings, instance: dg.DagsterInstance, tick: Tick
) -> None:
    """A build that fails has taken its day out of the ledger of built days first."""
    bring_through(home, instance, is_built=False)
    failed = {"status": dg.DagsterRunStatus.FAILURE, "tags": {"dagster/partition": "2025-01-07"}}
    instance.create_run_for_job(_daily_job(), **failed)
    assert tick()[0] == ["2025-01-07"]
    for _ in range(2):
        instance.create_run_for_job(_daily_job(), **failed)
    assert tick() == ([], "Tried too often, and left to a person: 2025-01-07.")


def test_a_ledger_that_is_out_of_reach_keeps_no_day_waiting_and_is_told(
    home: Settings, instance: dg.DagsterInstance, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise WarehouseError("permission denied for schema ops")

    monkeypatch.setattr("packaging_assets.defs.automation.schedules.built_fingerprints", refuse)
    arrive(home, "2025-01-09")
    assert tick() == (["2025-01-09"], "")
    predicted(instance, "2025-01-09")
    assert tick()[1].endswith(
        " 2025-01-08. Whether rows came after their day was built cannot be seen: permission denied for schema ops"
    )


def test_says_which_days_a_run_is_at_and_which_are_left_to_people(
    home: Settings, instance: dg.DagsterInstance, tick: Tick
) -> None:
    for day in ("2025-01-06", "2025-01-07", "2025-01-08"):
        arrive(home, day)
    predicted(instance, "2025-01-06")
    tags = {"dagster/partition": "2025-01-07"}
    instance.create_run_for_job(_daily_job(), status=dg.DagsterRunStatus.STARTED, tags=tags)
    for _ in range(3):
        for day in ("2025-01-07", "2025-01-08"):
            tags = {"dagster/partition": day}
            instance.create_run_for_job(_daily_job(), status=dg.DagsterRunStatus.FAILURE, tags=tags)
    assert tick() == (
        [],
        (
            "Waiting for the products of 2025-01-09. A run is queued or under way for 2025-01-07. "
            "Tried too often, and left to a person: 2025-01-08."
        ),
    )


def test_runs_of_other_jobs_for_the_day_are_no_attempts_and_hold_nothing_up(
    home: Settings, instance: dg.DagsterInstance, tick: Tick
) -> None:
    arrive(home, "2025-01-09")
    for status in (dg.DagsterRunStatus.STARTED, *[dg.DagsterRunStatus.FAILURE] * 3):
        instance.create_run_for_job(_daily_job("warehouse"), status=status, tags={"dagster/partition": "2025-01-09"})
    assert tick()[0] == ["2025-01-09"]


@pytest.mark.parametrize(
    ("status", "asked"),
    [
        (dg.DagsterRunStatus.NOT_STARTED, []),
        (dg.DagsterRunStatus.STARTED, []),
        (dg.DagsterRunStatus.CANCELING, []),
        (dg.DagsterRunStatus.FAILURE, ["2025-01-09"]),
        (dg.DagsterRunStatus.CANCELED, ["2025-01-09"]),
    ],
)
def test_does_not_ask_again_while_a_run_is_under_way(
    home: Settings, instance: dg.DagsterInstance, tick: Tick, status: dg.DagsterRunStatus, asked: list[str]
) -> None:
    arrive(home, "2025-01-09")
    instance.create_run_for_job(_daily_job(), status=status, tags={"dagster/partition": "2025-01-09"})
    assert tick()[0] == asked


def test_leaves_a_day_to_people_after_three_attempts(home: Settings, instance: dg.DagsterInstance, tick: Tick) -> None:
    arrive(home, "2025-01-09")
    for ended in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.FAILURE):
        assert tick()[0] == ["2025-01-09"]
        instance.create_run_for_job(_daily_job(), status=ended, tags={"dagster/partition": "2025-01-09"})
    assert tick()[0] == []


def test_attempts_before_a_success_leave_no_later_rows_to_people(
    home: Settings, instance: dg.DagsterInstance, tick: Tick
) -> None:
    bring_through(home, instance)
    tags = {"dagster/partition": "2025-01-07"}
    for status in [*[dg.DagsterRunStatus.FAILURE] * 3, dg.DagsterRunStatus.SUCCESS]:
        instance.create_run_for_job(_daily_job(), status=status, tags=tags)
    arrive(home, "2025-01-07", table="customer_feedback", delivery="late")
    for _ in range(3):
        assert tick()[0] == ["2025-01-07"]
        instance.create_run_for_job(_daily_job(), status=dg.DagsterRunStatus.FAILURE, tags=tags)
    assert tick() == ([], "Tried too often, and left to a person: 2025-01-07.")


LONG_DOWN = dt.datetime(2025, 1, 24, 3, 0, tzinfo=dt.UTC)
"""With seven days to catch up, those from the 17th on are scored."""


@pytest.fixture
def tick_after_long(home: Settings, definitions: dg.Definitions, instance: dg.DagsterInstance) -> Any:
    """One look of the daily schedule after two weeks without any."""

    return lambda: daily_tick(home, definitions, instance, LONG_DOWN)


def test_days_that_are_too_old_to_be_scored_are_built_in_one_run(home: Settings, tick_after_long: Any) -> None:
    for day in ("2025-01-06", "2025-01-07", "2025-01-09"):
        build(home, day)
    arrive(home, "2025-01-20")
    day, range_of_days = tick_after_long().run_requests
    assert (day.partition_key, day.asset_selection) == ("2025-01-20", None)
    assert range_of_days.partition_key is None
    assert {name: range_of_days.tags[name] for name in RANGE_TAGS} == {
        "dagster/asset_partition_range_start": "2025-01-08",
        "dagster/asset_partition_range_end": "2025-01-16",
    }
    assert range_of_days.asset_selection == [dg.AssetKey("product_features"), dg.AssetKey("package_evidence")]


def test_the_run_for_days_that_are_too_old_builds_them_all(
    home: Settings, definitions: dg.Definitions, tick_after_long: Any, instance: dg.DagsterInstance
) -> None:
    build(home, "2025-01-06")
    (request,) = tick_after_long().run_requests
    assert definitions.resolve_job_def("daily_inference").asset_layer.selected_asset_keys >= {*request.asset_selection}
    result = dg.materialize(
        [asset for asset in definitions.assets or [] if isinstance(asset, dg.AssetsDefinition)],
        selection=request.asset_selection,
        instance=instance,
        tags=request.tags,
        resources={
            **(definitions.resources or {}),
            "dbt": DbtThatBuildsNothing(),
            "warehouse": warehouse_for(home),
            "settings": home,
        },
    )
    assert result.success
    found = built_fingerprints(warehouse_for(home), before=dt.datetime.combine(LONG_DOWN.date(), dt.time()))
    assert sorted(str(day) for day in found) == [f"2025-01-{number:02}" for number in range(6, 17)]
    assert tick_after_long().run_requests == []


class DbtThatBuildsNothing:
    def build(self, context: dg.AssetExecutionContext, _variables: object) -> Generator[dg.MaterializeResult]:
        for key in sorted(context.selected_asset_keys):
            yield dg.MaterializeResult(asset_key=key)


def test_a_home_of_which_no_day_was_ever_built_is_left_to_people(home: Settings, tick_after_long: Any) -> None:
    assert tick_after_long().run_requests == []


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        (["STARTED"], "A run that builds the days from 2025-01-07 on is queued or under way."),
        (
            ["FAILURE", "CANCELED", "FAILURE"],
            (
                "10 day(s) from 2025-01-07 to 2025-01-16 are not built, which training needs. Tried too often, and "
                "left to a person: packaging run warehouse --from 2025-01-07 --to 2025-01-16."
            ),
        ),
        (["FAILURE", "FAILURE", "SUCCESS", "FAILURE"], None),
    ],
    ids=["under way", "given up", "tried less often since it succeeded"],
)
def test_days_that_are_too_old_are_asked_for_once_at_a_time_and_left_to_people_in_the_end(
    home: Settings, instance: dg.DagsterInstance, tick_after_long: Any, statuses: list[str], said: str | None
) -> None:
    build(home, "2025-01-06")
    for status in statuses:
        yesterday = {
            "dagster/asset_partition_range_start": "2025-01-07",
            "dagster/asset_partition_range_end": "2025-01-15",
        }
        instance.create_run_for_job(_daily_job(), status=dg.DagsterRunStatus(status), tags=yesterday)
    found = tick_after_long()
    assert len(found.run_requests) == (1 if said is None else 0)
    assert (found.skip_message or "").endswith(said or "")


def _daily_job(name: str = DAILY_JOB.name) -> Any:
    @dg.op
    def nothing() -> None: ...

    @dg.job(name=name)
    def job() -> None:
        nothing()

    return job


@pytest.mark.parametrize(
    ("at", "due"),
    [("02:59", ["2025-01-06", "2025-01-07", "2025-01-08"]), ("03:00", ["2025-01-07", "2025-01-08", "2025-01-09"])],
)
def test_a_day_is_due_at_the_set_time_and_for_the_set_number_of_days(
    home: Settings, instance: dg.DagsterInstance, at: str, due: list[str]
) -> None:
    settings = home.model_copy(update={"catch_up_days": 3})
    now = dt.datetime.fromisoformat(f"2025-01-10T{at}+00:00")
    assert [str(day) for day in unpredicted_days(instance, settings, due_days(settings, now)).open] == due


@pytest.mark.parametrize(("at", "due"), [("03:44", ["2025-01-08"]), ("03:45", ["2025-01-08", "2025-01-09"])])
def test_the_minutes_of_the_set_time_count(
    home: Settings, instance: dg.DagsterInstance, at: str, due: list[str]
) -> None:
    settings = home.model_copy(update={"catch_up_days": 3, "daily_at": dt.time(3, 45)})
    now = dt.datetime.fromisoformat(f"2025-01-10T{at}+00:00")
    assert [str(day) for day in unpredicted_days(instance, settings, due_days(settings, now)).open][-len(due) :] == due


def test_cron_times_are_those_of_the_settings(settings: Settings) -> None:
    other = {"weekly_at": dt.time(4, 30), "monthly_at": dt.time(22, 15)}
    definitions = build_definitions(settings.model_copy(update=other))
    names = ("weekly_training", "monthly_inference", "daily_inference")
    schedules = [definitions.resolve_schedule_def(f"{name}_schedule") for name in names]
    assert tuple(schedule.job_name for schedule in schedules) == names
    assert [schedule.cron_schedule for schedule in schedules] == ["30 4 * * 1", "15 22 1 * *", "*/15 * * * *"]
    assert {schedule.execution_timezone for schedule in schedules} == {"UTC"}


def test_a_schedule_says_what_it_does_and_by_which_settings(settings: Settings) -> None:
    other = {"daily_at": dt.time(4, 30), "catch_up_days": 3}
    definitions = build_definitions(settings.model_copy(update=other))
    names = ("weekly_training", "monthly_inference", "daily_inference")
    assert [definitions.resolve_schedule_def(f"{name}_schedule").description for name in names] == [
        "Trains on the week that has ended. Fails if a day of it is not built in the warehouse.",
        (
            "Scores everything known by the end of the month that has ended. Fails if a day of it is not built in the "
            "warehouse."
        ),
        (
            "Scores each of the last 3 days that has no predictions as soon as its products have arrived, from 04:30 "
            "UTC of the day after on. Has older days that are not built built in one run, unscored."
        ),
    ]


@pytest.fixture(scope="module")
def endless(settings: Settings) -> dg.Definitions:
    """Of a home whose partitions go on with the calendar."""
    return build_definitions(settings.model_copy(update={"last_day": None}))


WEEKLY, MONTHLY = "weekly_training_schedule", "monthly_inference_schedule"


@pytest.mark.parametrize(
    ("schedule", "at", "partitions"),
    [
        (WEEKLY, "2025-01-20T05:00", ["2025-01-13"]),
        (WEEKLY, "2025-01-20T00:00", ["2025-01-13"]),
        (WEEKLY, "2025-03-31T05:00", ["2025-03-24"]),  # clocks in Europe were put forward the day before
        (WEEKLY, "2025-09-01T05:00", ["2025-08-25"]),  # a Monday that begins a month
        (WEEKLY, "2025-12-29T05:00", ["2025-12-22"]),
        (WEEKLY, "2025-01-06T05:00", []),
        (MONTHLY, "2025-02-01T07:00", ["2025-01-01"]),
        (MONTHLY, "2025-02-01T00:00", ["2025-01-01"]),
        (MONTHLY, "2025-09-01T07:00", ["2025-08-01"]),
        (MONTHLY, "2026-01-01T07:00", ["2025-12-01"]),
        (MONTHLY, "2028-03-01T07:00", ["2028-02-01"]),
        (MONTHLY, "2025-01-01T07:00", []),
    ],
)
def test_weekly_and_monthly_ask_for_what_has_just_ended(
    endless: dg.Definitions, instance: dg.DagsterInstance, schedule: str, at: str, partitions: list[str]
) -> None:
    moment = dt.datetime.fromisoformat(f"{at}+00:00")
    assert _asked(endless, instance, schedule, moment)[0] == partitions


@pytest.mark.parametrize(
    ("schedule", "at", "partitions", "why"),
    [
        (WEEKLY, "2025-02-17T05:00", ["2025-02-10"], None),
        (WEEKLY, "2025-02-24T05:00", [], "There is no partition 2025-02-17: the setting last_day (2025-02-16)"),
        (WEEKLY, "2025-01-06T05:00", [], "There is no partition 2024-12-30: the setting first_week (2025-01-06)"),
        (MONTHLY, "2025-02-01T07:00", ["2025-01-01"], None),
        (MONTHLY, "2025-03-01T07:00", ["2025-02-01"], None),  # a month that ends early
        (MONTHLY, "2025-04-01T07:00", [], "There is no partition 2025-03-01: the setting last_day (2025-02-16)"),
        (MONTHLY, "2025-01-01T07:00", [], "There is no partition 2024-12-01: the setting first_week (2025-01-06)"),
    ],
)
def test_weekly_and_monthly_ask_for_nothing_outside_of_the_partitions_and_say_why(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    schedule: str,
    at: str,
    partitions: list[str],
    why: str | None,
) -> None:
    asked, reason = _asked(definitions, instance, schedule, dt.datetime.fromisoformat(f"{at}+00:00"))
    assert asked == partitions
    assert reason is None if why is None else (reason or "").startswith(why)


def _asked(
    definitions: dg.Definitions, instance: dg.DagsterInstance, schedule: str, moment: dt.datetime
) -> tuple[list[str | None], str | None]:
    """The partitions that one tick asks for, and why it asks for none."""
    context = dg.build_schedule_context(
        instance, scheduled_execution_time=moment, repository_def=definitions.get_repository_def()
    )
    data = definitions.resolve_schedule_def(schedule).evaluate_tick(context)
    return [request.partition_key for request in data.run_requests or []], data.skip_message
