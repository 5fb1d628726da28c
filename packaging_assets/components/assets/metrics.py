"""`<model>/metrics`, with the gates as its asset checks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from packaging_assets.artifacts.step import Compute
from packaging_assets.artifacts.store import ArtifactStore
from packaging_assets.components.checks import check_results, check_specs, six_digits, stored_verdict
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.planned_step import run_planned, spec_of_run
from packaging_assets.components.plots import plots_in
from packaging_assets.components.reasons import as_list
from packaging_assets.components.serving import serving_before
from packaging_assets.components.step_asset import StepRunner, materialized
from packaging_assets.components.training_asset import training_asset
from packaging_assets.components.training_steps import plan_metrics
from packaging_assets.domain.gates import CHECKS
from packaging_assets.domain.json_files import read_json
from packaging_assets.domain.verdicts import Verdict
from packaging_assets.resources.model_registry import ModelRegistry

SHOWN_METRICS = ("validation_rows", "minority_rows", "minority_rate", "pr_auc", "log_loss", "roc_auc")


def metrics_asset(spec: ModelSpec, models: ModelSet, weekly: dg.WeeklyPartitionsDefinition) -> dg.AssetsDefinition:
    """Build the asset for one model."""
    key = dg.AssetKey([spec.name, "metrics"])

    @training_asset(
        key=key,
        partitions_def=weekly,
        deps=[spec.labels_key.split("/"), "features", [spec.name, "split"], [spec.name, "model"]],
        check_specs=check_specs(key, CHECKS),
        kinds={"json"},
        group_name=spec.name,
        owners=spec.owners,
    )
    def package_metrics(
        context: dg.AssetExecutionContext,
        artifact_store: ArtifactStore,
        compute: Compute,
        model_registry: ModelRegistry,
    ) -> dg.MaterializeResult:
        """Candidate and champion scored on the same validation rows, drift figures, plots, and the gates' verdict.

        One set of figures per week; each gate is an asset check.
        """
        champion = serving_before(model_registry, models.serving_names(spec.package_type), context.partition_key)
        changed = spec_of_run(context, models, spec.name)
        architectures = models.of_run(context.run.tags).architectures(changed)
        plan = plan_metrics(changed, context.partition_key, champion, architectures=architectures)
        result = run_planned(StepRunner(context, artifact_store, compute), plan)
        with artifact_store.scratch() as scratch:
            folder = artifact_store.local_path(result.artifact, scratch)
            verdict = stored_verdict(folder)
            return materialized(
                result,
                metadata=_metadata(read_json(folder / "metrics.json"), verdict, folder),
                check_results=check_results(verdict, result),
            )

    return package_metrics


def _metadata(metrics: Mapping[str, Any], verdict: Verdict, folder: Path) -> dict[str, Any]:
    shown = {name: six_digits(metrics[name]) for name in SHOWN_METRICS if metrics.get(name) is not None}
    return {
        "verdict": verdict.outcome,
        "reasons": dg.MetadataValue.md(as_list([*verdict.failures, *verdict.warnings])),
        **shown,
        **plots_in(folder),
    }
