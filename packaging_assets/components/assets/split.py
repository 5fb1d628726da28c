"""`<type>/split`."""

import datetime as dt

import dagster as dg

from packaging_assets.artifacts.step import Compute
from packaging_assets.artifacts.store import ArtifactStore
from packaging_assets.components.model_spec import TRAINING_TAG, ModelSpec
from packaging_assets.components.step_asset import StepRunner, materialized
from packaging_assets.domain.splits import SplitParams, split


def split_asset(spec: ModelSpec, weekly: dg.WeeklyPartitionsDefinition) -> dg.AssetsDefinition:
    """Build the asset for one model."""

    @dg.asset(
        key=[spec.package_type, "split"],
        partitions_def=weekly,
        deps=["labels", "features"],
        kinds={"parquet"},
        group_name=spec.package_type,
        owners=spec.owners,
        tags=TRAINING_TAG,
    )
    def package_split(
        context: dg.AssetExecutionContext,
        artifact_store: dg.ResourceParam[ArtifactStore],
        compute: dg.ResourceParam[Compute],
    ) -> dg.MaterializeResult:
        """The labelled products of one package type, divided into training and validation rows.

        One row per product; a product is never on both sides.
        """
        runner = StepRunner(context, artifact_store, compute)
        # The hash method's split does not depend on the week, so the week must not be part of its fingerprint.
        week = dt.date.fromisoformat(context.partition_key) if spec.split.method == "time" else None
        params = SplitParams(package_type=spec.package_type, week=week, **spec.split.model_dump())
        inputs = {name: runner.upstream(name) for name in ("labels", "features")}
        return materialized(runner.run(split, inputs=inputs, params=params))

    return package_split
