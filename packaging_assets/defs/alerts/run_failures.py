"""What went wrong in a run: failed checks, models that were not approved, failed steps.

Of a shadow model nothing is packed and nothing waits for a person: it is told of, once a run and as a warning, if the
gates rejected it or it could not score.

A run that Dagster retried by itself is read together with its earlier attempts: the last evaluation of a check and
the last decision about a model count, and only the last attempt can have failed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from packaging_assets.components.reasons import from_list, from_markdown
from packaging_assets.domain.alerts import Alert, Failure, Severity, check_key, run_key, without_told_reasons
from packaging_assets.domain.registry import Status
from packaging_assets.jobs import SHADOW_JOBS
from packaging_assets.run_records import asset_of_step, class_and_sentence, partition_or_range, raised

Owners = Callable[[dg.AssetKey], tuple[str, ...]]
"""Who answers for an asset."""

FindCard = Callable[[str, str], str | None]
"""Where the model card of a model and week lies, if there is one."""

RETRY_NUMBER = "dagster/retry_number"
REGISTERED_MODEL, METRICS = "registered_model", "metrics"
DECISIONS: Mapping[tuple[str, str], tuple[str, Severity]] = {
    ("live", Status.REJECTED): ("rejected", "error"),
    ("live", Status.PENDING): ("waits for review", "warning"),
    ("shadow", Status.REJECTED): ("rejected as a shadow", "warning"),
}
"""By stage and status of a version: what is told of it."""

SHADOW_JOB_NAMES = frozenset(job.name for job in SHADOW_JOBS.values())
OF_INTEREST = {
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
}


@dataclass(frozen=True)
class RunReader:
    """Where runs are read, and what is known about their assets."""

    instance: dg.DagsterInstance
    owners: Owners
    find_card: FindCard
    ui_url: str

    def alert(self, run: dg.DagsterRun) -> Alert | None:
        """The message about a run that has ended; None if nothing went wrong."""
        attempts = [self._events(attempt.run_id) for attempt in attempts_of(self.instance, run)]
        everything = [event for events in attempts for event in events]
        failures = (
            *self._ending(run, attempts[-1]),
            *self._decisions(run, everything),
            *self._checks(run, everything),
        )
        return self.message(run, without_told_reasons(failures)) if failures else None

    def message(self, run: dg.DagsterRun, failures: Sequence[Failure]) -> Alert:
        """A message about a run."""
        return Alert(
            subject=" ".join(part for part in (_job_name(run), partition_or_range(run)) if part),
            failures=tuple(failures),
            run_url=f"{self.ui_url.rstrip('/')}/runs/{run.run_id}",
        )

    def owners_of(self, run: dg.DagsterRun) -> tuple[str, ...]:
        """Who answers for any asset that the run was to materialize."""
        return self._owners_of_all(self._events(run.run_id))

    def _owners_of_all(self, events: Sequence[dg.DagsterEvent]) -> tuple[str, ...]:
        planned = {event.asset_key for event in events if event.is_asset_materialization_planned and event.asset_key}
        return tuple(sorted({owner for key in planned for owner in self.owners(key)}))

    def _events(self, run_id: str) -> list[dg.DagsterEvent]:
        return [entry.get_dagster_event() for entry in self.instance.all_logs(run_id, of_type=OF_INTEREST)]

    def _ending(self, run: dg.DagsterRun, events: Sequence[dg.DagsterEvent]) -> Iterator[Failure]:
        """How the run itself ended, unless well: a failure for each failed step, or one for the whole."""
        severity: Severity = "warning" if run.job_name in SHADOW_JOB_NAMES else "error"
        if run.status is dg.DagsterRunStatus.CANCELED:
            yield self._run_failure(run, events, "cancelled", "The run was cancelled.", "warning")
        elif run.status is dg.DagsterRunStatus.FAILURE:
            steps = [event for event in events if event.is_step_failure]
            for event in steps:
                step = str(event.step_key)
                failure = self._run_failure(run, events, "failed", _cause(event), severity, step)
                yield failure.model_copy(update={"subject": asset_of_step(step)})
            if not steps:
                causes = [event.message for event in events if event.is_run_failure and event.message]
                yield self._run_failure(run, events, "failed", (causes or ["It says nothing of why."])[-1], severity)

    def _run_failure(
        self,
        run: dg.DagsterRun,
        events: Sequence[dg.DagsterEvent],
        ending: str,
        sentence: str,
        severity: Severity,
        step: str = "-",
    ) -> Failure:
        return Failure(
            key=run_key(run.run_id, ending, step),
            kind="run",
            severity=severity,
            headline="the run failed" if ending == "failed" else "the run was cancelled",
            sentence=sentence,
            partition=partition_or_range(run),
            owners=self._owners_of_all(events),
        )

    def _decisions(self, run: dg.DagsterRun, events: Sequence[dg.DagsterEvent]) -> Iterator[Failure]:
        """A failure for each model and week whose last version the gates rejected, or left to a person."""
        last = {(model, _week(run, event)): event for model, event in _registrations(events)}
        for (model, week), event in last.items():
            metadata = event.step_materialization_data.materialization.metadata
            stage, status = str(_value(metadata, "stage") or "live"), str(_value(metadata, "status"))
            if (stage, status) not in DECISIONS:
                continue
            headline, severity = DECISIONS[stage, status]
            yield Failure(
                key=run_key(run.run_id, "model", model, week),
                kind="model",
                severity=severity,
                headline=headline,
                sentence=f"version {_value(metadata, 'version')} is {status}.",
                subject=model,
                model=model,
                partition=week,
                reasons=from_list(str(_value(metadata, "reasons") or "")),
                owners=self.owners(dg.AssetKey([model, REGISTERED_MODEL])),
                model_card=self.find_card(model, week),
            )

    def _checks(self, run: dg.DagsterRun, events: Sequence[dg.DagsterEvent]) -> Iterator[Failure]:
        """A failure for each check whose last evaluation, for its partition, is that it failed.

        The gates of a shadow model are left out: its rejection tells them.
        """
        last: dict[str, Failure | None] = {}
        shadows = {model for model, event in _registrations(events) if _is_shadow(event)}
        for event in events:
            if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                if _model_of_gate(event.asset_check_evaluation_data.asset_key) in shadows:
                    continue
                failure = self._check(run, event.asset_check_evaluation_data)
                last[failure.key] = None if event.asset_check_evaluation_data.passed else failure
        yield from (failure for failure in last.values() if failure)

    def _check(self, run: dg.DagsterRun, evaluation: Any) -> Failure:
        key: dg.AssetKey = evaluation.asset_key
        asset = key.to_user_string()
        partition = evaluation.partition or partition_or_range(run)
        metadata = evaluation.metadata
        said = from_markdown(evaluation.description or "it says no more.")
        return Failure(
            key=check_key(run.run_id, asset, evaluation.check_name, partition),
            kind="check",
            severity="warning" if evaluation.severity is dg.AssetCheckSeverity.WARN else "error",
            headline=evaluation.check_name,
            sentence=f"{evaluation.check_name}: {said}",
            subject=asset,
            model=_model_of_gate(key),
            partition=partition,
            value=_figure(metadata, "value", "dagster_dbt/failed_row_count"),
            limit=_figure(metadata, "limit"),
            remedy=_value(metadata, "remedy"),
            owners=self.owners(key),
        )


def _registrations(events: Sequence[dg.DagsterEvent]) -> Iterator[tuple[str, dg.DagsterEvent]]:
    """The models that were registered, and the events that say so."""
    for event in events:
        if event.is_step_materialization and event.asset_key and list(event.asset_key.path[1:]) == [REGISTERED_MODEL]:
            yield event.asset_key.path[0], event


def _week(run: dg.DagsterRun, registration: dg.DagsterEvent) -> str:
    return str(registration.partition or partition_or_range(run) or "-")


def _is_shadow(registration: dg.DagsterEvent) -> bool:
    return _value(registration.step_materialization_data.materialization.metadata, "stage") == "shadow"


def _model_of_gate(key: dg.AssetKey) -> str | None:
    """The model that a check on this asset is a gate of; None if it is none."""
    return key.path[0] if list(key.path[1:]) == [METRICS] else None


def attempts_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[dg.DagsterRun]:
    """The run and the earlier attempts that Dagster retried by itself, oldest first."""
    attempts = [run]
    while RETRY_NUMBER in attempts[0].tags and attempts[0].parent_run_id:
        parent = instance.get_run_by_id(attempts[0].parent_run_id)
        if parent is None:
            break
        attempts.insert(0, parent)
    return attempts


def _job_name(run: dg.DagsterRun) -> str:
    """Assets that somebody materializes by hand run in a job that Dagster makes up."""
    return "ad-hoc run" if run.job_name.startswith("__") else run.job_name


def _cause(event: dg.DagsterEvent) -> str:
    """Class and first line of the exception that the step ended with."""
    error = raised(event)
    if error is None:
        return event.message or "It says nothing of why."
    name, said = class_and_sentence(error)
    return f"{name}: {said}" if said else name


def _value(metadata: Mapping[str, Any], name: str) -> Any:
    return metadata[name].value if name in metadata else None


def _figure(metadata: Mapping[str, Any], *names: str) -> float | None:
    found = [_value(metadata, name) for name in names]
    return next((float(figure) for figure in found if isinstance(figure, int | float)), None)
