"""Runs whose process was killed: Dagster would count them as under way, and their hold on a pool as taken, for good.

A process that runs a job holds a lock on a file of that run's. The system lets go of the lock however the process ends,
so a run that Dagster believes unfinished and whose lock is free is over. A run that Dagster's own launcher started, as
it does for the UI and for schedules, holds no such lock: it is known by the process that its log names. Locks and
processes tell about one machine: of runs that began on another, nothing is known here.
"""

import fcntl
import platform
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import dagster as dg
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher

from packaging_assets.processes import is_running

LOCKED_TAG = {"packaging/holds_lock": "true"}
"""Tag of the runs that hold a lock; Dagster's own launcher looks after the others."""

HOST_TAG = "packaging/host"
"""Tag that names the machine of a run that holds a lock."""

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

ENDED_FROM_OUTSIDE = "The process that ran it was ended from outside. Go on with it: packaging runs retry {run}."


class Standing(StrEnum):
    """What has become of a run."""

    FINISHED = "finished"
    UNDER_WAY = "under way"
    GONE = "gone"
    """Its process was ended from outside."""
    UNKNOWN = "unknown"
    """Dagster counts it as unfinished, and nothing tells which process runs it."""


def tags_of_lock() -> dict[str, str]:
    """The tags of a run that will hold a lock on this machine."""
    return {**LOCKED_TAG, HOST_TAG: platform.node()}


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
            path.unlink(missing_ok=True)  # whoever took this process for gone has settled the run


def settle_abandoned_runs(instance: dg.DagsterInstance, folder: Path) -> list[str]:
    """Report the runs of this machine that held a lock and whose process is gone as failed, and return their ids."""
    runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED, tags=LOCKED_TAG))
    abandoned = [run for run in runs if _holds_lock(run) and standing_of(instance, run, folder) == Standing.GONE]
    for run in abandoned:
        settle(instance, run, folder)
    return [run.run_id for run in abandoned]


def settle(instance: dg.DagsterInstance, run: dg.DagsterRun, folder: Path) -> None:
    """Report a run as failed whose process is gone, and free what it held."""
    instance.report_run_failed(run, ENDED_FROM_OUTSIDE.format(run=run.run_id[:8]))
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    (folder / run.run_id).unlink(missing_ok=True)


def standing_of(instance: dg.DagsterInstance, run: dg.DagsterRun, folder: Path) -> Standing:
    """What has become of a run, as far as this machine can tell."""
    if run.is_finished:
        return Standing.FINISHED
    if _is_elsewhere(run):
        return Standing.UNKNOWN
    if _holds_lock(run):
        is_working = _is_locked(folder / run.run_id)
    else:
        worker = _worker(instance, run)
        if worker is None:
            return Standing.UNKNOWN
        pid, seen_at = worker
        is_working = is_running(pid, seen_at=seen_at)
    if is_working:
        return Standing.UNDER_WAY
    # It may have come to its end since `run` was read.
    now = instance.get_run_by_id(run.run_id)
    return Standing.FINISHED if now is None or now.is_finished else Standing.GONE


def runs_under_way(instance: dg.DagsterInstance, folder: Path) -> list[dg.DagsterRun]:
    """The runs that may be working at this moment; those that wait in a queue are not among them."""
    runs = instance.get_runs(dg.RunsFilter(statuses=[status for status in UNFINISHED if status not in WAITING]))
    return [run for run in runs if standing_of(instance, run, folder) in {Standing.UNDER_WAY, Standing.UNKNOWN}]


def is_on_its_way(instance: dg.DagsterInstance, run: dg.DagsterRun, folder: Path) -> bool:
    """Whether a run works at this moment, or waits in a queue until it can."""
    standing = standing_of(instance, run, folder)
    return standing == Standing.UNDER_WAY or (standing == Standing.UNKNOWN and run.status in WAITING)


WAITING = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED)


def _holds_lock(run: dg.DagsterRun) -> bool:
    """Whether it is a run of ours; one that the UI executes again has our tags, and was launched from a location."""
    return run.remote_job_origin is None and LOCKED_TAG.items() <= run.tags.items()


def _is_elsewhere(run: dg.DagsterRun) -> bool:
    """Whether it holds its lock on another machine, such as another container."""
    return _holds_lock(run) and run.tags.get(HOST_TAG, platform.node()) != platform.node()


def _worker(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[int, float] | None:
    """Number of the process that Dagster's launcher started for the run, and when it said so (seconds since 1970).

    None where the launcher starts runs on other machines, as on ECS: its numbers would be taken for some process here.
    """
    if not isinstance(instance.run_launcher, DefaultRunLauncher | SyncInMemoryRunLauncher):
        return None
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event and event.event_specific_data else None
        if pid is not None:
            return int(str(pid.value)), entry.timestamp
    return None


def _is_locked(path: Path) -> bool:
    """Whether a run holds the lock; those who ask share it, so that all get the same answer."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
