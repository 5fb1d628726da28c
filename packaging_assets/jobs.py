"""The platform's jobs: what each of them materializes. The shell, the schedules and the command line share them."""

import dagster as dg

from packaging_assets.components.model_spec import TRAINING_TAG

_RECOMMENDATIONS = dg.AssetSelection.groups("recommendations")
_DAILY_TABLES = dg.AssetSelection.assets("product_features", "package_evidence")

WAREHOUSE_JOB = dg.define_asset_job(
    "warehouse",
    selection=dg.AssetSelection.groups("warehouse"),
    description="Build the warehouse's models for a day, or for a range of days in one run.",
)

WEEKLY_JOB = dg.define_asset_job(
    "weekly_training",
    selection=dg.AssetSelection.tag(*next(iter(TRAINING_TAG.items()))),
    description="Labels, features, and for every model: split, train, evaluate, judge, register.",
)

DAILY_JOB = dg.define_asset_job(
    "daily_inference",
    selection=dg.AssetSelection.assets(["daily", "inventory"], ["daily", "predictions"])
    | _DAILY_TABLES
    | _RECOMMENDATIONS,
    description="Build the day in the warehouse, score its products, renew their recommendations.",
)

MONTHLY_JOB = dg.define_asset_job(
    "monthly_inference",
    selection=dg.AssetSelection.assets(["monthly", "inventory"], ["monthly", "predictions"]) | _RECOMMENDATIONS,
    description="Score the whole inventory and renew every recommendation.",
)

# Jobs of their own, so that a shadow model that fails makes no run of the live predictions fail, wait or be retried.
DAILY_SHADOW_JOB = dg.define_asset_job(
    "daily_shadow",
    selection=dg.AssetSelection.assets(["daily", "shadow_predictions"]),
    description="Score the day's products with the shadow models, once the live models have.",
)

MONTHLY_SHADOW_JOB = dg.define_asset_job(
    "monthly_shadow",
    selection=dg.AssetSelection.assets(["monthly", "shadow_predictions"]),
    description="Score the whole inventory with the shadow models, once the live models have.",
)

SHADOW_JOBS = {"daily_shadow": DAILY_SHADOW_JOB, "monthly_shadow": MONTHLY_SHADOW_JOB}
"""The jobs that only projects with shadow models have, by their short names."""

JOBS = {
    "warehouse": WAREHOUSE_JOB,
    "weekly": WEEKLY_JOB,
    "daily": DAILY_JOB,
    "monthly": MONTHLY_JOB,
    **SHADOW_JOBS,
}
"""The jobs by the short names under which `packaging run` knows them."""
