"""Runs that were asked for and never started."""

import datetime as dt

import dagster as dg

from packaging_assets.defs.alerts.run_failures import RunReader
from packaging_assets.domain.alerts import Alert, Failure, run_key

UNSTARTED = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]
STARTED = [
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
MOST_RUNS = 100


def unstarted_alerts(reader: RunReader, *, now: dt.datetime, minutes: int, look_back: dt.timedelta) -> list[Alert]:
    """A message for each run asked for more than `minutes` ago that has not started.

    A queued run is only waiting its turn as long as the queue moves, that is, as long as others have started within
    these minutes.
    """
    patience = dt.timedelta(minutes=minutes)
    records = reader.instance.get_run_records(
        dg.RunsFilter(statuses=UNSTARTED, created_before=now - patience, created_after=now - look_back),
        limit=MOST_RUNS,
        ascending=True,
    )
    moves = bool(records) and _queue_moves(reader.instance, now - patience)
    return [
        _alert(reader, record, now, minutes)
        for record in records
        if not (moves and record.dagster_run.status is dg.DagsterRunStatus.QUEUED)
    ]


def _queue_moves(instance: dg.DagsterInstance, since: dt.datetime) -> bool:
    records = instance.get_run_records(dg.RunsFilter(statuses=STARTED, updated_after=since), limit=MOST_RUNS)
    return any((record.start_time or 0.0) >= since.timestamp() for record in records)


def _alert(reader: RunReader, record: dg.RunRecord, now: dt.datetime, minutes: int) -> Alert:
    run = record.dagster_run
    waited = (now - record.create_timestamp.astimezone(dt.UTC)).total_seconds() / 60
    failure = Failure(
        key=run_key(run.run_id, "unstarted"),
        kind="run",
        severity="error",
        headline="the run has not started",
        sentence=f"The run is still {run.status.value} {waited:.0f} minutes after it was asked for.",
        value=float(int(waited)),
        limit=float(minutes),
        remedy="See whether the daemon runs and what else is under way; then launch or cancel the run.",
        owners=reader.owners_of(run),
    )
    return reader.message(run, [failure])
