"""`<model>/registered_model`."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from packaging_assets.artifacts.store import Artifact, ArtifactStore
from packaging_assets.components.checks import stored_verdict
from packaging_assets.components.model_set import ModelSet, overrides_in
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.reasons import as_list
from packaging_assets.components.step_asset import MissingUpstreamError
from packaging_assets.components.training_asset import training_asset
from packaging_assets.components.training_steps import CANDIDATE
from packaging_assets.domain.json_files import read_json
from packaging_assets.domain.registry import Registration, weeks_to_judge_again
from packaging_assets.domain.verdicts import Verdict
from packaging_assets.resources.code_version import code_version
from packaging_assets.resources.model_registry import ModelRegistry

ASKED_TAGS = {"trigger": "packaging/trigger", "by": "packaging/requested_by", "reason": "packaging/reason"}
"""Run tags of a run that somebody asked for by a trigger file."""


class GateEvidenceError(Exception):
    """The verdict is of another model, or recorded checks do not bear it out: no version or card is made of it."""


def registered_model_asset(
    spec: ModelSpec,
    models: ModelSet,  # noqa: ARG001 - all of a model's assets are built alike
    weekly: dg.WeeklyPartitionsDefinition,
) -> dg.AssetsDefinition:
    """Build the asset for one model."""

    @training_asset(
        key=[spec.name, "registered_model"],
        partitions_def=weekly,
        deps=[[spec.name, "model"], [spec.name, "metrics"]],
        group_name=spec.name,
        owners=spec.owners,
    )
    def registered_model(
        context: dg.AssetExecutionContext,
        artifact_store: ArtifactStore,
        model_registry: ModelRegistry,
    ) -> dg.MaterializeResult:
        """The week's model as a version in the registry, with the status that the gates' verdict gives it.

        One version per week and set of inputs; registering the same again changes nothing. Weeks that were judged
        before an older one was backfilled are named, to be run again.
        """
        week = context.partition_key
        model = _current(artifact_store, f"{spec.name}/model", week)
        metrics = _current(artifact_store, f"{spec.name}/metrics", week)
        judged = artifact_store.parts(metrics).inputs
        refuse_others_than_judged(metrics, judged, {CANDIDATE: model}, otherwise="Nothing was registered.")
        with artifact_store.scratch() as scratch:
            folder = artifact_store.local_path(metrics, scratch)
            verdict, figures = stored_verdict(folder), read_json(folder / "metrics.json")
        judged_by, recorded = judgement(context, spec.name, metrics)
        refuse_unproven_verdict(recorded, verdict, metrics)
        version = model_registry.register(
            Registration(
                model=spec.name,
                package_type=spec.package_type,
                stage=figures.get("stage", "live"),
                training_week=week,
                fingerprint=metrics.fingerprint,
                artifact_uri=model.uri,
                metrics_uri=metrics.uri,
                content_hash=model.content_hash,
                code_version=code_version(),
                metrics={**figures, **_set_for_run(judged_by, spec.name)},
                reasons=(*verdict.failures, *verdict.warnings),
                verdict=verdict.outcome,
            ),
        )
        return dg.MaterializeResult(
            data_version=dg.DataVersion(f"{version.version}-{version.status}"),
            metadata={
                "version": version.version,
                "stage": version.stage,
                "status": str(version.status),
                "verdict": verdict.outcome,
                "reasons": dg.MetadataValue.md(as_list(version.reasons)),
                "fingerprint": version.fingerprint,
                "artifact": version.artifact_uri,
                "weeks_to_judge_again": weeks_to_judge_again(model_registry.versions(spec.name)),
            },
        )

    return registered_model


def _set_for_run(run: dg.DagsterRun | None, model: str) -> dict[str, Any]:
    """What the run that judged set otherwise than the YAML and who asked, for the version's record; mostly nothing.

    Whoever registers may be another run: the asset alone in the UI, or a run of the week beside this one.
    """
    tags = run.tags if run else {}
    overrides = overrides_in(tags).get(model)
    asked = {name: tags[tag] for name, tag in ASKED_TAGS.items() if tag in tags}
    return {**({"overrides": overrides} if overrides else {}), **({"asked": asked} if asked else {})}


def judgement(
    context: dg.AssetExecutionContext, model: str, metrics: Artifact
) -> tuple[dg.DagsterRun | None, dict[str, tuple[str, bool]]]:
    """The run that judged, and the gates as it recorded them.

    That is this run itself if it has judged these metrics, else the one that materialized them last. Another that
    trains the same week beside this one may just have materialized them, and records the gates only after that.
    """
    recorded = recorded_checks(context.instance, model, context.run)
    if any(fingerprint == metrics.fingerprint for fingerprint, _ in recorded.values()):
        return context.run, recorded
    run = latest_run(context.instance, dg.AssetKey([model, "metrics"]), context.partition_key)
    return run, recorded_checks(context.instance, model, run)


def latest_run(instance: dg.DagsterInstance, key: dg.AssetKey, week: str) -> dg.DagsterRun | None:
    """The run that materialized the asset last for the week."""
    latest = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=[week]), limit=1
    ).records
    return instance.get_run_by_id(latest[0].run_id) if latest else None


def recorded_checks(instance: dg.DagsterInstance, model: str, run: dg.DagsterRun | None) -> dict[str, tuple[str, bool]]:
    """The gates as Dagster recorded them in a run: check name -> (fingerprint, passed)."""
    if run is None:
        return {}
    key = dg.AssetKey([model, "metrics"])
    events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [event.get_dagster_event().asset_check_evaluation_data for event in events]
    return {
        evaluation.check_name: (str(evaluation.metadata["fingerprint"].value), evaluation.passed)
        for evaluation in evaluations
        if evaluation.asset_key == key
    }


def refuse_others_than_judged(
    metrics: Artifact, judged: Mapping[str, str], sources: Mapping[str, Artifact], *, otherwise: str
) -> None:
    """Hold what is to be registered or shown against what was judged; another run may have made it since.

    Args:
        metrics: by whose verdict.
        judged: the content hashes of what the metrics were made from, by name.
        sources: what would be registered or shown, by the same names.
        otherwise: what was not done, if one is another: a sentence.

    Raises:
        GateEvidenceError: one is another.
    """
    for name, source in sources.items():
        if source.content_hash != judged.get(name):
            raise GateEvidenceError(
                f"{metrics.asset_key} {metrics.partition}: {metrics.uri} is not about {source.uri}, which was made "
                f"since. {otherwise} Materialize {metrics.asset_key} for {metrics.partition} again, then this asset."
            )


def refuse_unproven_verdict(recorded: Mapping[str, tuple[str, bool]], verdict: Verdict, metrics: Artifact) -> None:
    """Hold the verdict against the recorded checks.

    Raises:
        GateEvidenceError: a check of the verdict was not recorded, belongs to other metrics, or says otherwise.
    """
    for check in verdict.checks:
        if recorded.get(check.name) != (metrics.fingerprint, check.is_passed):
            found = recorded.get(check.name)
            what = "has no recorded evaluation" if found is None else f"was recorded as {found}"
            raise GateEvidenceError(
                f"{metrics.asset_key} {metrics.partition}: check {check.name} {what}, but the verdict stored in "
                f"{metrics.uri} says passed={check.is_passed}. Nothing was registered. Materialize "
                f"{metrics.asset_key} for {metrics.partition} again, then this asset."
            )


def _current(store: ArtifactStore, asset_key: str, week: str) -> Artifact:
    artifact = store.current(asset_key, week)
    if artifact is None:
        raise MissingUpstreamError(f"{asset_key} for {week} has not been materialized: materialize it first.")
    return artifact
