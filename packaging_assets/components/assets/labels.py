"""`labels`, shared by the models with the default rules, and `<model>/labels` of a model with rules of its own."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from packaging_assets.artifacts.step import Compute
from packaging_assets.artifacts.store import ArtifactStore
from packaging_assets.components.label_rules import LabelRules
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.step_asset import StepRunner, materialized
from packaging_assets.components.training_asset import training_asset
from packaging_assets.components.warehouse_extract import extract
from packaging_assets.domain.labels import resolve_labels
from packaging_assets.partitions import as_of
from packaging_assets.resources.queries import query
from packaging_assets.resources.warehouse import Extract, Warehouse
from packaging_assets.settings import Settings
from packaging_assets.threads.priorities import LEADS_TO_LEARNING

DESCRIPTION = """Which package types suit which products, by all evidence dated before the week's end.

One row per product and package type that is labelled, with its evidence counts and weight."""

OWN_RULES = "By the rules that the model's YAML sets under `labels`."


def shared_labels_asset(weekly: dg.WeeklyPartitionsDefinition, owners: Sequence[str]) -> dg.AssetsDefinition:
    """Build the asset for all models with the default rules."""
    return _labels_asset(["labels"], LabelRules(), weekly, group="labels", owners=owners, description=DESCRIPTION)


def labels_asset(
    spec: ModelSpec,
    models: ModelSet,  # noqa: ARG001 - all of a model's assets are built alike
    weekly: dg.WeeklyPartitionsDefinition,
) -> dg.AssetsDefinition:
    """Build the asset for one model with rules of its own."""
    return _labels_asset(
        [spec.name, "labels"],
        spec.labels,
        weekly,
        group=spec.name,
        owners=spec.owners,
        description=f"{DESCRIPTION}\n\n{OWN_RULES}",
    )


def evidence(warehouse: Warehouse, settings: Settings, rules: LabelRules, end: dt.datetime) -> Extract:
    """What is known of products in package types before `end`, and how much of it came week by week.

    Raises:
        MissingDaysError: a day before `end` is not in the warehouse's models yet.
    """
    maturity = settings.maturity_days if rules.maturity_days is None else rules.maturity_days
    bounds = {"as_of": end, "maturity_days": maturity}
    queries = {"": (query("evidence"), bounds), "volume": (query("evidence_volume"), bounds)}
    return extract(warehouse, settings, as_of=end, queries=queries)


def _labels_asset(
    key: Sequence[str],
    rules: LabelRules,
    weekly: dg.WeeklyPartitionsDefinition,
    *,
    group: str,
    owners: Sequence[str],
    description: str,
) -> dg.AssetsDefinition:
    @training_asset(
        key=key,
        description=description,
        partitions_def=weekly,
        deps=["package_evidence", "product_features"],
        group_name=group,
        owners=owners,
        op_tags=LEADS_TO_LEARNING,
        kinds={"parquet"},
        pool="warehouse",
    )
    def labels(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        artifact_store: ArtifactStore,
        compute: Compute,
        settings: Settings,
    ) -> dg.MaterializeResult:
        known = evidence(warehouse, settings, rules, as_of(weekly, context.partition_key))
        runner = StepRunner(context, artifact_store, compute)
        return materialized(runner.run(resolve_labels, inputs={"evidence": known}, params=rules.params))

    return labels
