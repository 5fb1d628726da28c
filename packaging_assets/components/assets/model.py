"""`<model>/model`."""

import dagster as dg

from packaging_assets.artifacts.step import Compute
from packaging_assets.artifacts.store import ArtifactStore
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.planned_step import run_planned, spec_of_run
from packaging_assets.components.step_asset import StepRunner, materialized
from packaging_assets.components.training_asset import training_asset
from packaging_assets.components.training_steps import plan_model
from packaging_assets.threads.priorities import LEARNS

DESCRIPTION = """The trained model of one package type: its files, features and a profile of what it was trained on.

One folder per week."""


def feeder_deps(spec: ModelSpec) -> list[list[str]]:
    """Keys of what the model reads of the models that it feeds from."""
    return [[name, asset] for name in spec.feeds_from for asset in ("model", "out_of_fold_scores")]


def model_asset(spec: ModelSpec, models: ModelSet, weekly: dg.WeeklyPartitionsDefinition) -> dg.AssetsDefinition:
    """Build the asset for one model."""

    @training_asset(
        key=[spec.name, "model"],
        description=f"{DESCRIPTION}\n\n{spec.description}".strip(),
        partitions_def=weekly,
        deps=[[spec.name, "split"], "features", *feeder_deps(spec)],
        kinds={spec.architecture} if spec.architecture.isidentifier() else set(),
        group_name=spec.name,
        owners=spec.owners,
        op_tags=LEARNS,
    )
    def package_model(
        context: dg.AssetExecutionContext,
        artifact_store: ArtifactStore,
        compute: Compute,
    ) -> dg.MaterializeResult:
        plan = plan_model(spec_of_run(context, models, spec.name))
        return materialized(run_planned(StepRunner(context, artifact_store, compute), plan))

    return package_model
