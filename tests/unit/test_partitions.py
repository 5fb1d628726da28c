import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packaging_assets.partitions import (
    as_of,
    daily_partitions,
    month_after,
    monthly_partitions,
    week_of,
    weekly_partitions,
)
from packaging_assets.settings import Settings, load_settings

NOW = dt.datetime(2025, 6, 1, tzinfo=dt.UTC)


def settings(**given: object) -> Settings:
    return load_settings(Path("/nowhere"), **given)


def test_weeks_begin_with_the_first_and_end_with_the_last_whole_one() -> None:
    bounds = settings(first_week="2025-01-06", last_day="2025-01-19")
    assert weekly_partitions(bounds).get_partition_keys(NOW) == ["2025-01-06", "2025-01-13"]


def test_a_week_that_the_last_day_cuts_short_is_no_partition() -> None:
    bounds = settings(first_week="2025-01-06", last_day="2025-01-18")
    assert weekly_partitions(bounds).get_partition_keys(NOW) == ["2025-01-06"]


def test_days_go_from_the_first_week_to_the_last_day() -> None:
    keys = daily_partitions(settings(first_week="2025-01-06", last_day="2025-01-19")).get_partition_keys(NOW)
    assert (keys[0], keys[-1], len(keys)) == ("2025-01-06", "2025-01-19", 14)


def test_the_months_of_the_first_week_and_the_last_day_are_partitions() -> None:
    bounds = settings(first_week="2025-01-06", last_day="2025-02-16")
    assert monthly_partitions(bounds).get_partition_keys(NOW) == ["2025-01-01", "2025-02-01"]


def test_without_a_last_day_partitions_go_on_with_the_calendar() -> None:
    bounds = settings(first_week="2025-01-06")
    now = dt.datetime(2025, 2, 3, tzinfo=dt.UTC)
    assert weekly_partitions(bounds).get_partition_keys(now)[-1] == "2025-01-27"
    assert daily_partitions(bounds).get_partition_keys(now)[-1] == "2025-02-02"
    assert monthly_partitions(bounds).get_partition_keys(now)[-1] == "2025-01-01"


def test_a_window_ends_where_the_next_begins_in_utc() -> None:
    bounds = settings(first_week="2025-01-06")
    assert as_of(weekly_partitions(bounds), "2025-03-24") == dt.datetime(2025, 3, 31)  # noqa: DTZ001 - naive UTC
    assert as_of(daily_partitions(bounds), "2025-03-30") == dt.datetime(2025, 3, 31)  # noqa: DTZ001
    assert as_of(monthly_partitions(bounds), "2025-03-01") == dt.datetime(2025, 4, 1)  # noqa: DTZ001


@given(st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1)))
def test_a_day_lies_in_its_week_and_before_the_next_month(day: dt.date) -> None:
    monday = week_of(day)
    assert monday.weekday() == 0
    assert dt.timedelta(0) <= day - monday < dt.timedelta(days=7)
    following = month_after(day)
    assert following.day == 1
    assert (following - dt.timedelta(days=1)).replace(day=1) == day.replace(day=1)


@pytest.mark.parametrize("key", ["2025-01-07", "2024-12-30"])
def test_other_days_are_no_weeks(key: str) -> None:
    assert not weekly_partitions(settings(first_week="2025-01-06")).has_partition_key(key)
