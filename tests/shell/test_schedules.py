"""When the jobs are asked for, and that the daily one waits for its data."""

import datetime as dt
from typing import Any

import dagster as dg
import pytest

from packaging_assets.defs.automation.schedules import (
    PREDICTIONS,
    daily_schedule,
    monthly_schedule,
    unpredicted_days,
    weekly_schedule,
)
from packaging_assets.jobs import DAILY_JOB
from packaging_assets.resources.environment import warehouse_for
from packaging_assets.settings import Settings, load_settings

MORNING = dt.datetime(2025, 1, 10, 3, 0, tzinfo=dt.UTC)
DELIVERED = "insert into raw.delivery_days values ('d', $table, $day, 1)"


def arrive(settings: Settings, day: str, table: str = "products") -> None:
    warehouse_for(settings).load({}, [(DELIVERED, {"table": table, "day": dt.date.fromisoformat(day)})])


def predicted(instance: dg.DagsterInstance, day: str) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(PREDICTIONS, partition=day))


def tick(settings: Settings, instance: dg.DagsterInstance, at: dt.datetime = MORNING) -> tuple[list[str | None], str]:
    """The partitions asked for, and the reason for asking for none."""
    context = dg.build_schedule_context(
        instance, scheduled_execution_time=at, resources={"warehouse": warehouse_for(settings)}
    )
    data = daily_schedule(settings).evaluate_tick(context)
    return [request.partition_key for request in data.run_requests or []], data.skip_message or ""


def test_waits_for_the_products_and_says_of_which_days(home: Settings, instance: dg.DagsterInstance) -> None:
    arrive(home, "2025-01-09", table="package_tests")
    assert tick(home, instance) == (
        [],
        "Waiting for the products of 2025-01-06, 2025-01-07, 2025-01-08, 2025-01-09.",
    )


def test_asks_for_the_days_that_have_arrived_and_were_missed(home: Settings, instance: dg.DagsterInstance) -> None:
    arrive(home, "2025-01-06")
    arrive(home, "2025-01-09")
    assert tick(home, instance) == (["2025-01-06", "2025-01-09"], "")


def test_does_not_ask_again_for_what_is_done(home: Settings, instance: dg.DagsterInstance) -> None:
    for day in ("2025-01-06", "2025-01-07", "2025-01-08", "2025-01-09"):
        arrive(home, day)
        predicted(instance, day)
    assert tick(home, instance) == ([], "Every day that is due has been predicted.")


@pytest.mark.parametrize(
    ("status", "asked"),
    [
        (dg.DagsterRunStatus.QUEUED, []),
        (dg.DagsterRunStatus.STARTED, []),
        (dg.DagsterRunStatus.FAILURE, ["2025-01-09"]),
        (dg.DagsterRunStatus.CANCELED, ["2025-01-09"]),
    ],
)
def test_does_not_ask_again_while_a_run_is_under_way(
    home: Settings, instance: dg.DagsterInstance, status: dg.DagsterRunStatus, asked: list[str]
) -> None:
    arrive(home, "2025-01-09")
    instance.create_run_for_job(_daily_job(), status=status, tags={"dagster/partition": "2025-01-09"})
    assert tick(home, instance)[0] == asked


def _daily_job() -> Any:
    @dg.op
    def nothing() -> None: ...

    @dg.job(name=DAILY_JOB.name)
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
    assert [str(day) for day in unpredicted_days(instance, settings, now)] == due


def test_cron_times_are_those_of_the_settings(tmp_path: Any) -> None:
    settings = load_settings(tmp_path, weekly_at="04:30", monthly_at="22:15", daily_at="01:00")
    weekly, monthly, daily = _resolved(settings)
    assert (weekly.cron_schedule, weekly.execution_timezone, weekly.job_name) == (
        "30 4 * * 1",
        "UTC",
        "weekly_training",
    )
    assert (monthly.cron_schedule, monthly.execution_timezone, monthly.job_name) == (
        "15 22 1 * *",
        "UTC",
        "monthly_inference",
    )
    assert (daily.cron_schedule, daily.execution_timezone, daily.job_name) == ("*/15 * * * *", "UTC", "daily_inference")


def _resolved(settings: Settings) -> list[dg.ScheduleDefinition]:
    from packaging_assets.definitions import build_definitions

    definitions = build_definitions(settings)
    names = [build(settings).name for build in (weekly_schedule, monthly_schedule, daily_schedule)]
    return [definitions.resolve_schedule_def(name) for name in names]


@pytest.mark.parametrize(
    ("schedule", "at", "partition"),
    [
        ("weekly_training_schedule", "2025-01-20T05:00", "2025-01-13"),
        ("monthly_inference_schedule", "2025-02-01T07:00", "2025-01-01"),
    ],
)
def test_weekly_and_monthly_ask_for_what_has_just_ended(
    definitions: dg.Definitions, instance: dg.DagsterInstance, schedule: str, at: str, partition: str
) -> None:
    moment = dt.datetime.fromisoformat(f"{at}+00:00")
    context = dg.build_schedule_context(instance, scheduled_execution_time=moment)
    data = definitions.resolve_schedule_def(schedule).evaluate_tick(context)
    assert [request.partition_key for request in data.run_requests or []] == [partition]
