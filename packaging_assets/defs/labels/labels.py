"""`labels`."""

import dagster as dg

from packaging_assets.artifacts.step import Compute
from packaging_assets.artifacts.store import ArtifactStore
from packaging_assets.components.model_spec import TRAINING_TAG
from packaging_assets.components.step_asset import StepRunner, materialized
from packaging_assets.components.warehouse_extract import extract
from packaging_assets.domain.labels import LabelParams, resolve_labels
from packaging_assets.partitions import as_of, weekly_partitions
from packaging_assets.resources.queries import query
from packaging_assets.resources.warehouse import Warehouse
from packaging_assets.settings import Settings, current_settings


@dg.definitions
def labels_definitions() -> dg.Definitions:
    """Build the asset of the settings in use."""
    weekly = weekly_partitions(current_settings())

    @dg.asset(
        partitions_def=weekly,
        deps=["package_evidence", "product_features"],
        group_name="labels",
        owners=["team:packaging-science"],
        tags=TRAINING_TAG,
        kinds={"parquet"},
        pool="warehouse",
    )
    def labels(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        artifact_store: dg.ResourceParam[ArtifactStore],
        compute: dg.ResourceParam[Compute],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        """Which package types suit which products, by all evidence dated before the week's end.

        One row per product and package type that is labelled, with its evidence counts and weight.
        """
        end = as_of(weekly, context.partition_key)
        bounds = {"as_of": end, "maturity_days": settings.maturity_days}
        evidence = extract(
            warehouse,
            settings,
            as_of=end,
            queries={"": (query("evidence"), bounds), "volume": (query("evidence_volume"), bounds)},
        )
        runner = StepRunner(context, artifact_store, compute)
        return materialized(runner.run(resolve_labels, inputs={"evidence": evidence}, params=LabelParams()))

    return dg.Definitions(assets=[labels])
