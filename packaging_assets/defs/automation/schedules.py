"""When the jobs run: UTC, at the times in the settings.

The daily job waits for its data: from `daily_at` on it looks every quarter of an hour for days whose products have
arrived and which have no predictions yet, at most `catch_up_days` back, and says which days it is waiting for. So far
back it also asks once more for a day of which rows were delivered after it had been built. A day whose runs failed or
were cancelled `daily_attempts` times since one succeeded is left to a person. Older days that are not built it has
built, without being scored.
"""

import datetime as dt
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field

import dagster as dg

from packaging_assets.abandoned_runs import UNFINISHED
from packaging_assets.defs.automation.ended_periods import monthly_schedule, weekly_schedule
from packaging_assets.defs.automation.missing_days import build_of
from packaging_assets.jobs import DAILY_JOB
from packaging_assets.partitions import daily_partitions
from packaging_assets.resources.built_days import built_fingerprints, day_fingerprints, dbt_project_hash
from packaging_assets.resources.built_groups import sql_in_force
from packaging_assets.resources.warehouse import Warehouse, WarehouseError
from packaging_assets.run_records import PARTITION_TAG
from packaging_assets.settings import Settings, current_settings

PREDICTIONS = dg.AssetKey(["daily", "predictions"])
ONE_DAY = dt.timedelta(days=1)
GIVEN_UP = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class UnpredictedDays:
    """Days that want predictions, oldest first: to be asked for, with a run under way, and tried too often."""

    open: list[dt.date] = field(default_factory=list[dt.date])
    under_way: list[dt.date] = field(default_factory=list[dt.date])
    given_up: list[dt.date] = field(default_factory=list[dt.date])

    @property
    def why_none_is_ready(self) -> str:
        """What the tick shows in the UI where no products have arrived."""
        parts = {
            "Waiting for the products of": self.open,
            "A run is queued or under way for": self.under_way,
            "Tried too often, and left to a person:": self.given_up,
        }
        said = [f"{what} {', '.join(day.isoformat() for day in days)}." for what, days in parts.items() if days]
        return " ".join(said) or "Every day that is due has been predicted."


@dataclass(frozen=True)
class ChangedDays:
    """Days that were built from other deliveries than there are by now (or other SQL), and days that are not built.

    Of the latter, `too_old` are those before the ones that are looked at, oldest first. `trouble` says why that cannot
    be seen.
    """

    outdated: frozenset[dt.date] = frozenset()
    not_built: frozenset[dt.date] = frozenset()
    too_old: tuple[dt.date, ...] = ()
    trouble: str = ""


NOTHING_CHANGED = ChangedDays()


@dg.definitions
def schedules() -> dg.Definitions:
    """Build the schedules of the settings in use."""
    settings = current_settings()
    return dg.Definitions(schedules=[weekly_schedule(settings), monthly_schedule(settings), daily_schedule(settings)])


def daily_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Score a day's products as soon as they have arrived, from `daily_at` on."""

    @dg.schedule(
        name="daily_inference_schedule",
        job=DAILY_JOB,
        description=f"Scores each of the last {settings.catch_up_days} days that has no predictions as soon as its "
        f"products have arrived, from {settings.daily_at:%H:%M} UTC of the day after on. Has older days that are not "
        "built built in one run, unscored.",
        cron_schedule="*/15 * * * *",
        execution_timezone="UTC",
    )
    def daily_inference_schedule(
        context: dg.ScheduleEvaluationContext, warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        due = due_days(settings, context.scheduled_execution_time)
        changed = changed_days(warehouse, settings, due)
        days = unpredicted_days(context.instance, settings, due, changed=changed)
        arrived = days_with_products(warehouse, days.open)
        ready = [day for day in days.open if day in arrived]
        for day in ready:
            yield dg.RunRequest(partition_key=day.isoformat(), run_key=day.isoformat())
        build = build_of(context.instance, settings, changed.too_old) if changed.too_old else ""
        if isinstance(build, dg.RunRequest):
            yield build
        elif not ready:
            yield dg.SkipReason(" ".join(filter(None, (days.why_none_is_ready, changed.trouble, build))))

    return daily_inference_schedule


def due_days(settings: Settings, now: dt.datetime) -> list[dt.date]:
    """The days that are over, due and recent, oldest first."""
    due_before = now - dt.timedelta(hours=settings.daily_at.hour, minutes=settings.daily_at.minute)
    keys = daily_partitions(settings).get_partition_keys(current_time=due_before)[-settings.catch_up_days :]
    return [dt.date.fromisoformat(key) for key in keys]


def unpredicted_days(
    instance: dg.DagsterInstance, settings: Settings, due: Sequence[dt.date], *, changed: ChangedDays = NOTHING_CHANGED
) -> UnpredictedDays:
    """Due days without predictions, or changed since; a run under way goes before the attempts there were.

    A day whose rows changed, and whose build then failed, is neither predicted from them nor built any more.
    """
    done = instance.get_materialized_partitions(PREDICTIONS)
    under_way = Counter(_partition(run) for run in _runs(instance, due, UNFINISHED))
    attempts = _attempts(instance, due)
    days = UnpredictedDays()
    for day in due:
        key = day.isoformat()
        is_changed = day in changed.outdated or (day in changed.not_built and attempts[key] > 0)
        if key not in done or is_changed:
            is_given_up = attempts[key] >= settings.daily_attempts
            kind = days.under_way if under_way[key] else days.given_up if is_given_up else days.open
            kind.append(day)
    return days


def changed_days(warehouse: Warehouse, settings: Settings, days: Sequence[dt.date]) -> ChangedDays:
    """Which of `days` are not built as they should be, by the ledger of built days; none while it is out of reach."""
    if not days:
        return NOTHING_CHANGED
    try:
        sql = sql_in_force(warehouse, dbt_project_hash(settings.dbt_project_path))
        wanted = day_fingerprints(warehouse, days, first_day=settings.first_week, project_hash=sql)
        built = built_fingerprints(warehouse, before=dt.datetime.combine(days[-1] + ONE_DAY, dt.time()))
    except WarehouseError as error:  # mostly a job that writes holds it: the next tick looks again
        return ChangedDays(trouble=f"Whether rows came after their day was built cannot be seen: {error}")
    return ChangedDays(
        outdated=frozenset(day for day in days if built.get(day, wanted[day]) != wanted[day]),
        not_built=frozenset(days) - built.keys(),
        too_old=_not_built_before(days[0], built, settings) if built else (),  # of a new home, people build a day first
    )


def _not_built_before(end: dt.date, built: Container[dt.date], settings: Settings) -> tuple[dt.date, ...]:
    days = (settings.first_week + ONE_DAY * number for number in range((end - settings.first_week).days))
    return tuple(day for day in days if day not in built)


def _attempts(instance: dg.DagsterInstance, days: Sequence[dt.date]) -> Counter[str]:
    """How many runs failed or were cancelled since the last one that succeeded, by partition."""
    attempts: Counter[str] = Counter()
    succeeded: set[str] = set()
    for run in _runs(instance, days, [*GIVEN_UP, dg.DagsterRunStatus.SUCCESS]):
        if run.is_success:
            succeeded.add(_partition(run))
        elif _partition(run) not in succeeded:
            attempts[_partition(run)] += 1
    return attempts


def _runs(
    instance: dg.DagsterInstance, days: Sequence[dt.date], statuses: Sequence[dg.DagsterRunStatus]
) -> Sequence[dg.DagsterRun]:
    """The runs of the daily job for some days, newest first."""
    tags = {PARTITION_TAG: [day.isoformat() for day in days]}
    return instance.get_runs(dg.RunsFilter(job_name=DAILY_JOB.name, statuses=list(statuses), tags=tags)) if days else []


def _partition(run: dg.DagsterRun) -> str:
    return run.tags[PARTITION_TAG]


def days_with_products(warehouse: Warehouse, days: Sequence[dt.date]) -> set[dt.date]:
    """Those of `days` for which product rows have been delivered."""
    if not days:
        return set()
    rows = warehouse.fetch(
        'select distinct day from "raw".delivery_days where table_name = $table and day >= $first and day <= $last',
        {"table": "products", "first": min(days), "last": max(days)},
    )
    return {row["day"] for row in rows}
