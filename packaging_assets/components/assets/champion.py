"""`<type>/champion`."""

from typing import Any

import dagster as dg

from packaging_assets.components.model_spec import TRAINING_TAG, ModelSpec
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.resources.model_registry import ModelRegistry

DATA_VERSION_TAG = "dagster/data_version"
"""Where Dagster keeps the data version of a materialization that is reported rather than computed."""


def champion_asset(
    spec: ModelSpec,
    weekly: dg.WeeklyPartitionsDefinition,  # noqa: ARG001 - the one asset of a model without partitions
) -> dg.AssetsDefinition:
    """Build the asset for one model."""

    @dg.asset(
        key=champion_key(spec.package_type),
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
        return dg.MaterializeResult(data_version=dg.DataVersion(data_version(version)), metadata=_metadata(version))

    return champion


def champion_key(model: str) -> dg.AssetKey:
    """The asset's key."""
    return dg.AssetKey([model, "champion"])


def data_version(version: ModelVersion | None) -> str:
    """What the asset's data version is while `version` serves; None while no version does."""
    return "none" if version is None else str(version.version)


def champion_materialization(
    model: str, version: ModelVersion | None, metadata: dict[str, Any] | None = None
) -> dg.AssetMaterialization:
    """The asset as a decision left it, to be reported without running the asset."""
    return dg.AssetMaterialization(
        asset_key=champion_key(model),
        metadata={**_metadata(version), **(metadata or {})},
        tags={DATA_VERSION_TAG: data_version(version)},
    )


def _metadata(version: ModelVersion | None) -> dict[str, Any]:
    if version is None:
        return {"version": "none approved yet"}
    return {
        "version": version.version,
        "training_week": version.training_week,
        "pr_auc": version.metrics.get("pr_auc"),
        "artifact": version.artifact_uri,
    }
