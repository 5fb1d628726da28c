"""`<type>/champion`."""

import dagster as dg

from packaging_assets.components.model_spec import TRAINING_TAG, ModelSpec
from packaging_assets.resources.model_registry import ModelRegistry


def champion_asset(
    spec: ModelSpec,
    weekly: dg.WeeklyPartitionsDefinition,  # noqa: ARG001 - the one asset of a model without partitions
) -> dg.AssetsDefinition:
    """Build the asset for one model."""

    @dg.asset(
        key=[spec.package_type, "champion"],
        deps=[dg.AssetDep([spec.package_type, "registered_model"], partition_mapping=dg.AllPartitionMapping())],
        group_name=spec.package_type,
        owners=spec.owners,
        tags=TRAINING_TAG,
    )
    def champion(model_registry: dg.ResourceParam[ModelRegistry]) -> dg.MaterializeResult:
        """The version that inference uses now: the approved one of the latest week, unless a person pinned another.

        One version; what is downstream goes stale when it moves.
        """
        version = model_registry.champion(spec.package_type)
        if version is None:
            return dg.MaterializeResult(data_version=dg.DataVersion("none"), metadata={"version": "none approved yet"})
        return dg.MaterializeResult(
            data_version=dg.DataVersion(str(version.version)),
            metadata={
                "version": version.version,
                "training_week": version.training_week,
                "pr_auc": version.metrics.get("pr_auc"),
                "artifact": version.artifact_uri,
            },
        )

    return champion
