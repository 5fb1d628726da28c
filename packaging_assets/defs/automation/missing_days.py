"""Days that nobody built while they were young enough to be scored: training, and the month, need them all the same.

They come about where the platform was down for longer than `catch_up_days`, or no products arrived for a day. The daily
schedule has them built in one run, unscored.
"""

import datetime as dt
from collections.abc import Sequence
from itertools import takewhile

import dagster as dg

from packaging_assets.abandoned_runs import UNFINISHED
from packaging_assets.jobs import DAILY_JOB
from packaging_assets.run_records import RANGE_TAGS
from packaging_assets.settings import Settings

DAILY_TABLES = [dg.AssetKey("product_features"), dg.AssetKey("package_evidence")]


def build_of(instance: dg.DagsterInstance, settings: Settings, days: Sequence[dt.date]) -> dg.RunRequest | str:
    """The run that builds some days, or what to say instead; it is tried as often as the run of a day is.

    Its attempts are told by its first day: the last one moves with the calendar.

    Args:
        instance: where its runs are found.
        settings: say how often it is tried.
        days: that are not built, oldest first, at least one.
    """
    first, last = days[0].isoformat(), days[-1].isoformat()
    newest_first = instance.get_runs(dg.RunsFilter(job_name=DAILY_JOB.name, tags={RANGE_TAGS[0]: first}))
    if any(run.status in UNFINISHED for run in newest_first):
        return f"A run that builds the days from {first} on is queued or under way."
    attempts = list(takewhile(lambda run: not run.is_success, newest_first))
    if len(attempts) >= settings.daily_attempts:
        return (
            f"{len(days)} day(s) from {first} to {last} are not built, which training needs. Tried too often, and left "
            f"to a person: packaging run warehouse --from {first} --to {last}."
        )
    return dg.RunRequest(
        run_key=f"{first}..{last}", tags=dict(zip(RANGE_TAGS, (first, last), strict=True)), asset_selection=DAILY_TABLES
    )
