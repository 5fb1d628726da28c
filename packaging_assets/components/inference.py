"""The two assets of a cadence of inference: the inventory to score and the predictions, daily or monthly alike."""

import datetime as dt
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import dagster as dg

from packaging_assets.artifacts.run_step import StepResult
from packaging_assets.artifacts.step import Compute, Input
from packaging_assets.artifacts.store import ArtifactInput, ArtifactStore
from packaging_assets.components.checks import SEVERITIES, check_results, check_specs, stored_verdict
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.step_asset import StepRunner, materialized
from packaging_assets.components.warehouse_extract import extract
from packaging_assets.domain.architectures import architecture_module
from packaging_assets.domain.features import FeatureExtractParams, keep_features
from packaging_assets.domain.inventory_checks import (
    INVENTORY_CHECKS,
    CheckInventoryParams,
    InventoryModel,
    check_inventory,
)
from packaging_assets.domain.prediction_checks import (
    PREDICTION_CHECKS,
    CheckPredictionsParams,
    ScoredModel,
    check_predictions,
)
from packaging_assets.domain.predictions import NoApprovedModel, PredictModel, PredictParams, predict
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.domain.verdicts import Verdict
from packaging_assets.partitions import as_of
from packaging_assets.resources.clock import Clock
from packaging_assets.resources.model_registry import ModelRegistry
from packaging_assets.resources.predictions_table import PredictionPartition, load_predictions
from packaging_assets.resources.queries import query
from packaging_assets.resources.warehouse import Warehouse
from packaging_assets.settings import Settings


class FailedCheckError(Exception):
    """A check with severity ERROR failed, so nothing may be loaded; the message names check, figures and remedy."""


OWNERS = ("team:packaging-science",)


def inventory_asset(
    cadence: str, partitions: dg.TimeWindowPartitionsDefinition, description: str, specs: Sequence[ModelSpec]
) -> dg.AssetsDefinition:
    """Build `<cadence>/inventory`, checked against what the champions of `specs` learned from."""
    models = {spec.package_type: spec for spec in specs}
    key = dg.AssetKey([cadence, "inventory"])

    @dg.asset(
        key=key,
        check_specs=check_specs(key, INVENTORY_CHECKS),
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
        model_registry: dg.ResourceParam[ModelRegistry],
    ) -> dg.MaterializeResult:
        window = partitions.time_window_for_partition_key(context.partition_key)
        end = as_of(partitions, context.partition_key)
        bounds: dict[str, Any] = {"as_of": end}
        if cadence == "daily":
            bounds["window_start"] = window.start.replace(tzinfo=None)
        products = extract(warehouse, settings, as_of=end, queries={"": (query(f"inventory_{cadence}"), bounds)})
        runner = StepRunner(context, artifact_store, compute)
        params = FeatureExtractParams(as_of=end)
        result = runner.run(keep_features, inputs={"extract": products}, params=params)
        champions = champions_of(model_registry, sorted(models))
        if not champions:
            return materialized(result, check_results=_nothing_to_compare_with())
        checked = ArtifactInput(artifact_store, result.artifact)
        checks = run_inventory_checks(runner, checked, _model_inputs(artifact_store, champions), champions, models)
        return materialized(result, check_results=check_results(verdict_in(artifact_store, checks), checks))

    return inventory


def predictions_asset(
    cadence: str, partitions: dg.TimeWindowPartitionsDefinition, description: str, specs: Sequence[ModelSpec]
) -> dg.AssetsDefinition:
    """Build `<cadence>/predictions` for the models of `specs`."""
    models = {spec.package_type: spec for spec in specs}
    key = dg.AssetKey([cadence, "predictions"])

    @dg.asset(
        key=key,
        check_specs=check_specs(key, PREDICTION_CHECKS),
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
    ) -> Generator[dg.AssetCheckResult | dg.MaterializeResult]:
        champions = approved_models(model_registry, sorted(models))
        runner = StepRunner(context, artifact_store, compute)
        inventory = runner.upstream(f"{cadence}/inventory")
        inputs = _model_inputs(artifact_store, champions)
        # Dagster's record of the inventory's checks may be of other champions, or missing; these are the ones at hand.
        drift = run_inventory_checks(runner, inventory, inputs, champions, models)
        refuse_failed_checks(f"{cadence}/inventory", context.partition_key, verdict_in(artifact_store, drift))
        last = artifact_store.current(f"{cadence}/predictions", context.partition_key)
        result = runner.run(
            predict,
            inputs={"inventory": inventory, **inputs},
            params=_predict_params(champions, models, as_of(partitions, context.partition_key)),
            extra_modules=sorted({architecture_module(spec.architecture) for spec in specs}),
        )
        checks = runner.run(
            check_predictions,
            inputs={"inventory": inventory, "predictions": ArtifactInput(artifact_store, result.artifact)},
            params=_check_predictions_params(champions, models),
            asset_key=f"{cadence}/predictions_checks",
        )
        verdict = verdict_in(artifact_store, checks)
        yield from check_results(verdict, checks)  # recorded even when the next line refuses
        try:
            refuse_failed_checks(f"{cadence}/predictions", context.partition_key, verdict)
        except FailedCheckError:
            if last is not None:
                artifact_store.point(last)
            raise
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
        yield materialized(
            result,
            metadata={
                "inventory_rows": inventory.artifact.total_rows,
                "models": {name: version.version for name, version in champions.items()},
                "types_without_approved_model": sorted(set(models) - set(champions)),
                "load": "replaced the partition" if load.is_new else "the warehouse already held these rows",
            },
        )

    return predictions


def champions_of(registry: ModelRegistry, models: Sequence[str]) -> dict[str, ModelVersion]:
    """The champion of each model that has one; none is no error."""
    champions = {model: registry.champion(model) for model in models}
    return {model: version for model, version in champions.items() if version is not None}


def approved_models(registry: ModelRegistry, models: Sequence[str]) -> dict[str, ModelVersion]:
    """The champion of each model that has one.

    Raises:
        NoApprovedModel: none of them has an approved version.
    """
    approved = champions_of(registry, models)
    if not approved:
        raise NoApprovedModel(
            f"No approved version of any model ({', '.join(models)}): nothing can be predicted. Train a week "
            "(`packaging run weekly --partition <monday>`), or approve a version by name "
            "(`packaging models list`, `packaging models approve`)."
        )
    return approved


def run_inventory_checks(
    runner: StepRunner,
    inventory: ArtifactInput,
    model_inputs: Mapping[str, Input],
    champions: Mapping[str, ModelVersion],
    models: Mapping[str, ModelSpec],
) -> StepResult:
    """Check an inventory against the champions' training; the same inventory and champions are checked once."""
    checked = tuple(
        InventoryModel(name=model, input_name=f"model_{model}", policy=models[model].gates) for model in champions
    )
    return runner.run(
        check_inventory,
        inputs={"inventory": inventory, **model_inputs},
        params=CheckInventoryParams(models=checked),
        asset_key=f"{inventory.artifact.asset_key}_checks",
    )


def verdict_in(store: ArtifactStore, checks: StepResult) -> Verdict:
    """The verdict that a step of checks stored."""
    with store.scratch() as scratch:
        return stored_verdict(store.local_path(checks.artifact, scratch))


def refuse_failed_checks(asset: str, partition: str, verdict: Verdict) -> None:
    """Let nothing pass that failed a check with severity ERROR.

    Raises:
        FailedCheckError: naming the asset's partition, and of each failed check its figures and remedy.
    """
    failed = [check for check in verdict.checks if not check.is_passed and check.severity == "ERROR"]
    if failed:
        reasons = " ".join(f"Check {check.name}: {check.sentence} {check.remedy}" for check in failed)
        raise FailedCheckError(
            f"{asset} for {partition} failed {len(failed)} check(s), so no predictions were loaded and the last ones "
            f"keep serving. {reasons} If the products are right as they are, train a week that holds such products, "
            "or widen the model's limits under `gates` in its YAML."
        )


def _nothing_to_compare_with() -> list[dg.AssetCheckResult]:
    sentence = "No model is approved yet: there is nothing to compare with, and nothing will be predicted."
    return [
        dg.AssetCheckResult(
            check_name=check.name, passed=True, severity=SEVERITIES[check.severity], description=sentence
        )
        for check in INVENTORY_CHECKS
    ]


def _check_predictions_params(
    champions: Mapping[str, ModelVersion], models: Mapping[str, ModelSpec]
) -> CheckPredictionsParams:
    return CheckPredictionsParams(
        models=tuple(
            ScoredModel(
                package_type=version.package_type,
                policy=models[model].gates,
                score_profile=version.metrics.get("score_profile"),
                pr_auc_standard_error=float(version.metrics.get("pr_auc_standard_error") or 0.0),
            )
            for model, version in champions.items()
        )
    )


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
