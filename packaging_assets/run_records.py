"""What Dagster's record says of earlier runs: what they were to do, what they left undone, and what made up for it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from packaging_assets.abandoned_runs import UNFINISHED, is_on_its_way
from packaging_assets.components.model_set import OVERRIDES_TAG

LAST = "last"
PARTITION_TAG = "dagster/partition"
PARTITION_TAGS = (PARTITION_TAG, "dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
RANGE_TAGS = PARTITION_TAGS[1:]

OF_THE_RUN_ITSELF = (
    "dagster/auto_retry_run_id",
    "dagster/backfill",
    "dagster/failure_reason",
    "dagster/is_resume_retry",
    "dagster/parent_backfill",
    "dagster/parent_run_id",
    "dagster/retry_number",
    "dagster/root_backfill",
    "dagster/root_run_id",
    "dagster/step_selection",
    "dagster/will_retry",
)
"""Tags that say what happened to a run, not what it is to do; so do all that begin with `.dagster/`."""

SHORTEST_PREFIX = 4


class RunRecordError(Exception):
    """There is no such run, or it cannot be retried; the message says why and what to do."""


@dataclass(frozen=True)
class Work:
    """The assets that a run was to materialize, and those whose step did not succeed."""

    planned: frozenset[dg.AssetKey]
    missing: frozenset[dg.AssetKey]


def find_run(instance: dg.DagsterInstance, name: str, *, locks: Path) -> dg.DagsterRun:
    """A run by its id, the beginning of its id, or "last" for the latest one that did not succeed.

    The last one is not one that is under way or waits in the queue: it may yet succeed. `locks` is the folder of the
    runs' locks.

    Raises:
        RunRecordError: there is none, or several begin like that.
    """
    if name == LAST:
        return _last_unsuccessful(instance, locks)
    exact = instance.get_run_by_id(name)
    if exact is not None:
        return exact
    found = [run_id for run_id in instance.get_run_ids() if run_id.startswith(name)]
    if len(name) < SHORTEST_PREFIX or len(found) != 1:
        what = "No run's id begins" if not found else f"{len(found)} runs' ids begin"
        raise RunRecordError(
            f"{what} with {name!r}: give at least {SHORTEST_PREFIX} characters of one id (packaging runs list)."
        )
    return found_run(instance, found[0])


def found_run(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    """A run that is known to be there.

    Raises:
        RunRecordError: it was deleted at this moment.
    """
    run = instance.get_run_by_id(run_id)
    if run is None:
        raise RunRecordError(f"Run {run_id} is not in Dagster's record any more.")
    return run


def _last_unsuccessful(instance: dg.DagsterInstance, locks: Path) -> dg.DagsterRun:
    wanted = [status for status in dg.DagsterRunStatus if status != dg.DagsterRunStatus.SUCCESS]
    for run in instance.get_runs(dg.RunsFilter(statuses=wanted)):
        if not is_on_its_way(instance, run, locks):
            return run
    raise RunRecordError("No run has failed: there is nothing to retry.")


def work_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Work:
    """What the run was to do and what of it is missing, by the events it left."""
    planned: dict[dg.AssetKey, str | None] = {}
    succeeded: set[str | None] = set()
    wanted = {dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.STEP_SUCCESS}
    for entry in instance.all_logs(run.run_id, of_type=wanted):
        event: Any = entry.dagster_event
        if event.event_type == dg.DagsterEventType.STEP_SUCCESS:
            succeeded.add(event.step_key)
        else:
            planned[event.asset_key] = event.step_key
    missing = frozenset(key for key, step in planned.items() if step not in succeeded)
    return Work(frozenset(planned), missing)


def taken_up_since(
    instance: dg.DagsterInstance, run: dg.DagsterRun, missing: Iterable[dg.AssetKey]
) -> Iterator[dg.DagsterRun]:
    """Later runs, newest first, that succeeded or have not ended, and were to do all of that.

    For the same partition, that is, and with the same overrides.
    """
    wanted = frozenset(missing)
    record = instance.get_run_record_by_id(run.run_id)
    later = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.SUCCESS, *UNFINISHED],
        created_after=record.create_timestamp if record else None,
    )
    for other in instance.get_runs(later):
        if _aim(other) == _aim(run) and wanted <= work_of(instance, other).planned:
            yield other


def _aim(run: dg.DagsterRun) -> tuple[str | None, ...]:
    return tuple(run.tags.get(tag) for tag in (*PARTITION_TAGS, OVERRIDES_TAG))


def partition_of(run: dg.DagsterRun) -> str:
    """The run's partition, or its range of partitions; "-" if it has none."""
    return partition_or_range(run) or "-"


def partition_or_range(run: dg.DagsterRun) -> str | None:
    """The run's partition, or its range of partitions as `first..last`, if it has one."""
    first, last = (run.tags.get(tag) for tag in RANGE_TAGS)
    return f"{first}..{last}" if first else run.tags.get(PARTITION_TAG)


def tags_of_retry(run: dg.DagsterRun) -> dict[str, str]:
    """The tags under which a run goes on: its partition, its overrides, and whatever else it was to do."""
    kept = {
        name: value
        for name, value in run.tags.items()
        if name not in OF_THE_RUN_ITSELF and not name.startswith(".dagster/")
    }
    return {**kept, "dagster/is_resume_retry": "true"}


def asset_of_step(step_key: str) -> str:
    """What the step materializes, as the platform calls it: `mailer/model`. A model's name may hold `__`, too."""
    return "/".join(step_key.rsplit("__", maxsplit=1))


def raised(event: dg.DagsterEvent) -> SerializableErrorInfo | None:
    """The exception that a step's code let out, without Dagster's around it.

    What was behind it is left out: an error of the platform says what was wrong and what to do, its causes do not.
    """
    error: Any = getattr(event.event_specific_data, "error", None)
    while error is not None and error.cause is not None and str(error.cls_name).startswith("Dagster"):
        error = error.cause
    return error


def class_and_sentence(error: SerializableErrorInfo) -> tuple[str, str]:
    """The class of an exception, without its module, and the first line of what it says, "" if it says nothing.

    Dagster puts the one before the other.
    """
    line = (error.message.strip().splitlines() or [str(error.cls_name)])[0]
    module_and_class, _, said = line.partition(": ")
    return module_and_class.rpartition(".")[2], said
