"""dbt's models as assets: reference data and views, the growing tables by day, recommendations, outcomes."""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from packaging_assets.components.dbt_specs import DbtSelection, DbtSpecs, dbt_specs
from packaging_assets.components.model_spec import TRAINING_TAG
from packaging_assets.components.package_model import model_set
from packaging_assets.domain.labels import LabelParams
from packaging_assets.partitions import daily_partitions
from packaging_assets.resources.built_days import (
    built_fingerprints,
    day_fingerprints,
    dbt_project_hash,
    forget_built_days,
    record_built_days,
)
from packaging_assets.resources.built_groups import (
    REFERENCE_GROUP,
    BuiltGroup,
    built_group,
    predictions_version,
    record_built_group,
    sql_in_force,
)
from packaging_assets.resources.dbt_builder import DbtBuilder, DbtBuildError
from packaging_assets.resources.outcome_rows import OUTCOME_GROUP, outcomes_version
from packaging_assets.resources.warehouse import Warehouse
from packaging_assets.settings import Settings, current_settings

BEGINNING = dt.date(1900, 1, 1)
DAILY = ("product_features", "package_evidence")
RECOMMENDATIONS = ("latest_predictions", "package_recommendations")
OUTCOMES = ("prediction_outcomes",)
GROUPS = {
    REFERENCE_GROUP: DbtSelection(exclude=" ".join((*DAILY, *RECOMMENDATIONS, *OUTCOMES))),
    "daily_models": DbtSelection(select=" ".join(DAILY)),
    "recommendation_models": DbtSelection(select=" ".join(RECOMMENDATIONS)),
    OUTCOME_GROUP: DbtSelection(select=" ".join(OUTCOMES)),
}
"""What each step builds, by the step's name."""
PREDICTION_ASSETS = {
    dg.AssetKey(["ml", "predictions"]): "predictions",
    dg.AssetKey(["ml", "shadow_predictions"]): "shadow_predictions",
}
"""The tables of predictions, and the assets of each cadence that load them."""
OWNERS = ("team:packaging-data",)
ONE_DAY = dt.timedelta(days=1)


def dbt_group(
    name: str, specs: Mapping[str, DbtSpecs], *, has_shadows: bool, **options: Any
) -> Callable[[Callable[..., Iterator[Any]]], dg.AssetsDefinition]:
    """Make a function the body of one group of dbt's models, as dagster-dbt's `dbt_assets` would.

    Args:
        name: of the group, one of `GROUPS`.
        specs: of all groups.
        has_shadows: see `placed`.
        options: of `dg.multi_asset`: partitions, policies.
    """
    return dg.multi_asset(
        name=name,
        specs=[placed(spec, has_shadows=has_shadows) for spec in specs[name].assets],
        check_specs=specs[name].checks,
        can_subset=True,
        pool="warehouse",
        op_tags=GROUPS[name].op_tags,
        **options,
    )


def placed(spec: dg.AssetSpec, *, has_shadows: bool) -> dg.AssetSpec:
    """A model with its group, owners, tags and upstream assets as they appear in the UI.

    Recommendations and outcomes stand at the end of the graph, everything else at its beginning. The weekly job builds
    the outcomes: its week is over, and training shows how the last models did.

    Args:
        spec: as dagster-dbt has it.
        has_shadows: whether there are shadow models, and with them assets of their predictions.
    """
    ends = {**dict.fromkeys(RECOMMENDATIONS, "recommendations"), **dict.fromkeys(OUTCOMES, "outcomes")}
    model = spec.key.path[-1]
    return spec.replace_attributes(
        deps=loaded_by(spec.deps, has_shadows=has_shadows),
        group_name=ends.get(model, "warehouse"),
        owners=OWNERS,
        tags={**spec.tags, **TRAINING_TAG} if model in OUTCOMES else spec.tags,
    )


def loaded_by(deps: Iterable[dg.AssetDep], *, has_shadows: bool) -> list[dg.AssetDep]:
    """The same, with the assets that load a table of predictions in its place."""
    found = list(deps)
    read = {dep.asset_key for dep in found}
    others = [dep for dep in found if dep.asset_key not in PREDICTION_ASSETS]
    loaders = [
        loader
        for table, loader in PREDICTION_ASSETS.items()
        if table in read and (has_shadows or loader == "predictions")
    ]
    return [*others, *(dg.AssetDep([cadence, name]) for name in loaders for cadence in ("daily", "monthly"))]


@dg.definitions
def dbt_models(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Build the dbt assets of the settings in use."""
    settings = current_settings()
    common: dict[str, Any] = {
        "specs": dbt_specs(settings, GROUPS),
        "has_shadows": bool(model_set(context).shadows()),
    }
    daily: dict[str, Any] = {
        "partitions_def": daily_partitions(settings),
        "backfill_policy": dg.BackfillPolicy.single_run(),
    }

    @dbt_group(REFERENCE_GROUP, **common)
    def reference_models(
        context: dg.AssetExecutionContext,
        dbt: dg.ResourceParam[DbtBuilder],
        warehouse: dg.ResourceParam[Warehouse],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[Any]:
        warehouse.create_tables()
        sql = dbt_project_hash(settings.dbt_project_path)
        yield from _build_unless_built(context, dbt, warehouse, rows="", sql=sql)

    @dbt_group("daily_models", **common, **daily)
    def daily_models(
        context: dg.AssetExecutionContext,
        dbt: dg.ResourceParam[DbtBuilder],
        warehouse: dg.ResourceParam[Warehouse],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[Any]:
        days = _days(context)
        wanted = _wanted_fingerprints(warehouse, days, settings)
        built = built_fingerprints(warehouse, before=dt.datetime.combine(days[-1] + ONE_DAY, dt.time()))
        current = {day for day in days if built.get(day) == wanted[day]}
        stale = [day for day in days if context.is_subset or day not in current]
        if not stale:
            yield from _unchanged(context, wanted[days[-1]])
            return
        replaced = [day for day in days if stale[0] <= day <= stale[-1]]
        forget_built_days(warehouse, replaced)
        try:
            yield from dbt.build(context, _window(stale, settings))
        except DbtBuildError:
            if built_group(warehouse, REFERENCE_GROUP) is None:
                raise DbtBuildError(
                    "the warehouse has no reference tables yet, from which days are built: run "
                    f"`packaging run warehouse --partition {stale[-1]}` once, which builds this day too"
                ) from None
            raise
        # A day of which one table alone was built is as built as it was before.
        done = [day for day in replaced if not context.is_subset or day in current]
        record_built_days(warehouse, {day: wanted[day] for day in done})

    @dbt_group("recommendation_models", **common)
    def recommendation_models(
        context: dg.AssetExecutionContext,
        dbt: dg.ResourceParam[DbtBuilder],
        warehouse: dg.ResourceParam[Warehouse],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[Any]:
        sql = sql_in_force(warehouse, dbt_project_hash(settings.dbt_project_path))
        rows = predictions_version(warehouse)
        yield from _build_unless_built(context, dbt, warehouse, rows, sql=sql)

    @dbt_group(OUTCOME_GROUP, **common)
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
    the group, chosen by hand in the UI, is always built, and leaves the rest as built as it was.
    """
    group, wanted = context.op_execution_context.op.name, BuiltGroup(rows=rows, sql=sql)
    built = built_group(warehouse, group)
    if built == wanted and not context.is_subset:
        yield from _unchanged(context, hashlib.sha256(f"{sql} {rows}".encode()).hexdigest())
        return
    if built is not None:
        record_built_group(warehouse, group, built.begun_again(sql))
    yield from dbt.build(context, variables or {}, is_full_refresh=built is None or built.sql != sql)
    if built == wanted or not context.is_subset:
        record_built_group(warehouse, group, wanted)


def _days(context: dg.AssetExecutionContext) -> list[dt.date]:
    window = context.partition_time_window
    return [window.start.date() + ONE_DAY * number for number in range((window.end.date() - window.start.date()).days)]


def _wanted_fingerprints(warehouse: Warehouse, days: Sequence[dt.date], settings: Settings) -> dict[dt.date, str]:
    sql = sql_in_force(warehouse, dbt_project_hash(settings.dbt_project_path))
    return day_fingerprints(warehouse, days, first_day=settings.first_week, project_hash=sql)


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
