"""dbt's models as assets: reference data and views, the growing tables by day, recommendations, outcomes."""

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets

from packaging_assets.components.model_spec import TRAINING_TAG
from packaging_assets.domain.labels import LabelParams
from packaging_assets.partitions import daily_partitions
from packaging_assets.resources.built_days import (
    built_fingerprints,
    day_fingerprints,
    dbt_project_hash,
    record_built_days,
)
from packaging_assets.resources.built_groups import BuiltGroup, built_group, predictions_version, record_built_group
from packaging_assets.resources.dbt_builder import DbtBuilder
from packaging_assets.resources.dbt_project import dbt_manifest
from packaging_assets.resources.outcome_rows import OUTCOME_GROUP, outcomes_version
from packaging_assets.resources.warehouse import Warehouse
from packaging_assets.settings import Settings, current_settings

BEGINNING = dt.date(1900, 1, 1)
DAILY = ("product_features", "package_evidence")
RECOMMENDATIONS = ("latest_predictions", "package_recommendations")
OUTCOMES = ("prediction_outcomes",)
PREDICTIONS_TABLE = dg.AssetKey(["ml", "predictions"])
OWNERS = ("team:packaging-data",)
ONE_DAY = dt.timedelta(days=1)


class Translator(DagsterDbtTranslator):
    """Group and owners of dbt's assets as they appear in the UI."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Recommendations and outcomes stand at the end of the graph, everything else at its beginning."""
        ends = {**dict.fromkeys(RECOMMENDATIONS, "recommendations"), **dict.fromkeys(OUTCOMES, "outcomes")}
        return ends.get(dbt_resource_props["name"], "warehouse")

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        """The weekly job builds the outcomes: its week is over, and training shows how the last models did."""
        tags = super().get_tags(dbt_resource_props)
        return {**tags, **TRAINING_TAG} if dbt_resource_props["name"] in OUTCOMES else tags

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG002 - one team owns all
        """Who answers for the warehouse's models."""
        return OWNERS

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """Point what reads the loaded predictions at the two assets that load them."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        if all(dep.asset_key != PREDICTIONS_TABLE for dep in spec.deps):
            return spec
        others = [dep for dep in spec.deps if dep.asset_key != PREDICTIONS_TABLE]
        loaded_by = [dg.AssetDep([cadence, "predictions"]) for cadence in ("daily", "monthly")]
        return spec.replace_attributes(deps=[*others, *loaded_by])


@dg.definitions
def dbt_models() -> dg.Definitions:
    """Build the dbt assets of the settings in use."""
    settings = current_settings()
    common: dict[str, Any] = {
        "manifest": dbt_manifest(settings),
        "dagster_dbt_translator": Translator(),
        "pool": "warehouse",
    }
    daily: dict[str, Any] = {
        "partitions_def": daily_partitions(settings),
        "backfill_policy": dg.BackfillPolicy.single_run(),
    }

    @dbt_assets(**common, name="reference_models", exclude=" ".join((*DAILY, *RECOMMENDATIONS, *OUTCOMES)))
    def reference_models(
        context: dg.AssetExecutionContext,
        dbt: dg.ResourceParam[DbtBuilder],
        warehouse: dg.ResourceParam[Warehouse],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[Any]:
        warehouse.create_tables()
        sql = dbt_project_hash(settings.dbt_project_path)
        yield from _build_unless_built(context, dbt, warehouse, rows="", sql=sql)

    @dbt_assets(**common, **daily, name="daily_models", select=" ".join(DAILY))
    def daily_models(
        context: dg.AssetExecutionContext,
        dbt: dg.ResourceParam[DbtBuilder],
        warehouse: dg.ResourceParam[Warehouse],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[Any]:
        days = _days(context)
        wanted = _wanted_fingerprints(warehouse, days, settings)
        built = built_fingerprints(warehouse, before=dt.datetime.combine(days[-1] + ONE_DAY, dt.time()))
        stale = [day for day in days if built.get(day) != wanted[day]]
        if not stale:
            yield from _unchanged(context, wanted[days[-1]])
            return
        yield from dbt.build(context, _window(stale, settings))
        record_built_days(warehouse, {day: wanted[day] for day in stale})

    @dbt_assets(**common, name="recommendation_models", select=" ".join(RECOMMENDATIONS))
    def recommendation_models(
        context: dg.AssetExecutionContext,
        dbt: dg.ResourceParam[DbtBuilder],
        warehouse: dg.ResourceParam[Warehouse],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[Any]:
        sql = dbt_project_hash(settings.dbt_project_path)
        rows = predictions_version(warehouse)
        yield from _build_unless_built(context, dbt, warehouse, rows, sql=sql)

    @dbt_assets(**common, name=OUTCOME_GROUP, select=" ".join(OUTCOMES))
    def outcome_models(
        context: dg.AssetExecutionContext,
        dbt: dg.ResourceParam[DbtBuilder],
        warehouse: dg.ResourceParam[Warehouse],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[Any]:
        rules = outcome_rules(settings)
        sql = dbt_project_hash(settings.dbt_project_path)
        rows = outcomes_version(warehouse, rules)
        yield from _build_unless_built(context, dbt, warehouse, rows, sql=sql, variables=rules)

    return dg.Definitions(assets=[reference_models, daily_models, recommendation_models, outcome_models])


def outcome_rules(settings: Settings) -> dict[str, int]:
    """What makes an outcome, as dbt's variables: the same as makes a training label."""
    rules = LabelParams()
    return {
        "maturity_days": settings.maturity_days,
        "min_damage_reports": rules.min_damage_reports,
        "min_shipments": rules.min_shipments,
    }


def _build_unless_built(
    context: dg.AssetExecutionContext,
    dbt: DbtBuilder,
    warehouse: Warehouse,
    rows: str,
    *,
    sql: str,
    variables: Mapping[str, object] | None = None,
) -> Iterator[Any]:
    """Build a whole group unless it was built from the same rows by the same SQL.

    Other SQL, or other costs, concern rows that an incremental model would leave alone: it is built anew. A part of
    the group, chosen by hand in the UI, is always built.
    """
    wanted = BuiltGroup(rows=rows, sql=sql)
    built = built_group(warehouse, context.op_execution_context.op.name)
    if built == wanted and not context.is_subset:
        yield from _unchanged(context, hashlib.sha256(f"{sql} {rows}".encode()).hexdigest())
        return
    yield from dbt.build(context, variables or {}, is_full_refresh=built is None or built.sql != sql)
    if not context.is_subset:
        record_built_group(warehouse, context.op_execution_context.op.name, wanted)


def _days(context: dg.AssetExecutionContext) -> list[dt.date]:
    window = context.partition_time_window
    return [window.start.date() + ONE_DAY * number for number in range((window.end.date() - window.start.date()).days)]


def _wanted_fingerprints(warehouse: Warehouse, days: Sequence[dt.date], settings: Settings) -> dict[dt.date, str]:
    project_hash = dbt_project_hash(settings.dbt_project_path)
    return day_fingerprints(warehouse, days, first_day=settings.first_week, project_hash=project_hash)


def _window(stale: Sequence[dt.date], settings: Settings) -> dict[str, str]:
    """The window that covers the stale days; the first day's also covers everything before it."""
    start = BEGINNING if stale[0] == settings.first_week else stale[0]
    return {
        "window_start": dt.datetime.combine(start, dt.time()).isoformat(),
        "window_end": dt.datetime.combine(stale[-1] + ONE_DAY, dt.time()).isoformat(),
    }


def _unchanged(context: dg.AssetExecutionContext, version: str) -> Iterator[Any]:
    """Materialize without running dbt: the tables were built from the same rows by the same SQL."""
    for key in sorted(context.selected_asset_keys):
        yield dg.MaterializeResult(asset_key=key, data_version=dg.DataVersion(version), metadata={"cache": "hit"})
    # A group or a day counts as built only once its error-severity tests have passed on exactly these rows.
    for spec in context.assets_def.check_specs:
        if spec.blocking and spec.key in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(
                asset_key=spec.asset_key,
                check_name=spec.name,
                passed=True,
                description="Unchanged since it passed: same rows, same SQL.",
                metadata={"cache": "hit"},
            )
