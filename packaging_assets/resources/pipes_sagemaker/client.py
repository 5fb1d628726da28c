"""Runs a SageMaker job from a Dagster asset, and tells Dagster what it reports."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster._core.definitions.resource_annotation import TreatAsResourceParam
from dagster._core.errors import DagsterPipesExecutionError
from dagster_pipes import PipesExtras

from packaging_assets.resources.pipes_sagemaker.context_files import (
    PipesSageMakerContextFile,
    PipesSageMakerContextFiles,
)
from packaging_assets.resources.pipes_sagemaker.job_kinds import FINAL_STATUSES, JobKind, kind_of
from packaging_assets.resources.pipes_sagemaker.job_log import JobLog
from packaging_assets.resources.pipes_sagemaker.log_reader import PipesSageMakerLogReader

LATE_LOOKS = 6
"""So often the log is looked at again after the end of a job that has not closed its session: CloudWatch is late."""


class PipesSageMakerJobError(DagsterPipesExecutionError):
    """The job failed or was stopped, and the message has its reason and the end of its log; or no log can be read."""


class PipesSageMakerClient(dg.PipesClient, TreatAsResourceParam):
    """Runs a training, processing or transform job in a Pipes session.

    What the job prints goes to the run's log, block by block, and what it reports by Pipes becomes Dagster's. A run
    that is started again finds the job of the same name, running or completed, and takes its results from its log. A
    run that is cancelled stops the job.

    Args:
        client: a boto3 SageMaker client.
        logs: a boto3 CloudWatch Logs client.
        context_injector: by default the environment, which suits transform jobs and short contexts; a
            `PipesSageMakerContextFiles` suits all others.
        message_reader: by default the job's log. With another the log's lines are passed on all the same.
        forward_termination: whether a cancelled run stops its job.
        poll_seconds: between two looks at a job.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        client: Any,
        logs: Any,
        *,
        context_injector: dg.PipesContextInjector | PipesSageMakerContextFiles | None = None,
        message_reader: dg.PipesMessageReader | None = None,
        forward_termination: bool = True,
        poll_seconds: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._logs = client, logs
        self._context_injector = context_injector or dg.PipesEnvContextInjector()
        self._message_reader = message_reader
        self._forward_termination = forward_termination
        self._poll_seconds, self._sleep = poll_seconds, sleep

    @classmethod
    def _is_dagster_maintained(cls) -> bool:
        return False

    def run(  # pyright: ignore[reportIncompatibleMethodOverride] - as every client does, it adds its own arguments
        self,
        *,
        context: dg.OpExecutionContext | dg.AssetExecutionContext,
        create_params: Mapping[str, Any],
        extras: PipesExtras | None = None,
    ) -> dg.PipesClientCompletedInvocation:
        """Run a job to its end.

        Args:
            context: of the asset or op.
            create_params: the parameters of CreateTrainingJob, CreateProcessingJob or CreateTransformJob.
            extras: arbitrary data for the job.

        Raises:
            PipesSageMakerJobError: the job failed or was stopped, or what it reported cannot be read in the end.
            ValueError: the parameters name no job, or the context is too long for the job's environment.
        """
        kind = kind_of(create_params)
        name = str(create_params[kind.name_key])
        reader = self._message_reader or PipesSageMakerLogReader()
        injector = self._injector(kind)
        with dg.open_pipes_session(
            context=context, extras=extras, context_injector=injector, message_reader=reader
        ) as session:
            params = _with_environment(create_params, kind, session.get_bootstrap_env_vars())
            if isinstance(injector, PipesSageMakerContextFile):
                params = injector.added_to(params)
            with self._stopped_if_cancelled(context, kind, name):
                verb = "started" if kind.create(self._client, params) else "there already; its outcome is taken"
                context.log.info(f"[pipes] {kind.noun} {name} is {verb}.")
                found = _Look(context, JobLog(self._logs, kind.log_group, name), reader)
                description = self._wait(kind, name, found)
            self._read_to_the_end(session, found)
            self._refuse_failure(kind, name, description, found)
            if found.trouble is not None:
                raise PipesSageMakerJobError(f"{kind.noun} {name} is Completed, but its log cannot be read.") from (
                    found.trouble
                )
        return dg.PipesClientCompletedInvocation(session, metadata=_metadata(kind, name, description))

    def _injector(self, kind: JobKind) -> dg.PipesContextInjector:
        if isinstance(self._context_injector, PipesSageMakerContextFiles):
            return self._context_injector.for_job(kind)
        return self._context_injector

    def _wait(self, kind: JobKind, name: str, found: _Look) -> dict[str, Any]:
        while True:
            description = kind.describe(self._client, name)
            found.pass_on()
            if kind.status(description) in FINAL_STATUSES:
                return description
            self._sleep(self._poll_seconds)

    def _read_to_the_end(self, session: dg.PipesSession, found: _Look) -> None:
        """Until the job's session is closed; a job that has not opened one by its end is hardly waited for."""
        handler = session.message_handler
        for look in range(LATE_LOOKS):
            found.pass_on()
            is_silent = look > 0 and not handler.received_opened_message and found.trouble is None
            if handler.received_closed_message or is_silent:
                return
            self._sleep(self._poll_seconds)

    def _refuse_failure(self, kind: JobKind, name: str, description: Mapping[str, Any], found: _Look) -> None:
        status = kind.status(description)
        if status != "Completed":
            raise PipesSageMakerJobError(
                f"{kind.noun} {name} is {status}. {kind.reason(description)}\nThe end of its log:\n{found.tail()}"
            )

    @contextmanager
    def _stopped_if_cancelled(
        self, context: dg.OpExecutionContext | dg.AssetExecutionContext, kind: JobKind, name: str
    ) -> Generator[None]:
        try:
            yield
        except Exception:
            raise  # the job goes on, and the next run finds it
        except BaseException:  # Dagster's interruption, like Ctrl-C, is no Exception
            if self._forward_termination:
                context.log.info(f"[pipes] execution interrupted, stopping {kind.noun} {name}.")
                with contextlib.suppress(Exception):  # the cancellation itself must not be lost
                    kind.stop(self._client, name)
            raise


class _Look:
    """What a job prints, on its way to Dagster; `trouble` is why CloudWatch could not be asked the last time."""

    def __init__(
        self,
        context: dg.OpExecutionContext | dg.AssetExecutionContext,
        log: JobLog,
        reader: dg.PipesMessageReader,
    ) -> None:
        self._context, self._log, self._reader = context, log, reader
        self.trouble: Exception | None = None

    def pass_on(self) -> None:
        """What has come since the last time; a job that goes well does not fail because a look at its log did."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            lines = self._log.new_lines()
        except (BotoCoreError, ClientError) as error:
            self.trouble = error
            return
        self.trouble = None
        if isinstance(self._reader, PipesSageMakerLogReader):
            lines = self._reader.take(lines)
        if lines:
            self._context.log.info("\n".join(lines))

    def tail(self) -> str:
        """The last lines."""
        return self._log.tail()


def _with_environment(params: Mapping[str, Any], kind: JobKind, added: Mapping[str, str]) -> dict[str, Any]:
    """The create parameters with some environment variables more.

    Raises:
        ValueError: one is longer than jobs of the kind take.
    """
    for variable, value in added.items():
        if len(value) > kind.environment_characters:
            raise ValueError(
                f"{variable} has {len(value)} characters and the environment of a {kind.noun} takes "
                f"{kind.environment_characters}: give the client a PipesSageMakerContextFiles."
            )
    return {**params, "Environment": {**params.get("Environment", {}), **added}}


def _metadata(kind: JobKind, name: str, description: Mapping[str, Any]) -> dict[str, Any]:
    seconds = kind.seconds(description)
    arn = str(description.get(f"{kind.noun}Arn", ""))
    return {
        "SageMaker job": name,
        "SageMaker job ARN": arn,
        "SageMaker log group": kind.log_group,
        **({} if seconds is None else {"SageMaker billable seconds": dg.MetadataValue.float(seconds)}),
    }
