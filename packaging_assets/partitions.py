"""The three time partitions, and the windows that their keys stand for (UTC, end exclusive).

A key is the ISO date on which its window begins: a Monday, a day, the first of a month.
"""

import datetime as dt

import dagster as dg

from packaging_assets.settings import Settings

MONDAY = 1  # cron's day of week, which is what Dagster's `day_offset` counts in


def weekly_partitions(settings: Settings) -> dg.WeeklyPartitionsDefinition:
    """Training weeks, [Monday, next Monday)."""
    return dg.WeeklyPartitionsDefinition(
        start_date=settings.first_week.isoformat(), day_offset=MONDAY, end_date=_end_of(settings, weeks=True)
    )


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Days of raw data; of the tables built from these, the first one also holds everything dated before it."""
    return dg.DailyPartitionsDefinition(start_date=settings.first_week.isoformat(), end_date=_end_of(settings))


def monthly_partitions(settings: Settings) -> dg.MonthlyPartitionsDefinition:
    """Months of full-inventory inference; one that `last_day` cuts short is one too, unlike a week."""
    return dg.MonthlyPartitionsDefinition(
        start_date=settings.first_week.replace(day=1).isoformat(),
        end_date=month_after(settings.last_day).isoformat() if settings.last_day else None,
    )


def month_after(day: dt.date) -> dt.date:
    """The first day of the month after the one `day` lies in."""
    return (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)


def week_of(day: dt.date) -> dt.date:
    """The Monday on or before `day`."""
    return day - dt.timedelta(days=day.weekday())


def as_of(partitions: dg.TimeWindowPartitionsDefinition, key: str) -> dt.datetime:
    """The end of a partition's window, exclusive, as naive UTC: what happened before it counts, nothing else does."""
    return partitions.time_window_for_partition_key(key).end.replace(tzinfo=None)


def _end_of(settings: Settings, *, weeks: bool = False) -> str | None:
    """The exclusive end date of the partitions, or none if they go on with the calendar."""
    if settings.last_day is None:
        return None
    day_after = settings.last_day + dt.timedelta(days=1)
    return (week_of(day_after) if weeks else day_after).isoformat()
