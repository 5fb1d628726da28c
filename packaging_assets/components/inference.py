"""The two assets of a cadence of inference: the inventory to score and the predictions, daily or monthly alike."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from packaging_assets.artifacts.step import Compute, Input
from packaging_assets.artifacts.store import ArtifactInput, ArtifactStore
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.step_asset import StepRunner, materialized
from packaging_assets.components.warehouse_extract import extract
from packaging_assets.domain.architectures import architecture_module
from packaging_assets.domain.features import FeatureExtractParams, keep_features
from packaging_assets.domain.predictions import NoApprovedModel, PredictModel, PredictParams, predict
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.partitions import as_of
from packaging_assets.resources.clock import Clock
from packaging_assets.resources.model_registry import ModelRegistry
from packaging_assets.resources.predictions_table import PredictionPartition, load_predictions
from packaging_assets.resources.queries import query
from packaging_assets.resources.warehouse import Warehouse
from packaging_assets.settings import Settings

OWNERS = ("team:packaging-science",)


def inventory_asset(
    cadence: str, partitions: dg.TimeWindowPartitionsDefinition, description: str
) -> dg.AssetsDefinition:
    """Build `<cadence>/inventory`."""

    @dg.asset(
        key=[cadence, "inventory"],
        description=description,
        partitions_def=partitions,
        deps=["product_features"],
        group_name="inference",
        owners=OWNERS,
        kinds={"parquet"},
        pool="warehouse",
    )
    def inventory(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        artifact_store: dg.ResourceParam[ArtifactStore],
        compute: dg.ResourceParam[Compute],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        window = partitions.time_window_for_partition_key(context.partition_key)
        end = as_of(partitions, context.partition_key)
        bounds: dict[str, Any] = {"as_of": end}
        if cadence == "daily":
            bounds["window_start"] = window.start.replace(tzinfo=None)
        products = extract(warehouse, settings, as_of=end, queries={"": (query(f"inventory_{cadence}"), bounds)})
        runner = StepRunner(context, artifact_store, compute)
        params = FeatureExtractParams(as_of=end)
        return materialized(runner.run(keep_features, inputs={"extract": products}, params=params))

    return inventory


def predictions_asset(
    cadence: str, partitions: dg.TimeWindowPartitionsDefinition, description: str, specs: Sequence[ModelSpec]
) -> dg.AssetsDefinition:
    """Build `<cadence>/predictions` for the models of `specs`."""
    models = {spec.package_type: spec for spec in specs}

    @dg.asset(
        key=[cadence, "predictions"],
        description=description,
        partitions_def=partitions,
        deps=[[cadence, "inventory"], *([model, "champion"] for model in models)],
        group_name="inference",
        owners=OWNERS,
        kinds={"parquet"},
        pool="warehouse",
    )
    def predictions(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        artifact_store: dg.ResourceParam[ArtifactStore],
        compute: dg.ResourceParam[Compute],
        model_registry: dg.ResourceParam[ModelRegistry],
        clock: dg.ResourceParam[Clock],
    ) -> dg.MaterializeResult:
        champions = approved_models(model_registry, sorted(models))
        runner = StepRunner(context, artifact_store, compute)
        inventory = runner.upstream(f"{cadence}/inventory")
        result = runner.run(
            predict,
            inputs={"inventory": inventory, **_model_inputs(artifact_store, champions)},
            params=_predict_params(champions, models, as_of(partitions, context.partition_key)),
            extra_modules=sorted({architecture_module(spec.architecture) for spec in specs}),
        )
        partition = PredictionPartition(
            cadence=cadence,
            partition_start=dt.date.fromisoformat(context.partition_key),
            as_of=as_of(partitions, context.partition_key),
            content_hash=result.artifact.content_hash,
            rows=result.artifact.total_rows,
        )
        with artifact_store.scratch() as scratch:
            folder = artifact_store.local_path(result.artifact, scratch)
            load = load_predictions(warehouse, partition, folder, loaded_at=clock.now().replace(tzinfo=None))
        return materialized(
            result,
            metadata={
                "inventory_rows": inventory.artifact.total_rows,
                "models": {name: version.version for name, version in champions.items()},
                "types_without_approved_model": sorted(set(models) - set(champions)),
                "load": "replaced the partition" if load.is_new else "the warehouse already held these rows",
            },
        )

    return predictions


def approved_models(registry: ModelRegistry, models: Sequence[str]) -> dict[str, ModelVersion]:
    """The champion of each model that has one.

    Raises:
        NoApprovedModel: none of them has an approved version.
    """
    champions = {model: registry.champion(model) for model in models}
    approved = {model: version for model, version in champions.items() if version is not None}
    if not approved:
        raise NoApprovedModel(
            f"No approved version of any model ({', '.join(models)}): nothing can be predicted. Train a week "
            "(`packaging run weekly --partition <monday>`), or approve a version by name "
            "(`packaging models list`, `packaging models approve`)."
        )
    return approved


def _model_inputs(store: ArtifactStore, champions: Mapping[str, ModelVersion]) -> dict[str, Input]:
    return {
        f"model_{model}": ArtifactInput(store, store.get(version.artifact_uri)) for model, version in champions.items()
    }


def _predict_params(
    champions: Mapping[str, ModelVersion], models: Mapping[str, ModelSpec], end: dt.datetime
) -> PredictParams:
    return PredictParams(
        models=tuple(
            PredictModel(
                package_type=version.package_type,
                version=version.version,
                threshold=models[model].suitable_from,
                input_name=f"model_{model}",
            )
            for model, version in champions.items()
        ),
        as_of=end,
    )
