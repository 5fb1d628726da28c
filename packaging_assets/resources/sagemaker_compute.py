"""Runs steps as SageMaker jobs, and each job once.

A job is called after the step's fingerprint, so a run that was killed finds its job again, running or completed, and
pays for it once. SageMaker keeps names for ever; a job that failed, or whose result is gone or damaged, is followed by
one of the next number. A result is deleted from S3 when the artifact store has it: who asks for the step again then
wants it run.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from packaging_assets.artifacts.aws_errors import error_code, excused
from packaging_assets.artifacts.job import JobFacts, JobResources
from packaging_assets.artifacts.s3_objects import S3Objects, encryption_arguments
from packaging_assets.artifacts.step import Input, Step, Tell
from packaging_assets.container.step_output import OutputError
from packaging_assets.resources.compute import InProcessCompute
from packaging_assets.resources.instance_prices import with_cost
from packaging_assets.resources.pipes_sagemaker.job_log import JobLog
from packaging_assets.resources.sagemaker_calls import PatientCalls
from packaging_assets.resources.sagemaker_data import JobData, empty
from packaging_assets.resources.sagemaker_errors import (
    ErrorKind,
    JobCapacityError,
    JobError,
    JobFailedError,
    JobServiceError,
    JobStoppedError,
    RetryPolicy,
    kind_of_job_failure,
)
from packaging_assets.resources.sagemaker_job_kinds import JOBS
from packaging_assets.resources.sagemaker_jobs import Jobs, JobSettings, JobState
from packaging_assets.resources.sagemaker_names import job_name
from packaging_assets.resources.sagemaker_progress import JobProgress
from packaging_assets.resources.sagemaker_work import (
    PARTED_STEPS,
    GivenInputs,
    PartedStep,
    Work,
    how_to_run,
    plan_work,
    step_path,
)

MAX_JOBS = 100
"""So many jobs of one fingerprint are looked at: two digits in a name."""

START_SECONDS = 6 * 3600.0
"""A job may take so much longer than it may run until it is given up: for machines to come, and data to go."""


class SageMakerCompute:
    """Runs each step as a training, processing or transform job, or in this process if it is of seconds.

    Args:
        settings: what all jobs share.
        bucket: where their data goes, below `prefix`.
        prefix: without slashes at its ends.
        environment: such as "prod": jobs are called packaging-prod-..., and two environments of one account must
            differ in it.
        default: the machines of steps for which nobody asks for others.
        parted_steps: the steps that can run part by part.
        usd_per_hour: what machines cost by type; costs of others are left out.
        retries: what is tried again how often.
        session: a boto3 session; by default one with the credentials of the process.
        poll_seconds: between two looks at a job.
        sleep: waits for seconds.
        clock: seconds from any moment on.
    """

    def __init__(
        self,
        settings: JobSettings,
        *,
        bucket: str,
        prefix: str = "jobs",
        environment: str = "default",
        default: JobResources | None = None,
        parted_steps: Mapping[str, PartedStep] = PARTED_STEPS,
        usd_per_hour: Mapping[str, float] | None = None,
        retries: RetryPolicy | None = None,
        session: Any = None,
        poll_seconds: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._bucket, self._prefix = bucket, prefix
        self._environment = environment
        self._machines = default or JobResources()
        self._tags: Mapping[str, str] = {}
        self._tell: Tell | None = None
        self._parted_steps = parted_steps
        self._usd_per_hour = usd_per_hour or {}
        self._retries = retries or RetryPolicy()
        self._calls = PatientCalls(self._retries, sleep)
        self._given_session = session
        self._poll_seconds = poll_seconds
        self._sleep, self._clock = sleep, clock

    def using(
        self, resources: JobResources | None, *, tags: Mapping[str, str] | None = None, tell: Tell | None = None
    ) -> SageMakerCompute:
        """The same compute for the steps of one model, say; see `Compute.using`."""
        other = copy.copy(self)
        other.__dict__.update(_machines=resources or self._machines, _tags=tags or {}, _tell=tell)
        return other

    def run(
        self,
        step: Step,
        inputs: Mapping[str, Input],
        params: BaseModel,
        output: Path,
        *,
        scratch: Path,
        fingerprint: str,
        extra_modules: Sequence[str] = (),
    ) -> JobFacts | None:
        """Run the step as a job, or find the job of that fingerprint, and fetch what it wrote.

        Inputs that are in S3 are read there, and not fetched here. The job's data stays until `release`.

        Raises:
            JobFailedError: the step failed, or the container could not run it.
            JobStoppedError: somebody stopped the job, or it took too long.
            JobCapacityError, JobServiceError: SageMaker could not run it, as often as it was tried.
            RequestError: the step or its params cannot be sent to a container.
        """
        path = step_path(step)
        given = GivenInputs(inputs, scratch)
        kind = how_to_run(step, given, self._machines)
        if kind == "driver":
            InProcessCompute().run(step, inputs, params, output, scratch=scratch, fingerprint=fingerprint)
            return None
        work = plan_work(
            step,
            given,
            params,
            kind=kind,
            resources=self._machines,
            parted=self._parted_steps.get(path),
            extra_modules=extra_modules,
            tags={"packaging:environment": self._environment, "packaging:fingerprint": fingerprint, **self._tags},
        )
        return self._run_job(work, output, fingerprint)

    def release(self, job: JobFacts) -> None:
        """Delete the job's data; if that fails the artifact is good all the same, and the lifecycle rule sees to it."""
        with excused():
            self._data.clean(job.name)

    def _run_job(self, work: Work, output: Path, fingerprint: str) -> JobFacts:
        jobs = JOBS[work.kind](self._settings, self._session)
        failures: Counter[ErrorKind] = Counter()
        for number in range(MAX_JOBS):
            name = job_name(self._environment, work.step, fingerprint, number)
            state = self._calls(functools.partial(jobs.describe, name), name)
            if state is not None and not self._is_of_use(state, work):
                continue
            is_of_earlier = state is not None and state.is_over
            state = self._see_through(jobs, name, work, state)
            _forget(jobs, name)
            problem = self._take(jobs, state, work, output)
            if problem is None:
                return self._facts(state, work)
            if is_of_earlier:
                continue  # its result is an artifact since long ago, or was damaged on its way
            kind, error = problem
            failures[kind] += 1
            backoff = self._retries.jobs[kind]
            if failures[kind] >= backoff.attempts:
                raise error
            self._sleep(backoff.pause(failures[kind], name))
        raise JobFailedError(
            f"{MAX_JOBS} jobs for {work.step.__name__} with fingerprint {fingerprint} have failed; see the log of the "
            f"last, {job_name(self._environment, work.step, fingerprint, MAX_JOBS - 1)}, and change what is wrong with "
            "the step."
        )

    def _facts(self, state: JobState, work: Work) -> JobFacts:
        machines = work.resources
        facts = JobFacts(
            name=state.name,
            kind=work.kind,
            instance_type=machines.instance_type,
            instance_count=machines.instance_count,
            seconds=state.seconds,
        )
        return with_cost(facts, self._usd_per_hour)

    @functools.cached_property
    def _session(self) -> Any:
        import boto3

        return self._given_session or boto3.Session(region_name=self._settings.region)

    @functools.cached_property
    def _data(self) -> JobData:
        objects = S3Objects(
            self._session.client("s3"), self._bucket, self._prefix, encryption_arguments(self._settings.kms_key)
        )
        return JobData(objects)

    def _is_of_use(self, state: JobState, work: Work) -> bool:
        """Whether an earlier job may still give, or has given, a result where this compute would look for it."""
        is_ours = state.output.rstrip("/") == self._data.result_of(state.name, work.kind).rstrip("/")
        return is_ours and state.status in {"InProgress", "Completed"}

    def _see_through(self, jobs: Jobs, name: str, work: Work, state: JobState | None) -> JobState:
        """The end of a job, which is started if there is none; a run that is cancelled meanwhile stops it."""
        with self._stopped_if_cancelled(jobs, name), self._progress(jobs, name) as progress:
            if state is None:
                order = self._data.order(name, work)
                self._calls(lambda: _create(jobs, order), name)
                progress.started(work.kind, work.resources)
            else:
                progress.found(work.kind, state.status)
            return self._wait(jobs, name, work, progress)

    def _wait(self, jobs: Jobs, name: str, work: Work, progress: JobProgress) -> JobState:
        deadline = self._clock() + 2 * work.resources.max_runtime_seconds + START_SECONDS
        while True:
            state = self._calls(functools.partial(jobs.describe, name), name)
            progress.look()
            if state is not None and state.is_over:
                return state
            if self._clock() > deadline:
                jobs.stop(name)
                _forget(jobs, name)
                raise JobStoppedError(f"{work.kind.capitalize()} job {name} did not end in time, and was stopped.")
            self._sleep(self._poll_seconds)

    @contextmanager
    def _progress(self, jobs: Jobs, name: str) -> Generator[JobProgress]:
        with contextlib.closing(self._session.client("logs")) as logs:
            yield JobProgress(name, JobLog(logs, jobs.log_group, name), self._tell)

    def _take(self, jobs: Jobs, state: JobState, work: Work, output: Path) -> tuple[ErrorKind, JobError] | None:
        """Fetch the result of a job that is over; None, or what was wrong if another job may do better.

        Raises:
            JobFailedError, JobStoppedError: it would not.
        """
        if state.status == "Completed":
            try:
                self._data.collect(state.name, work, output)
            except OutputError as error:
                empty(output)
                said = f"{work.kind.capitalize()} job {state.name} is completed, but its output is not whole: {error}"
                return "service", JobServiceError(said)
            return None
        if state.status == "Stopped":
            raise JobStoppedError(self._account(jobs, state, work, _why_stopped(state, work)))
        kind = kind_of_job_failure(state.reason)
        error_class = {None: JobFailedError, "capacity": JobCapacityError}.get(kind, JobServiceError)
        reason = state.reason or "SageMaker gives no reason"
        error = error_class(self._account(jobs, state, work, f"failed: {reason}"))
        if kind is None:
            raise error
        return kind, error

    def _account(self, jobs: Jobs, state: JobState, work: Work, what: str) -> str:
        with contextlib.closing(self._session.client("logs")) as logs:
            tail = JobLog(logs, jobs.log_group, state.name).tail()
        return f"{work.kind.capitalize()} job {state.name} {what}\nThe end of its log:\n{tail}"

    @contextmanager
    def _stopped_if_cancelled(self, jobs: Jobs, name: str) -> Generator[None]:
        """Stop the job when the run is cancelled: Dagster, like Ctrl-C, raises what is no Exception."""
        try:
            yield
        except Exception:
            raise  # the job goes on, and the next run finds it
        except BaseException as cancelled:
            cancelled.add_note(self._stop(jobs, name))
            raise

    def _stop(self, jobs: Jobs, name: str) -> str:
        try:
            state = self._calls(functools.partial(jobs.describe, name), name)
            if state is None or state.is_over:
                _forget(jobs, name)
                return f"There is no running job {name} to stop."
            self._calls(functools.partial(jobs.stop, name), name)
            _forget(jobs, name)
        except Exception as error:  # noqa: BLE001 - the cancellation itself must not be lost
            return f"Job {name} could not be stopped, and may be running still: {error}"
        return f"Job {name} was stopped."


def _forget(jobs: Jobs, name: str) -> None:
    """Delete what a job that is over, or was told to stop, leaves in SageMaker, unless another run has done so."""
    with excused():
        jobs.forget(name)


def _create(jobs: Jobs, order: Any) -> None:
    """Start a job, or find that another process, or an earlier call whose answer was lost, has started it."""
    from botocore.exceptions import ClientError

    try:
        jobs.create(order)
    except ClientError as error:
        if error_code(error) != "ResourceInUse":
            raise


def _why_stopped(state: JobState, work: Work) -> str:
    limit = f"{work.resources.max_runtime_seconds} s that it may run (max_runtime_minutes of the model's instances)"
    if state.detail in {"MaxRuntimeExceeded", "MaxWaitTimeExceeded"}:
        return f"was stopped after the {limit}."
    return f"was stopped: by somebody, or after the {limit}. {state.reason}".rstrip()
