"""`<model>/model_card`."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import dagster as dg

from packaging_assets.artifacts.step import Compute
from packaging_assets.artifacts.store import ArtifactInput, ArtifactStore
from packaging_assets.components.assets.registered_model import refuse_others_than_judged
from packaging_assets.components.checks import stored_verdict
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.planned_step import spec_of_run
from packaging_assets.components.reasons import as_list
from packaging_assets.components.step_asset import StepRunner, materialized
from packaging_assets.components.training_asset import training_asset
from packaging_assets.domain.gate_policy import GatePolicy
from packaging_assets.domain.json_files import read_json
from packaging_assets.domain.model_card import CARD, LineageEntry, ModelCardParams, key_figures, write_model_card
from packaging_assets.domain.verdicts import Verdict
from packaging_assets.resources.model_registry import ModelRegistry


def model_card_asset(
    spec: ModelSpec,
    models: ModelSet,
    weekly: dg.WeeklyPartitionsDefinition,
) -> dg.AssetsDefinition:
    """Build the asset for one model."""

    @training_asset(
        key=[spec.name, "model_card"],
        partitions_def=weekly,
        deps=[
            spec.labels_key.split("/"),
            "features",
            [spec.name, "split"],
            [spec.name, "model"],
            [spec.name, "metrics"],
        ],
        kinds={"html"},
        group_name=spec.name,
        owners=spec.owners,
    )
    def model_card(
        context: dg.AssetExecutionContext,
        artifact_store: ArtifactStore,
        compute: Compute,
        model_registry: ModelRegistry,
    ) -> dg.MaterializeResult:
        """What a reviewer needs to know about the week's model, on one HTML page that stands alone.

        One page per week's model and verdict, whatever the verdict.
        """
        runner = StepRunner(context, artifact_store, compute)
        inputs = {
            "candidate": runner.upstream(f"{spec.name}/model"),
            "metrics": runner.upstream(f"{spec.name}/metrics"),
            "split": runner.upstream(f"{spec.name}/split"),
            "labels": runner.upstream(spec.labels_key),
            "features": runner.upstream("features"),
        }
        evaluation = artifact_store.parts(inputs["metrics"].artifact)
        shown = {name: source.artifact for name, source in inputs.items() if name in evaluation.inputs}
        refuse_others_than_judged(
            inputs["metrics"].artifact, evaluation.inputs, shown, otherwise="No card was written."
        )
        with artifact_store.scratch() as scratch:
            folder = artifact_store.local_path(inputs["metrics"].artifact, scratch)
            metrics, verdict = read_json(folder / "metrics.json"), stored_verdict(folder)
        if metrics["champion"] is not None:
            name = metrics["champion"].get("model") or spec.name
            champion = model_registry.get(name, metrics["champion"]["version"])
            inputs["champion"] = ArtifactInput(artifact_store, artifact_store.get(champion.artifact_uri))
        params = ModelCardParams(
            package_type=spec.package_type,
            model=spec.name,
            week=dt.date.fromisoformat(context.partition_key),
            fingerprint=inputs["metrics"].artifact.fingerprint,
            code_version=inputs["candidate"].artifact.provenance.get("code_version", ""),
            policy=GatePolicy.model_validate(evaluation.params["policy"]),
            lineage=tuple(_lineage(name, source) for name, source in inputs.items()),
        )
        result = runner.run(
            write_model_card,
            inputs=inputs,
            params=params,
            instances=spec_of_run(context, models, spec.name).instances.evaluate,
            model=spec.name,
        )
        page = dg.MetadataValue.path(artifact_store.locate(result.artifact, CARD))
        return materialized(result, metadata={"card": page, **_essentials(metrics, verdict, spec.name)})

    return model_card


def _lineage(name: str, source: ArtifactInput) -> LineageEntry:
    return LineageEntry(name=name, uri=source.artifact.uri, content_hash=source.artifact.content_hash)


def _essentials(metrics: Mapping[str, Any], verdict: Verdict, model: str) -> dict[str, Any]:
    rows = "\n".join(f"| {name} | {value} | {note} |" for name, value, note in key_figures(metrics, model))
    return {
        "verdict": verdict.outcome,
        "reasons": dg.MetadataValue.md(as_list([*verdict.failures, *verdict.warnings])),
        "key_figures": dg.MetadataValue.md(f"| figure | value | |\n|---|---|---|\n{rows}"),
    }
