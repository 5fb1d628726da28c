"""Run an experiment: a model with other values, for some weeks, beside the same weeks' model as its YAML has it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from packaging_assets.artifacts.damage import damage_told
from packaging_assets.artifacts.run_step import StepResult
from packaging_assets.components.model_spec import ModelSpec, override
from packaging_assets.components.serving import serving_before
from packaging_assets.components.training_steps import plan_metrics, plan_model, plan_split
from packaging_assets.domain.json_files import read_json
from packaging_assets.experiments.comparison import ScoredWeek, compare_week, read_scores
from packaging_assets.experiments.errors import ExperimentError
from packaging_assets.experiments.records import (
    ChampionBefore,
    Evaluation,
    ExperimentRecord,
    MeasuredDifference,
    StepTrace,
    WeekRecord,
    experiment_id,
)
from packaging_assets.experiments.workbench import Workbench, refusals_told
from packaging_assets.resources.code_version import code_version


def run_experiment(
    bench: Workbench, model: str, overrides: Mapping[str, Any], weeks: Sequence[str] = (), *, label: str = ""
) -> ExperimentRecord:
    """Train and judge a model with other values, and write down what came of it.

    The model is not registered and no pointer moves. Steps whose code, params and inputs did not change are taken from
    the main area or from earlier experiments. The same experiment again has the same id; it keeps the time of its first
    run, and its label unless another is given.

    Args:
        bench: where.
        model: its name.
        overrides: dotted key -> value, as `override` takes them.
        weeks: Mondays as ISO dates; none for the latest week there is data for.
        label: what people call the experiment.

    Raises:
        ExperimentError: model, field, value or week is not possible, or a step refuses the data.
    """
    started = time.perf_counter()
    spec = bench.spec(model)
    with refusals_told(""):
        changed = override(spec, overrides)
        bench.related(changed)
    chosen = bench.check_weeks(spec, weeks)
    identifier = experiment_id(model, overrides, chosen)
    found = tuple(_run_week(bench, identifier, week, spec, changed) for week in chosen)
    steps = [step for week in found for side in (week.candidate, week.baseline) for step in side.steps]
    before = bench.records.find(identifier)
    record = ExperimentRecord(
        id=identifier,
        model=model,
        package_type=spec.package_type,
        label=label or (before.label if before else ""),
        overrides=dict(overrides),
        weeks=found,
        seconds=time.perf_counter() - started,
        cache_hits=sum(step.is_cache_hit for step in steps),
        steps=len(steps),
        created_at=before.created_at if before else bench.clock.now(),
        code_version=code_version(),
    )
    bench.records.write(record)
    return record


def _run_week(bench: Workbench, identifier: str, week: str, spec: ModelSpec, changed: ModelSpec) -> WeekRecord:
    with refusals_told(f"{spec.name} for {week}: "):
        candidate = evaluate_spec(bench, identifier, week, changed)
        baseline = evaluate_spec(bench, identifier, week, spec)
    scores = {name: _scores(bench, week, side) for name, side in (("candidate", candidate), ("baseline", baseline))}
    return WeekRecord(
        week=week,
        candidate=candidate,
        baseline=baseline,
        to_baseline=_difference(scores["candidate"], scores["baseline"]),
        champion=_champion(bench, candidate),
    )


def evaluate_spec(bench: Workbench, identifier: str, week: str, spec: ModelSpec) -> Evaluation:
    """Split, train and judge a model as it is given, against the version that served before the week."""
    champion = serving_before(bench.registry, bench.models.serving_names(spec.package_type), week)
    chain = bench.chain(week, identifier, spec)
    metrics_plan = plan_metrics(spec, week, champion, architectures=bench.models.architectures(spec))
    plans = (plan_split(spec, week), plan_model(spec), metrics_plan)
    _, trained, judged = [_trace(plan.asset_key, chain.run(plan)) for plan in plans]
    metrics, verdict = (read_artifact_json(bench, judged.uri, name) for name in ("metrics", "verdict"))
    return Evaluation(
        steps=tuple(_trace(key, result) for key, result in chain.results.items()),
        metrics_uri=judged.uri,
        pr_auc=metrics["pr_auc"],
        pr_auc_standard_error=metrics["pr_auc_standard_error"],
        log_loss=metrics["log_loss"],
        recall_at_95_precision=metrics["recall_at_95_precision"],
        validation_rows=metrics["validation_rows"],
        training_rows=metrics["training_rows"],
        minority_label=metrics["minority_label"],
        training_seconds=trained.seconds,
        verdict=verdict["outcome"],
        reasons=(*verdict["failures"], *verdict["warnings"]),
    )


def _trace(asset_key: str, result: StepResult) -> StepTrace:
    return StepTrace(
        asset_key=asset_key,
        uri=result.artifact.uri,
        fingerprint=result.artifact.fingerprint,
        is_cache_hit=result.is_cache_hit,
        seconds=float(result.artifact.provenance.get("seconds", 0.0)),
    )


def read_artifact_json(bench: Workbench, uri: str, name: str) -> Any:
    """The JSON file `name` of an artifact."""
    with bench.store.scratch() as scratch:
        return read_json(bench.store.local_path(bench.store.get(uri), scratch) / f"{name}.json")


def read_evaluation_scores(bench: Workbench, week: str, side: Evaluation, column: str) -> ScoredWeek:
    """The scores of an evaluation's candidate or champion.

    Raises:
        ExperimentError: there was no champion.
        ArtifactError: the metrics or the split are not there any more, or damaged.
    """
    split_uri = next(step.uri for step in side.steps if step.asset_key.endswith("/split"))  # its own comes first
    with bench.store.scratch() as scratch:
        artifacts = [bench.store.get(uri) for uri in (side.metrics_uri, split_uri)]
        folder, split = (bench.store.local_path(artifact, scratch) for artifact in artifacts)
        with damage_told(bench.store, artifacts):
            return read_scores(folder, week, side.minority_label, column, split=split)


def _scores(bench: Workbench, week: str, side: Evaluation) -> ScoredWeek:
    return read_evaluation_scores(bench, week, side, "candidate_score")


def _difference(first: ScoredWeek, second: ScoredWeek) -> MeasuredDifference | None:
    try:
        found = compare_week(first, second)
    except ExperimentError:  # splits that share no rows: there is no difference to tell
        return None
    return MeasuredDifference(
        difference=found.difference, standard_error=found.standard_error, rows=found.rows, note=found.note
    )


def _champion(bench: Workbench, candidate: Evaluation) -> ChampionBefore | None:
    metrics = read_artifact_json(bench, candidate.metrics_uri, "metrics")
    champion = metrics["champion"]
    if champion is None:
        return None
    difference = MeasuredDifference(
        difference=champion["difference"],
        standard_error=champion["standard_error"],
        rows=metrics["validation_rows"],
        note=f"the {metrics['validation_rows']:,} rows that judge",
    )
    return ChampionBefore(model=champion["model"], version=champion["version"], difference=difference)
