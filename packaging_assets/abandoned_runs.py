"""Runs whose process was killed: Dagster would count them as under way, and their hold on a pool as taken, for good.

A process that runs a job holds a lock on a file of that run's. The system lets go of the lock however the process ends,
so a run that Dagster believes unfinished and whose lock is free is over.
"""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

LOCKED_TAG = {"packaging/holds_lock": "true"}
"""Tag of the runs that hold a lock; Dagster's own launcher looks after the others."""

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@contextmanager
def run_lock(folder: Path, run_id: str) -> Generator[None]:
    """Hold the run's lock for the length of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / run_id
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink()


def settle_abandoned_runs(instance: dg.DagsterInstance, folder: Path) -> list[str]:
    """Report the runs whose process is gone as failed, free what they held, and return their ids."""
    runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED, tags=LOCKED_TAG))
    abandoned = [run for run in runs if not _is_locked(folder / run.run_id)]
    for run in abandoned:
        instance.report_run_failed(run, "The process that ran it was ended from outside. Run the same job again.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        (folder / run.run_id).unlink(missing_ok=True)
    return [run.run_id for run in abandoned]


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
