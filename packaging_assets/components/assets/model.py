"""`<type>/model`."""

import dagster as dg

from packaging_assets.artifacts.step import Compute
from packaging_assets.artifacts.store import ArtifactStore
from packaging_assets.components.model_spec import TRAINING_TAG, ModelSpec
from packaging_assets.components.step_asset import StepRunner, materialized
from packaging_assets.domain.architectures import architecture_module
from packaging_assets.domain.models import TrainParams, train

DESCRIPTION = """The trained model of one package type: its files, features and a profile of what it was trained on.

One folder per week."""


def model_asset(spec: ModelSpec, weekly: dg.WeeklyPartitionsDefinition) -> dg.AssetsDefinition:
    """Build the asset for one model."""
    params = TrainParams(
        package_type=spec.package_type,
        architecture=spec.architecture,
        parameters=spec.parameters,
        features=spec.features,
        seed=spec.seed,
    )

    @dg.asset(
        key=[spec.package_type, "model"],
        description=f"{DESCRIPTION}\n\n{spec.description}".strip(),
        partitions_def=weekly,
        deps=[[spec.package_type, "split"], "features"],
        kinds={spec.architecture} if spec.architecture.isidentifier() else set(),
        group_name=spec.package_type,
        owners=spec.owners,
        tags=TRAINING_TAG,
    )
    def package_model(
        context: dg.AssetExecutionContext,
        artifact_store: dg.ResourceParam[ArtifactStore],
        compute: dg.ResourceParam[Compute],
    ) -> dg.MaterializeResult:
        runner = StepRunner(context, artifact_store, compute)
        inputs = {
            "split": runner.upstream(f"{spec.package_type}/split"),
            "features": runner.upstream("features"),
        }
        result = runner.run(train, inputs=inputs, params=params, extra_modules=[architecture_module(spec.architecture)])
        return materialized(result)

    return package_model
