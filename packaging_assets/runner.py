"""Runs Dagster's jobs in this process, over the home's own Dagster storage, so that the UI shows what was run."""

import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from packaging_assets.abandoned_runs import LOCKED_TAG, run_lock, settle_abandoned_runs
from packaging_assets.definitions import build_definitions
from packaging_assets.home import prepare_home
from packaging_assets.jobs import JOBS
from packaging_assets.settings import Settings
from packaging_assets.sqlite_storage import unhurried_sqlite

# Four helper processes would catch the output of steps that run in this process and print nothing.
NO_COMPUTE_LOGS = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

PARTITION_KEYS = {
    "warehouse": "days are named by their date",
    "weekly": "weeks are named by their Monday",
    "daily": "days are named by their date",
    "monthly": "months are named by their first day",
}


class StepFailure(NamedTuple):
    """A failed step: its error's class, and what to tell people."""

    error: str
    sentence: str


class JobFailedError(Exception):
    """Steps of a job failed; the message names job, partition, steps, causes and run."""

    def __init__(self, message: str, failures: Sequence["StepFailure"]) -> None:
        super().__init__(message)
        self.failures = tuple(failures)


class UnknownPartitionError(Exception):
    """A job has no partition of that key; the message names those there are."""


@dataclass(frozen=True)
class JobRun:
    """What a job did: `cache` says for each asset that is an artifact whether its step was a hit or a miss."""

    job: str
    partition: str
    run_id: str
    seconds: float
    cache: Mapping[str, str]


@dataclass(frozen=True)
class JobRunner:
    """A home's definitions and Dagster storage, ready to run jobs."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    folder: Path

    @classmethod
    def for_home(cls, settings: Settings, *, resource_overrides: Mapping[str, Any] | None = None) -> "JobRunner":
        """Prepare the home if need be, load its definitions and open its storage."""
        prepare_home(settings)
        definitions = build_definitions(settings, resource_overrides=resource_overrides)
        ref = InstanceRef.from_dir(str(settings.dagster_home), overrides=NO_COMPUTE_LOGS)  # type: ignore[arg-type]
        return cls(definitions, dg.DagsterInstance.from_ref(ref), settings.dagster_home)

    def run(
        self, job: str, *, first: str, last: str | None = None, on_step: Callable[[str], None] | None = None
    ) -> JobRun:
        """Run a job for one partition, or for the range from `first` to `last` in one run.

        What earlier runs held that were killed in the middle is freed first.

        Raises:
            UnknownPartitionError: the job has no such partition.
            JobFailedError: a step failed; what had finished stays, and a re-run starts where it failed.
        """
        definition = self.definitions.resolve_job_def(JOBS[job].name)
        for key in (first, last or first):
            _check_partition(job, definition, key)
        locks = self.folder / "locks"
        settle_abandoned_runs(self.instance, locks)
        run_id = str(uuid.uuid4())
        if on_step:
            self.instance.add_event_listener(run_id, _step_listener(on_step))
        started = time.perf_counter()
        with unhurried_sqlite(self.folder), run_lock(locks, run_id), self._output_to_log(run_id):
            result = definition.execute_in_process(
                instance=self.instance,
                run_id=run_id,
                partition_key=None if last else first,
                tags={**LOCKED_TAG, **(_range_tags(first, last) if last else {})},
                run_config=QUIET,
                raise_on_error=False,
            )
        partition = f"{first}..{last}" if last else first
        if not result.success:
            failures = [_failure(event) for event in result.all_events if event.is_step_failure]
            what = "; ".join(failure.sentence for failure in failures) or "see its log in the UI"
            raise JobFailedError(f"{job} for {partition} failed: {what} (run {run_id})", failures)
        return JobRun(job, partition, run_id, time.perf_counter() - started, _cache(result))

    @contextmanager
    def _output_to_log(self, run_id: str) -> Generator[None]:
        """Keep what steps print (dbt does) off the terminal, in a file beside Dagster's own."""
        folder = self.folder / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{run_id}.log").open("w", encoding="utf-8") as log, redirect_stdout(log):
            yield


def _check_partition(job: str, definition: dg.JobDefinition, key: str) -> None:
    partitions = definition.partitions_def
    if partitions is not None and not partitions.has_partition_key(key):
        keys = partitions.get_partition_keys()
        known = f"they go from {keys[0]} to {keys[-1]}" if keys else "none is over yet"
        raise UnknownPartitionError(
            f"{key!r} is not a partition of the {job} job: {PARTITION_KEYS[job]}; {known}. The settings first_week and "
            "last_day say where they begin and end."
        )


def _range_tags(first: str, last: str) -> dict[str, str]:
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def _step_listener(on_step: Callable[[str], None]) -> Callable[[dg.EventLogEntry], None]:
    def listen(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event and event.event_type == dg.DagsterEventType.STEP_START and event.step_key:
            on_step(event.step_key.replace("__", "/"))

    return listen


def _failure(event: dg.DagsterEvent) -> StepFailure:
    error: Any = getattr(event.event_specific_data, "error", None)
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return StepFailure("", f"{event.step_key}: {event.message or 'no message'}")
    # Dagster puts the exception's module and class before its message, which says all that the reader needs.
    what = error.message.strip().splitlines()[0].partition(": ")[2] or error.message.strip()
    return StepFailure(error.cls_name or "", f"{str(event.step_key).replace('__', '/')}: {what}")


def _cache(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    found: dict[str, str] = {}
    for event in result.all_events:
        if event.is_step_materialization:
            materialization = event.step_materialization_data.materialization
            if "cache" in materialization.metadata:
                key = "/".join(materialization.asset_key.path)
                found[key] = str(materialization.metadata["cache"].value)
    return found
