"""`<cadence>/shadow_predictions`: what the shadow models would have said, beside what was said.

Each shadow model is scored and loaded by itself: one that fails stops neither the others nor the live predictions,
which do not know of this asset.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from packaging_assets.artifacts.run_step import StepResult
from packaging_assets.artifacts.step import Compute
from packaging_assets.artifacts.store import ArtifactStore
from packaging_assets.components.inference import OWNERS, architecture_modules, load_result, model_inputs, predict_model
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.serving import shadow_versions
from packaging_assets.components.step_asset import StepRunner
from packaging_assets.domain.predictions import PredictParams, predict
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.partitions import as_of
from packaging_assets.resources.clock import Clock
from packaging_assets.resources.model_registry import ModelRegistry
from packaging_assets.resources.warehouse import Warehouse


class ShadowPredictionsError(Exception):
    """Some shadow models could not score; the message names them and why, the others' predictions are loaded."""


@dataclass(frozen=True)
class _Shadows:
    """What scoring one shadow model after the other needs."""

    cadence: str
    partition_start: dt.date
    as_of: dt.datetime
    models: ModelSet
    runner: StepRunner
    warehouse: Warehouse
    loaded_at: dt.datetime

    def score(self, version: ModelVersion) -> StepResult:
        """Score the inventory with one version, and load the predictions."""
        store = self.runner.store
        result = self.runner.run(
            predict,
            inputs={
                "inventory": self.runner.upstream(f"{self.cadence}/inventory"),
                **model_inputs(store, [version]),
            },
            params=PredictParams(models=(predict_model(self.models, version),), stage="shadow", as_of=self.as_of),
            extra_modules=architecture_modules(self.models, [version]),
            asset_key=f"{self.cadence}/shadow_predictions_{version.model}",
            instances=self.models.specs[version.model].instances.predict,
            model=version.model,
        )
        load_result(
            self.warehouse,
            store,
            result,
            cadence=self.cadence,
            partition_start=self.partition_start,
            end=self.as_of,
            loaded_at=self.loaded_at,
            shadow_model=version.model,
        )
        return result


def shadow_predictions_asset(
    cadence: str, partitions: dg.TimeWindowPartitionsDefinition, description: str, models: ModelSet
) -> dg.AssetsDefinition:
    """Build `<cadence>/shadow_predictions` for the shadow models, of which there must be some."""
    every_week = dg.AllPartitionMapping()

    @dg.asset(
        key=shadow_predictions_key(cadence),
        description=description,
        partitions_def=partitions,
        deps=[
            [cadence, "inventory"],
            *(dg.AssetDep([name, "registered_model"], partition_mapping=every_week) for name in models.shadows()),
        ],
        group_name="inference",
        owners=OWNERS,
        kinds={"parquet"},
        pool="warehouse",
    )
    def shadow_predictions(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        artifact_store: dg.ResourceParam[ArtifactStore],
        compute: dg.ResourceParam[Compute],
        model_registry: dg.ResourceParam[ModelRegistry],
        clock: dg.ResourceParam[Clock],
    ) -> dg.MaterializeResult:
        shadows = _Shadows(
            cadence=cadence,
            partition_start=dt.date.fromisoformat(context.partition_key),
            as_of=as_of(partitions, context.partition_key),
            models=models,
            runner=StepRunner(context, artifact_store, compute),
            warehouse=warehouse,
            loaded_at=clock.now().replace(tzinfo=None),
        )
        versions = shadow_versions(model_registry, models)
        scored: dict[str, StepResult] = {}
        failed: dict[str, str] = {}
        for name, version in versions.items():
            try:
                scored[name] = shadows.score(version)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one must not stop the next; told below
                failed[name] = f"{name} version {version.version}: {type(error).__name__}: {error}"
        if failed:
            raise ShadowPredictionsError(
                f"{len(failed)} of {len(versions)} shadow models could not score {cadence} {context.partition_key}; "
                f"what the others said is loaded, and the live predictions are not touched. {' '.join(failed.values())}"
            )
        return _materialized(scored, versions, set(models.shadows()) - set(versions))

    return shadow_predictions


def shadow_predictions_key(cadence: str) -> dg.AssetKey:
    """The asset's key."""
    return dg.AssetKey([cadence, "shadow_predictions"])


def _materialized(
    scored: Mapping[str, StepResult], versions: Mapping[str, ModelVersion], without_version: set[str]
) -> dg.MaterializeResult:
    hashes = "\n".join(f"{name} {result.artifact.content_hash}" for name, result in sorted(scored.items()))
    metadata: dict[str, Any] = {
        "dagster/row_count": sum(result.artifact.total_rows for result in scored.values()),
        "models": {name: versions[name].version for name in scored},
        "models_without_version": sorted(without_version),
        "artifacts": {name: result.artifact.uri for name, result in scored.items()},
        # A step of several artifacts is a hit only if all of them are.
        "cache": "hit" if scored and all(result.is_cache_hit for result in scored.values()) else "miss",
    }
    return dg.MaterializeResult(
        data_version=dg.DataVersion(hashlib.sha256(hashes.encode()).hexdigest()), metadata=metadata
    )
