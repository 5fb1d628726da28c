"""`features`."""

import dagster as dg

from packaging_assets.artifacts.step import Compute
from packaging_assets.artifacts.store import ArtifactStore
from packaging_assets.components.model_spec import TRAINING_TAG
from packaging_assets.components.package_model import model_set
from packaging_assets.components.project_features import extract_columns
from packaging_assets.components.step_asset import StepRunner, materialized
from packaging_assets.components.warehouse_extract import extract
from packaging_assets.domain.features import FeatureExtractParams, keep_features
from packaging_assets.partitions import as_of, weekly_partitions
from packaging_assets.resources.queries import query
from packaging_assets.resources.warehouse import Warehouse
from packaging_assets.settings import Settings, current_settings
from packaging_assets.threads.priorities import LEADS_TO_LEARNING


@dg.definitions
def features_definitions(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Build the asset of the settings in use, with every column that a model of the project asks for."""
    weekly = weekly_partitions(current_settings())
    columns = extract_columns(spec.columns_of_training for spec in model_set(context).specs.values())

    @dg.asset(
        partitions_def=weekly,
        deps=["product_features", "package_evidence"],
        group_name="labels",
        owners=["team:packaging-science"],
        tags=TRAINING_TAG,
        op_tags=LEADS_TO_LEARNING,
        kinds={"parquet"},
        pool="warehouse",
    )
    def features(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        artifact_store: dg.ResourceParam[ArtifactStore],
        compute: dg.ResourceParam[Compute],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        """The features of every product with evidence, as they were known by the week's end.

        One row per product: its latest version dated before the week's end.
        """
        end = as_of(weekly, context.partition_key)
        latest_versions = extract(
            warehouse, settings, as_of=end, queries={"": (query("labelled_features"), {"as_of": end})}
        )
        runner = StepRunner(context, artifact_store, compute)
        params = FeatureExtractParams(as_of=end, columns=columns)
        return materialized(runner.run(keep_features, inputs={"extract": latest_versions}, params=params))

    return dg.Definitions(assets=[features])
