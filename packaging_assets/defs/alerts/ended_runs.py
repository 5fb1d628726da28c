"""Which runs have ended since the last look, and which of them Dagster will retry."""

import datetime as dt
from collections.abc import Sequence
from itertools import takewhile

import dagster as dg
from pydantic import BaseModel, ConfigDict, Field

from packaging_assets.defs.alerts.run_failures import RETRY_NUMBER

ENDINGS = (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED)
RUNS_PER_LOOK = 25
"""Of each kind of ending; reading a run takes about 0.1 s."""

SETTLING_SECONDS = 5.0
"""Younger events wait for the next look: in a database with several writers an event can appear after one with a higher
number, and Dagster marks a run as to be retried just after its failure."""

AHEAD_SECONDS = 60.0
"""How far the clocks of several machines may be apart. What is dated later was written by a clock that has been set
back since; to wait for it would keep back all that comes after it."""

RETRY_PATIENCE = dt.timedelta(minutes=30)
"""A retry that has not been launched by then is not coming."""

RETRIED_AS = "dagster/auto_retry_run_id"


class Cursor(BaseModel):
    """Up to where the sensor has read: kept by Dagster as JSON.

    `ended`: number of the last event read of each kind of ending. `awaiting_retry`: runs that failed and that Dagster
    said it would retry -> until when to believe it.
    """

    model_config = ConfigDict(extra="forbid")

    ended: dict[str, int] = Field(default_factory=dict)
    awaiting_retry: dict[str, dt.datetime] = Field(default_factory=dict)
    data_seen_at: dt.datetime | None = None


def ended_runs(
    instance: dg.DagsterInstance, ended: dict[str, int], *, now: dt.datetime, look_back: dt.timedelta
) -> tuple[list[str], dict[str, int]]:
    """Ids of the runs that ended after those of `ended`, oldest first, and the numbers up to which that reads.

    Without a number for a kind of ending, it begins `look_back` ago.
    """
    found: list[dg.EventLogRecord] = []
    read = dict(ended)
    for ending in ENDINGS:
        records = _records(instance, ending, ended.get(ending.name), (now - look_back).timestamp())
        settled = list(takewhile(lambda record: _is_settled(record, now), records))
        found += settled
        if settled:
            read[ending.name] = settled[-1].storage_id
    ids = [record.run_id for record in sorted(found, key=lambda record: record.timestamp)]
    return list(dict.fromkeys(ids)), read


def _is_settled(record: dg.EventLogRecord, now: dt.datetime) -> bool:
    return not -AHEAD_SECONDS <= now.timestamp() - record.timestamp < SETTLING_SECONDS


def _records(
    instance: dg.DagsterInstance, ending: dg.DagsterEventType, after: int | None, since: float
) -> Sequence[dg.EventLogRecord]:
    records_filter = dg.RunStatusChangeRecordsFilter(
        event_type=ending,  # type: ignore[arg-type]
        after_storage_id=after,
        after_timestamp=since if after is None else None,
    )
    return instance.fetch_run_status_changes(records_filter, limit=RUNS_PER_LOOK, ascending=True).records


def will_be_retried(run: dg.DagsterRun, *, until: dt.datetime, now: dt.datetime) -> bool:
    """Whether Dagster has yet to launch the retry that it announced, and can still be expected to."""
    return run.is_complete_and_waiting_to_retry and now < until


def was_retried(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether Dagster launched a retry, whose own ending will tell of this run."""
    retry = run.tags.get(RETRIED_AS)
    found = instance.get_run_by_id(retry) if retry else None
    return found is not None and RETRY_NUMBER in found.tags
