"""`<model>/champion`."""

from typing import Any

import dagster as dg

from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.serving import serving_version
from packaging_assets.components.training_asset import training_asset
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.resources.model_registry import ModelRegistry

DATA_VERSION_TAG = "dagster/data_version"
"""Where Dagster keeps the data version of a materialization that is reported rather than computed."""


def champion_asset(
    spec: ModelSpec,
    models: ModelSet,
    weekly: dg.WeeklyPartitionsDefinition,  # noqa: ARG001 - the one asset of a model without partitions
) -> dg.AssetsDefinition:
    """Build the asset for one model."""

    @training_asset(
        key=champion_key(spec.name),
        deps=[dg.AssetDep([spec.name, "registered_model"], partition_mapping=dg.AllPartitionMapping())],
        group_name=spec.name,
        owners=spec.owners,
    )
    def champion(model_registry: ModelRegistry) -> dg.MaterializeResult:
        """The version that inference uses now: the approved one of the latest week, unless a person pinned another.

        One version; what is downstream goes stale when it moves. A model that replaces another and has no approved
        version yet lets the other's champion serve on.
        """
        version = serving_version(model_registry, models.serving_names(spec.package_type))
        return dg.MaterializeResult(
            data_version=dg.DataVersion(data_version(spec.name, version)), metadata=_metadata(version)
        )

    return champion


def champion_key(model: str) -> dg.AssetKey:
    """The asset's key."""
    return dg.AssetKey([model, "champion"])


def data_version(model: str, version: ModelVersion | None) -> str:
    """What the data version of a model's champion is while `version`, of this or another model, serves; None: none."""
    if version is None:
        return "none"
    return str(version.version) if version.model == model else f"{version.model} {version.version}"


def champion_materialization(
    model: str, version: ModelVersion | None, metadata: dict[str, Any] | None = None
) -> dg.AssetMaterialization:
    """The asset as a decision left it, to be reported without running the asset."""
    return dg.AssetMaterialization(
        asset_key=champion_key(model),
        metadata={**_metadata(version), **(metadata or {})},
        tags={DATA_VERSION_TAG: data_version(model, version)},
    )


def _metadata(version: ModelVersion | None) -> dict[str, Any]:
    if version is None:
        return {"version": "none approved yet"}
    return {
        "model": version.model,
        "version": version.version,
        "training_week": version.training_week,
        "pr_auc": version.metrics.get("pr_auc"),
        "artifact": version.artifact_uri,
    }
