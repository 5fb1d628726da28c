"""The schedules that ask for the week, or the month, that has just ended: as long as there is a partition of it.

Dagster's own schedules of partitioned jobs would ask for the last partition again at each tick after the end of them.
"""

import datetime as dt

import dagster as dg

from packaging_assets.jobs import MONTHLY_JOB, WEEKLY_JOB
from packaging_assets.partitions import monthly_partitions, week_of, weekly_partitions
from packaging_assets.settings import Settings

ONE_DAY, ONE_WEEK = dt.timedelta(days=1), dt.timedelta(days=7)


def weekly_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Train on Mondays, on the week that has just ended."""
    at = settings.weekly_at

    @dg.schedule(
        name="weekly_training_schedule",
        job=WEEKLY_JOB,
        description="Trains on the week that has ended. Fails if a day of it is not built in the warehouse.",
        cron_schedule=f"{at.minute} {at.hour} * * 1",
        execution_timezone="UTC",
    )
    def weekly_training_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        now = context.scheduled_execution_time
        return _asked_for(week_of(now.date()) - ONE_WEEK, weekly_partitions(settings), now, settings)

    return weekly_training_schedule


def monthly_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Score the whole inventory on the first of the month."""
    at = settings.monthly_at

    @dg.schedule(
        name="monthly_inference_schedule",
        job=MONTHLY_JOB,
        description="Scores everything known by the end of the month that has ended. Fails if a day of it is not built "
        "in the warehouse.",
        cron_schedule=f"{at.minute} {at.hour} 1 * *",
        execution_timezone="UTC",
    )
    def monthly_inference_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        now = context.scheduled_execution_time
        ended = (now.date().replace(day=1) - ONE_DAY).replace(day=1)
        return _asked_for(ended, monthly_partitions(settings), now, settings)

    return monthly_inference_schedule


def _asked_for(
    ended: dt.date, partitions: dg.TimeWindowPartitionsDefinition, now: dt.datetime, settings: Settings
) -> dg.RunRequest | dg.SkipReason:
    """The partition that begins on the day `ended`, or why there is none."""
    key = ended.isoformat()
    if key in partitions.get_partition_keys(current_time=now):
        return dg.RunRequest(partition_key=key, run_key=key)
    if settings.last_day is None or ended < settings.last_day:
        return dg.SkipReason(f"There is no partition {key}: the setting first_week ({settings.first_week}) is later.")
    return dg.SkipReason(
        f"There is no partition {key}: the setting last_day ({settings.last_day}) is earlier. Move it on to go on, "
        "or switch this schedule off."
    )
