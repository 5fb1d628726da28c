"""Runs Dagster's jobs in this process, over the home's own Dagster storage, so that the UI shows what was run."""

import time
import uuid
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from packaging_assets.abandoned_runs import (
    Standing,
    is_on_its_way,
    run_lock,
    settle,
    settle_abandoned_runs,
    standing_of,
    tags_of_lock,
)
from packaging_assets.dagster_storage import instance_ref
from packaging_assets.definitions import build_definitions
from packaging_assets.home import prepare_home
from packaging_assets.jobs import JOBS, SHADOW_JOBS
from packaging_assets.run_records import (
    PARTITION_TAG,
    RunRecordError,
    asset_of_step,
    class_and_sentence,
    find_run,
    found_run,
    partition_of,
    raised,
    tags_of_retry,
    taken_up_since,
    work_of,
)
from packaging_assets.settings import Settings
from packaging_assets.sqlite_storage import releasing, with_home_storage
from packaging_assets.threads.pools import when_kept_waiting

# Four helper processes would catch the output of steps that run in this process and print nothing.
NO_COMPUTE_LOGS = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

NO_TAGS: Mapping[str, str] = MappingProxyType({})

IMPLICIT_JOB = "__ASSET_JOB"
"""What Dagster calls the job of assets that were chosen in the UI."""

PARTITION_KEYS = {
    "warehouse": "days are named by their date",
    "weekly": "weeks are named by their Monday",
    "daily": "days are named by their date",
    "monthly": "months are named by their first day",
    "daily_shadow": "days are named by their date",
    "monthly_shadow": "months are named by their first day",
}


class StepFailure(NamedTuple):
    """A failed step, or a run that failed outside of its steps: class, asset (none: outside), what to tell people."""

    error: str
    asset: str
    said: str

    @property
    def sentence(self) -> str:
        """What to tell people, with where."""
        return f"{self.asset}: {self.said}" if self.asset else self.said


class JobFailedError(Exception):
    """Steps of a job failed; the message names job, partition, steps, causes and run."""

    def __init__(self, message: str, failures: Sequence["StepFailure"]) -> None:
        super().__init__(message)
        self.failures = tuple(failures)


class UnknownPartitionError(Exception):
    """A job has no partition of that key; the message names those there are."""


@dataclass(frozen=True)
class JobRun:
    """What a job did: `cache` says for each asset that is an artifact whether its step was a hit or a miss.

    `differing` names the files in which steps that were computed again differ from the artifacts that were there.
    """

    job: str
    partition: str
    run_id: str
    seconds: float
    cache: Mapping[str, str]
    differing: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What Dagster is asked to run."""

    job: str
    partition: str
    key: str | None
    tags: Mapping[str, str]
    assets: Sequence[dg.AssetKey] | None = None
    config: Mapping[str, Any] = field(default_factory=lambda: QUIET)
    parent: dg.DagsterRun | None = None


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
        ref = instance_ref(settings.dagster_home, overrides=NO_COMPUTE_LOGS)
        return cls(definitions, dg.DagsterInstance.from_ref(with_home_storage(ref)), settings.dagster_home)

    @property
    def locks(self) -> Path:
        """The folder with a lock for each run under way in a process like this one."""
        return self.folder / "locks"

    def run(
        self,
        job: str,
        *,
        first: str,
        last: str | None = None,
        on_step: Callable[[str], None] | None = None,
        tags: Mapping[str, str] = NO_TAGS,
        assets: Sequence[dg.AssetKey] | None = None,
    ) -> JobRun:
        """Run a job for one partition, or for the range from `first` to `last` in one run, with some tags of its own.

        `assets` are those of the job's to materialize, by default all. What other runs held that were killed in the
        middle is freed first, and whenever this one waits for a place in a pool.

        Raises:
            UnknownPartitionError: the job has no such partition.
            JobFailedError: a step failed; what had finished stays, and a re-run starts where it failed.
        """
        definition = self.check(job, first=first, last=last)
        work = _Run(
            job=job,
            partition=f"{first}..{last}" if last else first,
            key=None if last else first,
            tags={**tags, **tags_of_lock(), **(_range_tags(first, last) if last else {})},
            assets=assets,
        )
        return self._execute(definition, work, on_step)

    def check(self, job: str, *, first: str, last: str | None = None) -> dg.JobDefinition:
        """The job, if it has the partition, or both ends of the range from `first` to `last`.

        Raises:
            UnknownPartitionError: it has not.
        """
        definition = self._definition(job)
        for key in (first, last or first):
            _check_partition(job, definition, key)
        if last is not None and last < first:
            raise UnknownPartitionError(f"The range {first}..{last} begins after it ends: name the earlier one first.")
        return definition

    def _definition(self, job: str) -> dg.JobDefinition:
        try:
            return self.definitions.resolve_job_def(JOBS[job].name)
        except dg.DagsterInvariantViolationError:
            if job not in SHADOW_JOBS:
                raise
            raise UnknownPartitionError(
                f"The {job} job has no partitions, since the project has no shadow model: give a model's YAML "
                "`stage: shadow`, and train it first."
            ) from None

    def retry(self, name: str, *, force: bool = False, on_step: Callable[[str], None] | None = None) -> JobRun:
        """Go on with a run from where it failed, with its partition, tags and config: only what is missing is run.

        Args:
            name: the run's id, the beginning of it, or "last" (see `find_run`).
            force: take an unfinished run's process for gone although nothing tells.
            on_step: called with each step's name when it begins.

        Raises:
            RunRecordError: there is no such run, or nothing is to be done for it; the message says why.
            JobFailedError: a step failed (again).
        """
        parent = self._ended(find_run(self.instance, name, locks=self.locks), force=force)
        definition = self._job_of(parent)
        work = _Run(
            job=short_name(parent.job_name),
            partition=partition_of(parent),
            key=None,
            tags={**tags_of_retry(parent), **tags_of_lock()},
            assets=self._missing(parent, definition),
            config={**QUIET, **parent.run_config},
            parent=parent,
        )
        return self._execute(definition, work, on_step)

    def _ended(self, run: dg.DagsterRun, *, force: bool) -> dg.DagsterRun:
        """The run once it is certain that nothing works at it any more, settled if it was killed."""
        if run.is_success:
            raise RunRecordError(f"Run {run.run_id} succeeded: there is nothing to retry.")
        standing = standing_of(self.instance, run, self.locks)
        if standing == Standing.FINISHED:
            return run
        if standing == Standing.UNDER_WAY:
            raise RunRecordError(f"Run {run.run_id} is still under way: wait until it has ended, or end it.")
        if standing == Standing.UNKNOWN and not force:
            raise RunRecordError(
                f"Dagster counts run {run.run_id} as {run.status.value}, and nothing tells whether a process works at "
                "it or will: look at it in the UI, and if none does, add --force."
            )
        settle(self.instance, run, self.locks)
        return found_run(self.instance, run.run_id)

    def _missing(self, run: dg.DagsterRun, definition: dg.JobDefinition) -> list[dg.AssetKey]:
        """What the run left undone, without what was of a model that has been deleted or renamed since."""
        work = work_of(self.instance, run)
        if not work.planned:
            raise RunRecordError(
                f"Run {run.run_id} of {run.job_name} was not to materialize anything: launch the job again."
            )
        if not work.missing:
            raise RunRecordError(f"Every step of run {run.run_id} had finished before it ended: nothing is missing.")
        missing = sorted(work.missing.intersection(definition.asset_layer.selected_asset_keys))
        if not missing:
            gone = ", ".join(key.to_user_string() for key in sorted(work.missing))
            raise RunRecordError(
                f"What run {run.run_id} left is not in the project any more ({gone}): run the job again."
            )
        for later in taken_up_since(self.instance, run, missing):
            if later.is_success:
                raise RunRecordError(
                    f"Run {later.run_id} has since done all that run {run.run_id} left: nothing is missing."
                )
            if is_on_its_way(self.instance, later, self.locks):
                raise RunRecordError(
                    f"Run {later.run_id} is to do all that run {run.run_id} left, and has not ended: wait for it."
                )
        return missing

    def _job_of(self, run: dg.DagsterRun) -> dg.JobDefinition:
        if run.job_name == IMPLICIT_JOB:
            return self.definitions.resolve_implicit_global_asset_job_def()
        try:
            return self.definitions.resolve_job_def(run.job_name)
        except dg.DagsterInvariantViolationError:
            raise RunRecordError(
                f"Run {run.run_id} was of job {run.job_name!r}, which there is not any more: run another."
            ) from None

    def _execute(self, definition: dg.JobDefinition, work: "_Run", on_step: Callable[[str], None] | None) -> JobRun:
        self._settle_abandoned()
        run_id = str(uuid.uuid4())
        if on_step:
            self.instance.add_event_listener(run_id, _step_listener(on_step))
        started = time.perf_counter()
        with (
            releasing(self.instance),
            run_lock(self.locks, run_id),
            self._output_to_log(run_id),
            when_kept_waiting(self._settle_abandoned),
        ):
            result = self._run(definition, work, run_id)
        if not result.success:
            failures = [_failure(event) for event in result.all_events if event.is_step_failure] or [
                _failure(event) for event in result.all_events if event.is_run_failure
            ]
            what = "; ".join(_of_one_cause(failures)) or "see its log in the UI"
            raise JobFailedError(f"{work.job} for {work.partition} failed: {what} (run {run_id})", failures)
        seconds = time.perf_counter() - started
        return JobRun(work.job, work.partition, run_id, seconds, _cache(result), _differing(result))

    def _settle_abandoned(self) -> None:
        settle_abandoned_runs(self.instance, self.locks)

    def _run(self, definition: dg.JobDefinition, work: "_Run", run_id: str) -> dg.JobExecutionResult:
        """Run with the definitions' executor, which `execute_in_process` would replace by its own."""
        parent = work.parent
        run = self.instance.create_run_for_job(
            definition,
            run_id=run_id,
            run_config=work.config,
            tags={**definition.run_tags, **work.tags, **({PARTITION_TAG: work.key} if work.key else {})},
            asset_selection=frozenset(work.assets) if work.assets else None,
            parent_run_id=parent.run_id if parent else None,
            root_run_id=(parent.root_run_id or parent.run_id) if parent else None,
        )
        return execute_run(InMemoryJob(definition), run, self.instance)

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
            on_step(asset_of_step(event.step_key))

    return listen


def _failure(event: dg.DagsterEvent) -> StepFailure:
    asset = asset_of_step(event.step_key) if event.step_key else ""
    error = raised(event)
    if error is None:
        return StepFailure("", asset, event.message or "no message")
    _, said = class_and_sentence(error)
    return StepFailure(error.cls_name or "", asset, said or error.message.strip())


def _of_one_cause(failures: Iterable[StepFailure]) -> list[str]:
    """A sentence for each cause, with all the assets that failed by it."""
    assets: dict[str, list[str]] = {}
    for failure in failures:
        assets.setdefault(failure.said, []).append(failure.asset)
    return [StepFailure("", ", ".join(of_cause), said).sentence for said, of_cause in assets.items()]


def short_name(job: str) -> str:
    """The name under which `packaging run` knows a job, or the job's own."""
    return next((name for name, known in JOBS.items() if known.name == job), job)


def _cache(result: dg.JobExecutionResult) -> dict[str, str]:
    return {key: str(value) for key, value in _metadata(result, "cache")}


def _differing(result: dg.JobExecutionResult) -> dict[str, Sequence[str]]:
    return dict(_metadata(result, "differing_files"))


def _metadata(result: dg.JobExecutionResult, name: str) -> Generator[tuple[str, Any]]:
    """Asset key and value, for each materialization with metadata of that name."""
    for event in result.all_events:
        if event.is_step_materialization:
            materialization = event.step_materialization_data.materialization
            if name in materialization.metadata:
                yield materialization.asset_key.to_user_string(), materialization.metadata[name].value
