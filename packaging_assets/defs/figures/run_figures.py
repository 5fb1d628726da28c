"""What a run that has ended says of models and jobs, as figures with the times of its events.

A result that an earlier run told of, because it was in the cache, gives no figures again.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from packaging_assets.jobs import DAILY_JOB, MONTHLY_JOB, WEEKLY_JOB
from packaging_assets.resources.figures import Figure, Unit

VERDICTS = {"approve": 1.0, "pending": 0.0, "reject": -1.0}

CADENCES = {"daily": DAILY_JOB.name, "monthly": MONTHLY_JOB.name}
INFERENCE_STEPS = frozenset({"inventory", "predictions"})
MODEL_STEPS = frozenset({"split", "out_of_fold_scores", "model", "metrics", "model_card", "registered_model"})
SHARED_STEPS = frozenset({"labels", "features"})

DRIFT_CHECK = "feature_distributions_are_stable"
"""The check whose value is the population stability index of the numeric feature that moved most."""

EARLIER_RESULTS = 100
AD_HOC = "ad-hoc"
"""What runs are called of assets that somebody materializes by hand: Dagster makes up a job for each."""

OF_INTEREST = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_CHECK_EVALUATION}

About = Mapping[str, str]


@dataclass(frozen=True)
class _Result:
    """A materialization: the asset's path, its metadata as plain values, when, and what the model and the job are."""

    path: Sequence[str]
    partition: str | None
    metadata: Mapping[str, Any]
    at: dt.datetime
    model: About | None
    job: About

    @property
    def step(self) -> str:
        return self.path[-1]


def figures_of_run(instance: dg.DagsterInstance, run_id: str) -> list[Figure]:
    """The figures of a run that has ended; none for one that is gone."""
    record = instance.get_run_record_by_id(run_id)
    if record is None:
        return []
    events = instance.all_logs(run_id, of_type=OF_INTEREST)
    drift = {evaluation.asset_key: evaluation for event in events for evaluation in _drift_checks(event)}
    results = [result for event in events for result in _results(event)]
    figures = [figure for result in results if _is_new(instance, result) for figure in _of_result(result, drift)]
    return [*figures, *_of_ending(record)]


def _of_ending(record: dg.RunRecord) -> Iterator[Figure]:
    run = record.dagster_run
    if run.status is dg.DagsterRunStatus.FAILURE:
        ended_at = record.end_time or record.update_timestamp.timestamp()
        job = AD_HOC if run.job_name.startswith("__") else run.job_name
        yield Figure("RunFailures", 1.0, dt.datetime.fromtimestamp(ended_at, dt.UTC), {"Job": job}, "Count")


def _results(event: dg.EventLogEntry) -> Iterator[_Result]:
    found = event.get_dagster_event()
    if not found.is_step_materialization or found.asset_key is None:
        return
    path = list(found.asset_key.path)
    about = _about(path)
    if about is None:
        return
    materialization = found.step_materialization_data.materialization
    metadata = {name: value.value for name, value in materialization.metadata.items()}
    at = dt.datetime.fromtimestamp(event.timestamp, dt.UTC)
    yield _Result(path, materialization.partition, metadata, at, *about)


def _about(path: Sequence[str]) -> tuple[About | None, About] | None:
    """The model, if it is a model's asset, and the job that makes the asset; None for assets without figures."""
    if len(path) == 1:
        return (None, {"Job": WEEKLY_JOB.name}) if path[0] in SHARED_STEPS else None
    owner, step = path[0], path[-1]
    if owner in CADENCES:
        return (None, {"Job": CADENCES[owner]}) if step in INFERENCE_STEPS else None
    return ({"Model": owner}, {"Job": WEEKLY_JOB.name}) if step in MODEL_STEPS else None


def _drift_checks(event: dg.EventLogEntry) -> Iterator[dg.AssetCheckEvaluation]:
    found = event.get_dagster_event()
    if found.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        evaluation = found.asset_check_evaluation_data
        if evaluation.check_name == DRIFT_CHECK:
            yield evaluation


def _is_new(instance: dg.DagsterInstance, result: _Result) -> bool:
    """Whether no earlier materialization of that partition was of the same; a computed result is always new."""
    if result.metadata.get("cache") == "miss":
        return True
    earlier = instance.fetch_materializations(
        dg.AssetRecordsFilter(
            asset_key=dg.AssetKey(result.path),
            asset_partitions=[result.partition] if result.partition else None,
            before_timestamp=result.at.timestamp(),
        ),
        limit=EARLIER_RESULTS,
    ).records
    return all(_identity(record) != _identity_of(result.metadata) for record in earlier)


def _identity(record: dg.EventLogRecord) -> tuple[Any, ...]:
    materialization = record.asset_materialization
    metadata = materialization.metadata if materialization else {}
    return _identity_of({name: value.value for name, value in metadata.items()})


def _identity_of(metadata: Mapping[str, Any]) -> tuple[Any, ...]:
    return metadata.get("fingerprint"), metadata.get("verdict")


def _of_result(result: _Result, drift: Mapping[dg.AssetKey, dg.AssetCheckEvaluation]) -> Iterator[Figure]:
    both = [about for about in (result.model, result.job) if about]
    if result.metadata.get("cache") == "miss":  # what came from the cache took no time and cost nothing
        yield from _figures(result, "Seconds", result.metadata.get("seconds"), both, "Seconds")
        if result.metadata.get("job_currency") == "USD":
            yield from _figures(result, "CostUsd", result.metadata.get("job_cost"), both)
    nearest = both[:1]  # the model, or else the job
    if result.step in {"split", "predictions"}:
        yield from _figures(result, "Rows", result.metadata.get("dagster/row_count"), nearest, "Count")
    if result.step == "metrics":
        yield from _figures(result, "PrAuc", result.metadata.get("pr_auc"), nearest)
    if result.step == "registered_model":
        yield from _figures(result, "Verdict", VERDICTS.get(str(result.metadata.get("verdict"))), nearest)
    checked = drift.get(dg.AssetKey(result.path))
    if checked is not None and "value" in checked.metadata:
        yield from _figures(result, "MaxPsi", checked.metadata["value"].value, nearest)


def _figures(result: _Result, name: str, value: Any, abouts: Sequence[About], unit: Unit = "None") -> Iterator[Figure]:
    if isinstance(value, int | float):
        yield from (Figure(name, float(value), result.at, about, unit) for about in abouts)
