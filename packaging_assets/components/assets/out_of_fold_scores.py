"""`<model>/out_of_fold_scores`."""

import dagster as dg

from packaging_assets.artifacts.step import Compute
from packaging_assets.artifacts.store import ArtifactStore
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.planned_step import run_planned, spec_of_run
from packaging_assets.components.step_asset import StepRunner, materialized
from packaging_assets.components.training_asset import training_asset
from packaging_assets.components.training_steps import plan_out_of_fold
from packaging_assets.threads.priorities import LEARNS


def out_of_fold_scores_asset(
    spec: ModelSpec, models: ModelSet, weekly: dg.WeeklyPartitionsDefinition
) -> dg.AssetsDefinition:
    """Build the asset for one model that others feed from."""

    @training_asset(
        key=[spec.name, "out_of_fold_scores"],
        partitions_def=weekly,
        deps=[
            [spec.name, "model"],
            [spec.name, "split"],
            "features",
            *([name, "out_of_fold_scores"] for name in spec.feeds_from),
        ],
        kinds={"parquet"},
        group_name=spec.name,
        owners=spec.owners,
        op_tags=LEARNS,
    )
    def out_of_fold_scores(
        context: dg.AssetExecutionContext,
        artifact_store: ArtifactStore,
        compute: Compute,
    ) -> dg.MaterializeResult:
        """The model's score of every product of the week, by a model that has not seen the product's label.

        One row per product with features; what the models that feed from this one are trained on.
        """
        depth = models.of_run(context.run.tags).score_depth(spec.name)
        plan = plan_out_of_fold(spec_of_run(context, models, spec.name), depth=depth)
        return materialized(run_planned(StepRunner(context, artifact_store, compute), plan))

    return out_of_fold_scores
