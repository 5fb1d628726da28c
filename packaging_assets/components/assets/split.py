"""`<model>/split`."""

import dagster as dg

from packaging_assets.artifacts.step import Compute
from packaging_assets.artifacts.store import ArtifactStore
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.planned_step import run_planned, spec_of_run
from packaging_assets.components.step_asset import StepRunner, materialized
from packaging_assets.components.training_asset import training_asset
from packaging_assets.components.training_steps import plan_split
from packaging_assets.threads.priorities import LEADS_TO_LEARNING


def split_asset(spec: ModelSpec, models: ModelSet, weekly: dg.WeeklyPartitionsDefinition) -> dg.AssetsDefinition:
    """Build the asset for one model."""

    @training_asset(
        key=[spec.name, "split"],
        partitions_def=weekly,
        deps=[spec.labels_key.split("/"), "features"],
        kinds={"parquet"},
        group_name=spec.name,
        owners=spec.owners,
        op_tags=LEADS_TO_LEARNING,
    )
    def package_split(
        context: dg.AssetExecutionContext,
        artifact_store: ArtifactStore,
        compute: Compute,
    ) -> dg.MaterializeResult:
        """The labelled products of one package type, divided into training and validation rows.

        One row per product; a product is never on both sides.
        """
        plan = plan_split(spec_of_run(context, models, spec.name), context.partition_key)
        return materialized(run_planned(StepRunner(context, artifact_store, compute), plan))

    return package_split
