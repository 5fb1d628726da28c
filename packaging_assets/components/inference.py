"""The two assets of a cadence of inference: the inventory to score and the predictions, daily or monthly alike."""

import datetime as dt
from collections.abc import Generator, Iterable, Mapping

import dagster as dg

from packaging_assets.artifacts.run_step import StepResult
from packaging_assets.artifacts.step import Compute, Input
from packaging_assets.artifacts.store import Artifact, ArtifactError, ArtifactInput, ArtifactStore
from packaging_assets.components.checks import SEVERITIES, check_results, check_specs, stored_verdict
from packaging_assets.components.instance_spec import InstanceSpec, most_demanding
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.project_features import extract_columns
from packaging_assets.components.serving import serving_versions, spec_of_version
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
from packaging_assets.resources.predictions_table import PredictionLoad, PredictionPartition, load_predictions
from packaging_assets.resources.queries import (
    BEGINNING,
    INVENTORY_ORDER,
    inventory_parameters,
    inventory_slices,
    query,
)
from packaging_assets.resources.warehouse import Warehouse
from packaging_assets.settings import Settings


class FailedCheckError(Exception):
    """A check with severity ERROR failed, so nothing may be loaded; the message names check, figures and remedy."""


OWNERS = ("team:packaging-science",)


def inventory_asset(
    cadence: str, partitions: dg.TimeWindowPartitionsDefinition, description: str, models: ModelSet
) -> dg.AssetsDefinition:
    """Build `<cadence>/inventory`, checked against what the versions that serve learned from."""
    key = dg.AssetKey([cadence, "inventory"])
    columns = extract_columns(spec.features for spec in models.specs.values())

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
        start = window.start.replace(tzinfo=None) if cadence == "daily" else BEGINNING
        queries = {"": (query("inventory"), inventory_parameters(start, end))}
        products = extract(warehouse, settings, as_of=end, queries=queries, slices={"": inventory_slices()})
        runner = StepRunner(context, artifact_store, compute)
        params = FeatureExtractParams(as_of=end, columns=columns, order=INVENTORY_ORDER)
        machines = beside_predictions(predict_instances(models))
        result = runner.run(keep_features, inputs={"extract": products}, params=params, instances=machines)
        serving = serving_versions(model_registry, models)
        if not serving:
            return materialized(result, check_results=_nothing_to_compare_with())
        checked = ArtifactInput(artifact_store, result.artifact)
        checks = run_inventory_checks(runner, checked, model_inputs(artifact_store, serving.values()), serving, models)
        return materialized(result, check_results=check_results(verdict_in(artifact_store, checks), checks))

    return inventory


def predictions_asset(
    cadence: str, partitions: dg.TimeWindowPartitionsDefinition, description: str, models: ModelSet
) -> dg.AssetsDefinition:
    """Build `<cadence>/predictions` for the versions that serve."""
    key = dg.AssetKey([cadence, "predictions"])

    @dg.asset(
        key=key,
        check_specs=check_specs(key, PREDICTION_CHECKS),
        description=description,
        partitions_def=partitions,
        deps=[[cadence, "inventory"], *([model, "champion"] for model in models.live())],
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
        serving = approved_models(model_registry, models)
        runner = StepRunner(context, artifact_store, compute)
        inventory = runner.upstream(f"{cadence}/inventory")
        inputs = model_inputs(artifact_store, serving.values())
        # Dagster's record of the inventory's checks may be of other champions, or missing; these are the ones at hand.
        drift = run_inventory_checks(runner, inventory, inputs, serving, models)
        refuse_failed_checks(f"{cadence}/inventory", context.partition_key, verdict_in(artifact_store, drift))
        last = _last_predictions(artifact_store, f"{cadence}/predictions", context.partition_key)
        result = runner.run(
            predict,
            inputs={"inventory": inventory, **inputs},
            params=PredictParams(
                models=tuple(predict_model(models, version) for version in serving.values()),
                as_of=as_of(partitions, context.partition_key),
            ),
            extra_modules=architecture_modules(models, serving.values()),
            instances=predict_instances(models),
        )
        checks = runner.run(
            check_predictions,
            inputs={"inventory": inventory, "predictions": ArtifactInput(artifact_store, result.artifact)},
            params=_check_predictions_params(serving, models),
            asset_key=f"{cadence}/predictions_checks",
            instances=beside_predictions(predict_instances(models)),
        )
        verdict = verdict_in(artifact_store, checks)
        yield from check_results(verdict, checks)  # recorded even when the next line refuses
        try:
            refuse_failed_checks(f"{cadence}/predictions", context.partition_key, verdict)
        except FailedCheckError:
            if last is not None:
                artifact_store.point(last)
            raise
        load = load_result(
            warehouse,
            artifact_store,
            result,
            cadence=cadence,
            partition_start=dt.date.fromisoformat(context.partition_key),
            end=as_of(partitions, context.partition_key),
            loaded_at=clock.now().replace(tzinfo=None),
        )
        yield materialized(
            result,
            metadata={
                "inventory_rows": inventory.artifact.total_rows,
                "models": {version.model: version.version for version in serving.values()},
                "types_without_approved_model": sorted(
                    {spec.package_type for spec in models.live().values()} - set(serving)
                ),
                "load": "replaced the partition" if load.is_new else "the warehouse already held these rows",
            },
        )

    return predictions


def load_result(
    warehouse: Warehouse,
    store: ArtifactStore,
    result: StepResult,
    *,
    cadence: str,
    partition_start: dt.date,
    end: dt.datetime,
    loaded_at: dt.datetime,
    shadow_model: str | None = None,
) -> PredictionLoad:
    """Load a step's predictions into the warehouse, see `PredictionPartition` and `load_predictions`."""
    partition = PredictionPartition(
        cadence=cadence,
        partition_start=partition_start,
        as_of=end,
        content_hash=result.artifact.content_hash,
        rows=result.artifact.total_rows,
        shadow_model=shadow_model,
    )
    with store.scratch() as scratch:
        return load_predictions(warehouse, partition, store.local_path(result.artifact, scratch), loaded_at=loaded_at)


def approved_models(registry: ModelRegistry, models: ModelSet) -> dict[str, ModelVersion]:
    """The version that serves each package type, by package type; see `serving_versions`.

    Raises:
        NoApprovedModel: no package type has one.
    """
    serving = serving_versions(registry, models)
    if not serving:
        raise NoApprovedModel(
            f"No approved version of any model ({', '.join(sorted(models.live()))}): nothing can be predicted. Train a "
            "week (`packaging run weekly --partition <monday>`), or approve a version by name "
            "(`packaging models list`, `packaging models approve`)."
        )
    return serving


def run_inventory_checks(
    runner: StepRunner,
    inventory: ArtifactInput,
    inputs: Mapping[str, Input],
    serving: Mapping[str, ModelVersion],
    models: ModelSet,
) -> StepResult:
    """Check an inventory against the serving versions' training; the same inventory and versions are checked once."""
    checked = tuple(
        InventoryModel(
            name=version.model,
            input_name=_input_name(version),
            policy=spec_of_version(models, version).gates,
        )
        for version in serving.values()
    )
    return runner.run(
        check_inventory,
        inputs={"inventory": inventory, **inputs},
        params=CheckInventoryParams(models=checked),
        asset_key=f"{inventory.artifact.asset_key}_checks",
        instances=beside_predictions(predict_instances(models)),
    )


def _last_predictions(store: ArtifactStore, asset_key: str, partition: str) -> Artifact | None:
    """What a refusal goes back to; damaged or deleted predictions must not keep the run from making them again."""
    try:
        return store.current(asset_key, partition)
    except ArtifactError:
        return None


def predict_instances(models: ModelSet) -> InstanceSpec:
    """The machines on which one step scores with the models of all package types, see `most_demanding`."""
    return most_demanding(spec.instances.predict for spec in models.live().values())


def beside_predictions(machines: InstanceSpec) -> InstanceSpec:
    """The machines of the steps before and after scoring: the same, and each step as suits it unless in the driver."""
    if machines.run_as == "driver":
        return machines
    return machines.model_copy(update={"run_as": None, "use_spot": False})


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


def _check_predictions_params(serving: Mapping[str, ModelVersion], models: ModelSet) -> CheckPredictionsParams:
    return CheckPredictionsParams(
        models=tuple(
            ScoredModel.model_validate(
                {
                    "package_type": version.package_type,
                    "model": version.model,
                    "policy": spec_of_version(models, version).gates,
                    "score_profile": version.metrics.get("score_profile"),
                    "pr_auc_standard_error": float(version.metrics.get("pr_auc_standard_error") or 0.0),
                }
            )
            for version in serving.values()
        )
    )


def model_inputs(store: ArtifactStore, versions: Iterable[ModelVersion]) -> dict[str, Input]:
    """The folders of versions as a step's inputs."""
    return {_input_name(version): ArtifactInput(store, store.get(version.artifact_uri)) for version in versions}


def predict_model(models: ModelSet, version: ModelVersion) -> PredictModel:
    """A version as `predict` applies it, its folder being among `model_inputs`."""
    return PredictModel.model_validate(
        {
            "package_type": version.package_type,
            "model": version.model,
            "version": version.version,
            "threshold": spec_of_version(models, version).suitable_from,
            "input_name": _input_name(version),
        }
    )


def architecture_modules(models: ModelSet, versions: Iterable[ModelVersion]) -> list[str]:
    """The modules by whose code versions score, those of the models that they feed from included."""
    named = (
        name
        for version in versions
        for name in version.metrics.get("architectures", [spec_of_version(models, version).architecture])
    )
    return sorted({architecture_module(name) for name in named})


def _input_name(version: ModelVersion) -> str:
    return f"model_{version.model}"
