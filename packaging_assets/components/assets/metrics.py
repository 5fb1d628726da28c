"""`<type>/metrics`, with the gates as its asset checks."""

import base64
import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from packaging_assets.artifacts.step import Compute, Input
from packaging_assets.artifacts.store import ArtifactInput, ArtifactStore
from packaging_assets.components.checks import check_results, check_specs, stored_verdict
from packaging_assets.components.model_spec import TRAINING_TAG, ModelSpec
from packaging_assets.components.step_asset import StepRunner, materialized
from packaging_assets.domain.architectures import architecture_module
from packaging_assets.domain.gates import CHECKS, Verdict
from packaging_assets.domain.json_files import read_json
from packaging_assets.domain.metrics import EvaluateParams, evaluate
from packaging_assets.resources.model_registry import ModelRegistry

SHOWN_METRICS = ("validation_rows", "minority_rows", "minority_rate", "pr_auc", "log_loss", "roc_auc")


def metrics_asset(spec: ModelSpec, weekly: dg.WeeklyPartitionsDefinition) -> dg.AssetsDefinition:
    """Build the asset for one model."""
    key = dg.AssetKey([spec.package_type, "metrics"])

    @dg.asset(
        key=key,
        partitions_def=weekly,
        deps=["labels", "features", [spec.package_type, "split"], [spec.package_type, "model"]],
        check_specs=check_specs(key, CHECKS),
        kinds={"json"},
        group_name=spec.package_type,
        owners=spec.owners,
        tags=TRAINING_TAG,
    )
    def package_metrics(
        context: dg.AssetExecutionContext,
        artifact_store: dg.ResourceParam[ArtifactStore],
        compute: dg.ResourceParam[Compute],
        model_registry: dg.ResourceParam[ModelRegistry],
    ) -> dg.MaterializeResult:
        """Candidate and champion scored on the same validation rows, drift figures, plots, and the gates' verdict.

        One set of figures per week; each gate is an asset check.
        """
        runner = StepRunner(context, artifact_store, compute)
        inputs: dict[str, Input] = {
            "candidate": runner.upstream(f"{spec.package_type}/model"),
            "split": runner.upstream(f"{spec.package_type}/split"),
            "features": runner.upstream("features"),
            "labels": runner.upstream("labels"),
        }
        champion = model_registry.champion_before(spec.package_type, context.partition_key)
        if champion:
            inputs["champion"] = ArtifactInput(artifact_store, artifact_store.get(champion.artifact_uri))
            inputs["champion_metrics"] = ArtifactInput(artifact_store, artifact_store.get(champion.metrics_uri))
        params = EvaluateParams(
            package_type=spec.package_type,
            week=dt.date.fromisoformat(context.partition_key),
            features=spec.features,
            policy=spec.gates,
            champion_version=champion.version if champion else None,
        )
        learner = architecture_module(spec.architecture)
        result = runner.run(evaluate, inputs=inputs, params=params, extra_modules=[learner])
        with artifact_store.scratch() as scratch:
            folder = artifact_store.local_path(result.artifact, scratch)
            verdict = stored_verdict(folder)
            return materialized(
                result,
                metadata=_metadata(read_json(folder / "metrics.json"), verdict, _plots(folder)),
                check_results=check_results(verdict, result),
            )

    return package_metrics


def _metadata(metrics: Mapping[str, Any], verdict: Verdict, plots: Mapping[str, str]) -> dict[str, Any]:
    shown = {name: metrics[name] for name in SHOWN_METRICS if metrics.get(name) is not None}
    reasons = [*verdict.failures, *verdict.warnings]
    return {
        **shown,
        "verdict": verdict.outcome,
        "reasons": dg.MetadataValue.md("\n".join(f"- {reason}" for reason in reasons) or "none: every gate passed"),
        **{name: dg.MetadataValue.md(f"![{name}](data:image/png;base64,{png})") for name, png in plots.items()},
    }


def _plots(folder: Path) -> dict[str, str]:
    return {path.stem: base64.b64encode(path.read_bytes()).decode() for path in sorted(folder.glob("*.png"))}
